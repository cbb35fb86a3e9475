#include "core/elf/any_elf.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace corefleet {
namespace {

constexpr uint64_t kMaxEntries = 2048;
constexpr uint64_t kMaxNameBytes = 256 * 1024;
constexpr uint64_t kIdentBytes = 16;
constexpr uint64_t kHeaderBytes32 = 52;

// Reads fields whose width depends on the class.
class FieldReader {
 public:
  FieldReader(ByteView bytes, const AnyElf& elf) : reader_(bytes, elf.endian), is_64_(elf.is_64) {}
  uint16_t Half() { return reader_.U16(); }
  uint32_t Word() { return reader_.U32(); }
  uint64_t Address() { return is_64_ ? reader_.U64() : reader_.U32(); }

 private:
  ByteReader reader_;
  bool is_64_;
};

struct Table {
  uint64_t offset = 0;
  uint16_t entry_bytes = 0, count = 0;
};

// The bytes of a table's whole entries that are in the file.
absl::StatusOr<std::vector<uint8_t>> ReadTable(const ByteSource& file, const Table& table, uint64_t wanted) {
  if (table.entry_bytes != wanted || table.offset >= file.size()) return std::vector<uint8_t>();
  const uint64_t there = (file.size() - table.offset) / wanted;
  const uint64_t count = std::min({uint64_t{table.count}, there, kMaxEntries});
  return ReadBytes(file, table.offset, count * wanted);
}

ProgramHeader ReadSegment(FieldReader fields, bool is_64) {
  ProgramHeader segment;
  segment.type = fields.Word();
  if (is_64) segment.flags = fields.Word();
  segment.offset = fields.Address();
  segment.vaddr = fields.Address();
  segment.paddr = fields.Address();
  segment.file_size = fields.Address();
  segment.memory_size = fields.Address();
  if (!is_64) segment.flags = fields.Word();
  segment.align = fields.Address();
  return segment;
}

// A section, and where its name starts in the names.
ElfSection ReadSection(FieldReader fields, uint32_t* name) {
  ElfSection section;
  *name = fields.Word();
  section.type = fields.Word();
  fields.Address();  // flags
  section.addr = fields.Address();
  section.offset = fields.Address();
  section.size = fields.Address();
  return section;
}

absl::Status ReadSections(const ByteSource& file, const Table& table, uint16_t names_index, AnyElf* elf) {
  const uint64_t entry = elf->is_64 ? 64 : 40;
  ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes, ReadTable(file, table, entry));
  std::vector<uint32_t> names;
  for (size_t at = 0; at < bytes.size(); at += entry) {
    names.push_back(0);
    elf->sections.push_back(
        ReadSection(FieldReader(ByteView(bytes).subspan(at, entry), *elf), &names.back()));
  }
  if (names_index >= elf->sections.size()) return absl::OkStatus();
  const ElfSection strings = elf->sections[names_index];
  if (strings.offset >= file.size()) return absl::OkStatus();
  const uint64_t size = std::min({strings.size, kMaxNameBytes, file.size() - strings.offset});
  ASSIGN_OR_RETURN(const std::vector<uint8_t> text, ReadBytes(file, strings.offset, size));
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i] >= text.size()) continue;
    const absl::string_view rest = TextOf(text).substr(names[i]);
    elf->sections[i].name = std::string(rest.substr(0, std::min(rest.find('\0'), size_t{255})));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<AnyElf> ReadAnyElf(const ByteSource& file) {
  ASSIGN_OR_RETURN(const std::vector<uint8_t> head,
                   ReadBytes(file, 0, std::min(file.size(), kElf64HeaderBytes)));
  if (!LooksLikeElf(head)) return absl::InvalidArgumentError("no ELF magic number");
  AnyElf elf;
  if (head.size() > 5) {
    elf.is_64 = head[4] == 2;
    elf.endian = head[5] == 2 ? Endian::kBig : Endian::kLittle;
  }
  if (head.size() < (elf.is_64 ? kElf64HeaderBytes : kHeaderBytes32))
    return absl::OutOfRangeError(absl::StrCat("an ELF header cut to ", head.size(), " bytes"));
  FieldReader fields(ByteView(head).subspan(kIdentBytes), elf);
  elf.type = fields.Half();
  elf.machine = fields.Half();
  fields.Word();     // version
  fields.Address();  // entry
  Table segments, sections;
  segments.offset = elf.program_headers_offset = fields.Address();
  sections.offset = elf.section_headers_offset = fields.Address();
  elf.flags = fields.Word();
  fields.Half();  // size of this header
  segments.entry_bytes = fields.Half();
  segments.count = fields.Half();
  sections.entry_bytes = fields.Half();
  sections.count = fields.Half();
  const uint16_t names_index = fields.Half();
  elf.segments_said = segments.count;
  elf.sections_said = sections.count;
  const uint64_t entry = elf.is_64 ? kElf64ProgramHeaderBytes : 32;
  ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes, ReadTable(file, segments, entry));
  for (size_t at = 0; at < bytes.size(); at += entry)
    elf.segments.push_back(ReadSegment(FieldReader(ByteView(bytes).subspan(at, entry), elf), elf.is_64));
  RETURN_IF_ERROR(ReadSections(file, sections, names_index, &elf));
  return elf;
}

}  // namespace corefleet
