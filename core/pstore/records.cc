#include "core/pstore/records.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/bytes/escape.h"
#include "core/pstore/decompress.h"
#include "core/pstore/ecc_notice.h"
#include "core/pstore/grouping.h"
#include "core/pstore/record_name.h"
#include "core/pstore/record_text.h"

namespace corefleet {
namespace {

// Of one file; a console is the largest that there is, and of a longer one the end is taken.
constexpr uint64_t kMaxFileBytes = 16 << 20;
// Of all texts of a crash: many small files could still decompress to much.
constexpr size_t kMaxTextBytes = 64 << 20;

// A part of a dump with its text, decompressed.
struct DecodedPart {
  PstoreFile file;  // head: of the decompressed text
  std::string text;
};

KernelText::Kind KindOf(PstoreName::Type type) {
  switch (type) {
    case PstoreName::Type::kPmsg:
      return KernelText::Kind::kPmsg;
    case PstoreName::Type::kFtrace:
      return KernelText::Kind::kFtrace;
    case PstoreName::Type::kDmesg:
    case PstoreName::Type::kConsole:
    case PstoreName::Type::kOther:
      break;
  }
  return KernelText::Kind::kConsole;
}

class RecordUnpacker {
 public:
  explicit RecordUnpacker(Pieces* out) : out_(out) {}

  void Take(const Artifact& file) {
    const std::string shown = EscapeForTerminal(file.file_name);
    const uint64_t size = file.bytes->size();
    const uint64_t taken = std::min(size, kMaxFileBytes);
    const auto bytes = ReadBytes(*file.bytes, size - taken, taken);
    if (!bytes.ok()) return Report(DefectCode::kStoredBytesDamaged, shown, "the file cannot be read back");
    if (taken < size)
      Report(DefectCode::kLogGap, shown,
             absl::StrCat("only the last ", taken, " of its ", size, " bytes are read"));
    absl::string_view content = TextOf(*bytes);
    TakeNotice(shown, &content);
    const std::optional<PstoreName> name = ParsePstoreName(file.file_name);
    if (!name) {
      TakeArchive(file.file_name, content);
    } else if (name->type == PstoreName::Type::kDmesg) {
      TakePart(file.file_name, name->still_packed, BytesOf(content));
    } else {
      TakeOther(*name, shown, BytesOf(content));
    }
  }

  void Finish() {
    std::vector<PstoreFile> files;
    files.reserve(parts_.size());
    for (const DecodedPart& part : parts_) files.push_back(part.file);
    for (const PstoreRecord& record : JoinParts(files)) AddRecord(record);
    std::move(others_.begin(), others_.end(), std::back_inserter(out_->texts));
  }

 private:
  void Report(DefectCode code, const std::string& file, std::string detail) {
    out_->defects.push_back({code, file, std::move(detail)});
  }

  void TakeNotice(const std::string& shown, absl::string_view* content) {
    const std::optional<EccNotice> notice = TakeEccNotice(content);
    if (!notice || notice->unrecoverable_blocks == 0) return;
    Report(DefectCode::kEccUnrecoverable, shown,
           absl::StrCat("the kernel corrected ", notice->corrected_bytes, " bytes and could not repair ",
                        notice->unrecoverable_blocks, " blocks; the text has wrong characters there"));
  }

  bool HasRoom(const std::string& shown, size_t size) {
    if (size <= kMaxTextBytes - text_bytes_) {
      text_bytes_ += size;
      return true;
    }
    Report(DefectCode::kRecordUnreadable, shown,
           absl::StrCat("the records of this crash are more than ", kMaxTextBytes,
                        " bytes of text; this one is kept in the file"));
    return false;
  }

  // Reads a file that may still be compressed. Empty when it cannot be read.
  std::optional<std::string> Decode(const std::string& shown, bool packed, ByteView content) {
    RecordText record;
    if (packed) record = DecompressRecord(content);
    if (record.codec.empty()) record = ReadRecordText(content);
    if (record.codec.empty()) {
      Report(DefectCode::kRecordUnreadable, shown,
             absl::StrCat(
                 "its ", content.size(),
                 " bytes are no text, and none of deflate, zlib, zstd, lz4 and lzo makes a record of them "
                 "(842 is not read); kept as received"));
      return std::nullopt;
    }
    if (!record.whole) {
      Report(DefectCode::kRecordUnreadable, shown,
             absl::StrCat("its ", record.codec, " stream breaks off; the first ", record.text.size(),
                          " bytes of its text are there"));
    }
    if (!HasRoom(shown, record.text.size())) return std::nullopt;
    return std::move(record.text);
  }

  void AddPart(const std::string& name, std::string text) {
    parts_.push_back({.file = {.name = name, .head = text.substr(0, 64)}, .text = std::move(text)});
  }

  void TakePart(const std::string& name, bool packed, ByteView content) {
    if (content.empty()) return;
    if (auto text = Decode(EscapeForTerminal(name), packed, content)) AddPart(name, *std::move(text));
  }

  // systemd-pstore's dmesg.txt: parts one after the other, each behind its own header line.
  void TakeArchive(const std::string& name, absl::string_view content) {
    for (const absl::string_view part : SplitAtHeaders(content)) {
      if (HasRoom(EscapeForTerminal(name), part.size())) AddPart(name, std::string(part));
    }
  }

  void TakeOther(const PstoreName& name, const std::string& shown, ByteView content) {
    if (content.empty()) return;
    // A console after a cold boot is garbage, and still whatever is left of it.
    std::optional<std::string> text =
        name.still_packed ? Decode(shown, true, content) : std::string(TextOf(content));
    if (!text || (!name.still_packed && !HasRoom(shown, text->size()))) return;
    others_.push_back({.kind = KindOf(name.type), .name = shown, .text = *std::move(text)});
  }

  void AddRecord(const PstoreRecord& record) {
    std::vector<RecordPart> parts;
    for (const PstoreRecord::Part& part : record.parts)
      parts.push_back({.number = part.number.value_or(0), .text = parts_[part.file].text});
    JoinedText joined = JoinTexts(parts);
    const std::string shown = EscapeForTerminal(parts_[record.parts.front().file].file.name);
    const std::string name =
        record.reason.empty() ? shown : absl::StrCat(record.reason, "#", record.count.value_or(0));
    if (!joined.missing.empty()) {
      Report(DefectCode::kRecordPartMissing, name,
             absl::StrCat(joined.missing, " of this record ", joined.plural ? "are" : "is",
                          " missing; the text says where"));
    }
    KernelText text = {.kind = KindOfReason(record.reason), .name = name, .text = std::move(joined.text)};
    // An archive beside the files that it was made of says everything twice.
    const bool twice = std::any_of(out_->texts.begin(), out_->texts.end(), [&](const KernelText& other) {
      return other.kind == text.kind && other.text == text.text;
    });
    if (!twice) out_->texts.push_back(std::move(text));
  }

  Pieces* const out_;
  std::vector<DecodedPart> parts_;
  std::vector<KernelText> others_;
  size_t text_bytes_ = 0;
};

}  // namespace

bool LooksLikePstoreFile(const std::string& name, ByteView head) {
  const std::optional<PstoreName> parsed = ParsePstoreName(name);
  if (parsed) return parsed->type != PstoreName::Type::kOther;
  return ParseRecordHeader(TextOf(head)).has_value();
}

void UnpackPstoreRecords(const std::vector<Artifact>& files, const DumpOpener*, Pieces* out) {
  RecordUnpacker unpacker(out);
  for (const Artifact& file : files) unpacker.Take(file);
  unpacker.Finish();
}

}  // namespace corefleet
