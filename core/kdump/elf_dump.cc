#include "core/kdump/elf_dump.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "core/bytes/byte_reader.h"
#include "core/elf/elf_notes.h"

namespace corefleet {
namespace {

constexpr uint64_t kMaxHeadBytes = 64 * 1024;
constexpr uint64_t kMaxNoteBytes = 16 << 20;
constexpr uint64_t kMaxVmcoreinfoBytes = 64 * 1024;
constexpr size_t kMaxNotes = 65536;
constexpr size_t kIdentBytes = 16;
// In place of a count that does not fit: the count is in the first section header's sh_info.
constexpr uint32_t kManyProgramHeaders = 0xffff;
constexpr absl::string_view kVmcoreinfoStart = "OSRELEASE=";

// An ELF file's form, and the fields of its header that tell where the rest is.
struct ElfForm {
  bool wide = true;  // 64-bit
  Endian endian = Endian::kLittle;
  uint16_t type = 0;
  uint16_t machine = 0;
  uint32_t flags = 0;
  uint64_t program_headers = 0;
  uint64_t section_headers = 0;
  uint16_t program_header_bytes = 0;
  uint32_t program_header_count = 0;

  uint16_t expected_program_header_bytes() const { return wide ? 56 : 32; }
};

absl::StatusOr<ElfForm> ParseForm(ByteView head) {
  if (!LooksLikeElf(head) || head.size() < 52) return absl::InvalidArgumentError("no ELF header");
  ElfForm form;
  form.wide = head[4] != 1;
  form.endian = head[5] == 2 ? Endian::kBig : Endian::kLittle;
  ByteReader reader(head, form.endian);
  const auto word = [&] { return form.wide ? reader.U64() : reader.U32(); };
  reader.Skip(kIdentBytes);
  form.type = reader.U16();
  form.machine = reader.U16();
  reader.Skip(4);  // version
  word();          // entry
  form.program_headers = word();
  form.section_headers = word();
  form.flags = reader.U32();
  reader.Skip(2);
  form.program_header_bytes = reader.U16();
  form.program_header_count = reader.U16();
  if (!reader.ok() || form.type != kElfTypeCore) return absl::InvalidArgumentError("no ELF core");
  return form;
}

ProgramHeader ParseProgramHeader(const ElfForm& form, ByteView bytes) {
  ByteReader reader(bytes, form.endian);
  const auto word = [&] { return form.wide ? reader.U64() : reader.U32(); };
  ProgramHeader header;
  header.type = reader.U32();
  if (form.wide) header.flags = reader.U32();
  header.offset = word();
  header.vaddr = word();
  header.paddr = word();
  header.file_size = word();
  header.memory_size = word();
  return header;
}

// The whole headers in `bytes`, which begin with the first one.
std::vector<ProgramHeader> ParseAll(const ElfForm& form, ByteView bytes, size_t limit) {
  std::vector<ProgramHeader> headers;
  const size_t each = form.program_header_bytes;
  if (each != form.expected_program_header_bytes()) return headers;
  while (headers.size() < limit && bytes.size() >= each) {
    headers.push_back(ParseProgramHeader(form, bytes.first(each)));
    bytes.remove_prefix(each);
  }
  return headers;
}

std::string FindVmcoreinfo(ByteView bytes) {
  const absl::string_view text = TextOf(bytes);
  const size_t at = text.find(kVmcoreinfoStart);
  if (at == absl::string_view::npos) return "";
  const absl::string_view rest = text.substr(at, kMaxVmcoreinfoBytes);
  return std::string(rest.substr(0, rest.find('\0')));
}

std::string WordsOf(const ElfForm& form) {
  return absl::StrCat("a ", form.wide ? "64" : "32", "-bit ",
                      form.endian == Endian::kBig ? "big-endian" : "little-endian", " ELF core of machine ",
                      form.machine);
}

class DumpReader {
 public:
  explicit DumpReader(const ByteSource& file) : file_(file) {}

  absl::StatusOr<std::vector<uint8_t>> NoteBytes() {
    ASSIGN_OR_RETURN(head_, Window(0, kMaxHeadBytes));
    ASSIGN_OR_RETURN(form_, ParseForm(head_));
    RETURN_IF_ERROR(ReadProgramHeaders());
    std::vector<uint8_t> all;
    for (const ProgramHeader& note : notes_) {
      ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes,
                       Window(note.offset, std::min(note.file_size, kMaxNoteBytes - all.size())));
      all.insert(all.end(), bytes.begin(), bytes.end());
    }
    return all;
  }

  absl::StatusOr<ElfDump> Read() {
    ASSIGN_OR_RETURN(head_, Window(0, kMaxHeadBytes));
    ASSIGN_OR_RETURN(form_, ParseForm(head_));
    dump_.machine = form_.machine;
    dump_.flags = form_.flags;
    if (!form_.wide || form_.endian != Endian::kLittle) dump_.unsupported = WordsOf(form_);
    RETURN_IF_ERROR(ReadProgramHeaders());
    RETURN_IF_ERROR(ReadNotes());
    if (dump_.vmcoreinfo.empty()) {
      dump_.vmcoreinfo = FindVmcoreinfo(head_);
      dump_.notes_damaged = !dump_.vmcoreinfo.empty();
    }
    return std::move(dump_);
  }

 private:
  // What there is of [offset, offset + size).
  absl::StatusOr<std::vector<uint8_t>> Window(uint64_t offset, uint64_t size) const {
    if (offset >= file_.size()) return std::vector<uint8_t>();
    return ReadBytes(file_, offset, std::min(size, file_.size() - offset));
  }

  absl::StatusOr<uint64_t> CountOfProgramHeaders() const {
    if (form_.program_header_count != kManyProgramHeaders) return form_.program_header_count;
    // sh_info, 44 bytes into a 64-bit section header.
    if (form_.wide && form_.section_headers <= UINT64_MAX - 48) {
      ASSIGN_OR_RETURN(const std::vector<uint8_t> info, Window(form_.section_headers + 44, 4));
      if (info.size() == 4) return LoadInteger(info, 4, form_.endian);
    }
    return kManyProgramHeaders;
  }

  absl::Status ReadProgramHeaders() {
    ASSIGN_OR_RETURN(const uint64_t count, CountOfProgramHeaders());
    const uint64_t kept = std::min<uint64_t>(count, kMaxDumpLoads + 1);
    ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes,
                     Window(form_.program_headers, kept * form_.expected_program_header_bytes()));
    const std::vector<ProgramHeader> all = ParseAll(form_, bytes, kept);
    for (const ProgramHeader& header : all) {
      if (header.type == kSegmentNote) notes_.push_back(header);
      if (header.type == kSegmentLoad && dump_.unsupported.empty()) dump_.loads.push_back(header);
    }
    dump_.loads_left_out = count - all.size();
    return absl::OkStatus();
  }

  absl::Status ReadNotes() {
    uint64_t room = kMaxNoteBytes;
    for (const ProgramHeader& note : notes_) {
      ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes, Window(note.offset, std::min(note.file_size, room)));
      room -= bytes.size();
      if (!dump_.unsupported.empty()) {
        if (dump_.vmcoreinfo.empty()) dump_.vmcoreinfo = FindVmcoreinfo(bytes);
        continue;
      }
      for (const ElfNote& found : WalkNotes(bytes, kMaxNotes)) Take(found);
      if (dump_.vmcoreinfo.empty()) {
        dump_.vmcoreinfo = FindVmcoreinfo(bytes);
        dump_.notes_damaged = !dump_.vmcoreinfo.empty();
      }
    }
    return absl::OkStatus();
  }

  void Take(const ElfNote& note) {
    if (note.name == "CORE" && note.type == kNotePrstatus) ++dump_.prstatus_count;
    if (note.name != "VMCOREINFO") return;
    const absl::string_view text = TextOf(note.descriptor.subspan(0, kMaxVmcoreinfoBytes));
    const absl::string_view whole = text.substr(0, text.find('\0'));
    // A copy made at crash time has CRASHTIME besides, so the longer of two is the better one.
    if (absl::StrContains(whole, kVmcoreinfoStart) && whole.size() > dump_.vmcoreinfo.size()) {
      dump_.vmcoreinfo = std::string(whole);
    }
  }

  const ByteSource& file_;
  std::vector<uint8_t> head_;
  ElfForm form_;
  std::vector<ProgramHeader> notes_;
  ElfDump dump_;
};

}  // namespace

bool LooksLikeElfDump(ByteView head) {
  const absl::StatusOr<ElfForm> form = ParseForm(head);
  if (!form.ok()) return false;
  if (absl::StrContains(TextOf(head), kVmcoreinfoStart)) return true;
  if (form->program_headers >= head.size()) return false;
  const std::vector<ProgramHeader> headers =
      ParseAll(*form, head.subspan(form->program_headers), form->program_header_count);
  const bool notes = std::any_of(headers.begin(), headers.end(),
                                 [](const ProgramHeader& header) { return header.type == kSegmentNote; });
  return notes && std::any_of(headers.begin(), headers.end(), [](const ProgramHeader& header) {
           return header.type == kSegmentLoad && header.paddr != 0 && header.paddr != UINT64_MAX;
         });
}

absl::StatusOr<ElfDump> ReadElfDump(const ByteSource& file) { return DumpReader(file).Read(); }

absl::StatusOr<std::vector<uint8_t>> ReadElfDumpNotes(const ByteSource& file) {
  return DumpReader(file).NoteBytes();
}

}  // namespace corefleet
