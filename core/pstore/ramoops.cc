#include "core/pstore/ramoops.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "core/bytes/byte_reader.h"
#include "core/bytes/escape.h"
#include "core/pstore/decompress.h"
#include "core/pstore/ramoops_zone.h"
#include "core/pstore/record_name.h"
#include "core/pstore/record_text.h"

namespace corefleet {
namespace {

// No device reserves more; what lies behind is not looked at.
constexpr uint64_t kMaxAreaBytes = 256 << 20;
constexpr uint64_t kMaxZoneBytes = 16 << 20;
constexpr size_t kMaxZones = 1024;
constexpr size_t kMaxTextBytes = 64 << 20;
constexpr size_t kTraceRecordBytes = 24;

struct ZoneStart {
  uint64_t offset = 0;
  uint32_t value = 0;
};

// The zone that may begin with `header`. A traced kernel's version is a weak mark, so its ring has to make
// sense too.
std::optional<uint32_t> ZoneValueAt(ByteView header, uint64_t room) {
  ByteReader reader(header);
  const std::optional<uint32_t> value = ZoneValueOf(reader.U32());
  const uint32_t start = reader.U32();
  const uint32_t size = reader.U32();
  if (!reader.ok() || !value) return std::nullopt;
  if (*value != 0 && (size > room || start > size)) return std::nullopt;
  return value;
}

std::vector<ZoneStart> FindZones(const ByteSource& area) {
  std::vector<ZoneStart> zones;
  const uint64_t size = std::min(area.size(), kMaxAreaBytes);
  for (uint64_t at = 0; at + kRamoopsHeaderBytes <= size && zones.size() < kMaxZones;
       at += kRamoopsZoneAlignment) {
    uint8_t header[kRamoopsHeaderBytes];
    if (!area.ReadAt(at, absl::MakeSpan(header)).ok()) continue;
    if (const auto value = ZoneValueAt(header, size - at)) zones.push_back({at, *value});
  }
  return zones;
}

// The head of a dump's zone.
struct DumpHead {
  uint64_t seconds = 0;
  uint64_t micros = 0;
  bool compressed = false;
};

bool TakeNumber(absl::string_view* text, uint64_t* value) {
  const size_t digits = std::min(text->find_first_not_of("0123456789"), text->size());
  if (!absl::SimpleAtoi(text->substr(0, digits), value)) return false;
  text->remove_prefix(digits);
  return true;
}

// `====<seconds>.<micros>-<C or D>` and a newline; the oldest kernels have no letter.
std::optional<DumpHead> TakeDumpHead(absl::string_view* content) {
  absl::string_view rest = *content;
  DumpHead head;
  if (!absl::ConsumePrefix(&rest, "====") || !TakeNumber(&rest, &head.seconds) ||
      !absl::ConsumePrefix(&rest, ".") || !TakeNumber(&rest, &head.micros))
    return std::nullopt;
  head.compressed = absl::ConsumePrefix(&rest, "-C");
  if (!head.compressed) absl::ConsumePrefix(&rest, "-D");
  if (!absl::ConsumePrefix(&rest, "\n")) return std::nullopt;
  *content = rest;
  return head;
}

// Whether a line begins with `[    1.234567]`, or with a level in front of that.
bool HasStampedLine(absl::string_view text) {
  for (size_t at = text.find('['); at != absl::string_view::npos; at = text.find('[', at + 1)) {
    if (at > 0 && text[at - 1] != '\n' && text[at - 1] != '>') continue;
    const size_t dot = text.find_first_not_of(" 0123456789", at + 1);
    if (dot == absl::string_view::npos || dot < at + 6 || text[dot] != '.') continue;
    const size_t end = text.find_first_not_of("0123456789", dot + 1);
    if (end == dot + 7 && text[end] == ']') return true;
  }
  return false;
}

// Function trace of a 64-bit kernel: address, caller, and time with the CPU in its lowest byte.
std::string RenderTrace(absl::string_view content) {
  std::string text;
  ByteReader reader(BytesOf(content));
  // The ring forgets bytes, not records, so the oldest one may have lost its beginning.
  reader.Skip(content.size() % kTraceRecordBytes);
  while (reader.remaining() >= kTraceRecordBytes) {
    const uint64_t ip = reader.U64();
    const uint64_t parent = reader.U64();
    const uint64_t time = reader.U64();
    absl::StrAppendFormat(&text, "CPU:%d ts:%d %016x  %016x\n", time & 255, time >> 8, ip, parent);
  }
  return text;
}

struct Dump {
  DumpHead head;
  KernelText text;
};

class RamoopsUnpacker {
 public:
  explicit RamoopsUnpacker(Pieces* out) : out_(out) {}

  void Take(const Artifact& file) {
    file_ = EscapeForTerminal(file.file_name);
    const uint64_t area = std::min(file.bytes->size(), kMaxAreaBytes);
    const std::vector<ZoneStart> zones = FindZones(*file.bytes);
    for (size_t i = 0; i < zones.size(); ++i) {
      const uint64_t end = i + 1 < zones.size() ? zones[i + 1].offset : area;
      TakeZone(*file.bytes, zones[i].offset, std::min(end - zones[i].offset, kMaxZoneBytes));
    }
    if (zones.size() == kMaxZones || file.bytes->size() > kMaxAreaBytes) {
      Report(DefectCode::kContainerDamaged, 0,
             absl::StrCat("only its first ", zones.size(), " zones and ", area, " bytes are read"));
    }
  }

  // Dumps first, the newest before the others.
  void Finish() {
    std::stable_sort(dumps_.begin(), dumps_.end(), [](const Dump& a, const Dump& b) {
      return std::make_tuple(a.head.seconds, a.head.micros) > std::make_tuple(b.head.seconds, b.head.micros);
    });
    for (Dump& dump : dumps_) out_->texts.push_back(std::move(dump.text));
    std::move(others_.begin(), others_.end(), std::back_inserter(out_->texts));
  }

 private:
  std::string NameOf(uint64_t offset) const { return absl::StrCat(file_, " zone at 0x", absl::Hex(offset)); }

  void Report(DefectCode code, uint64_t offset, std::string detail) {
    out_->defects.push_back({code, NameOf(offset), std::move(detail)});
  }

  void TakeZone(const ByteSource& area, uint64_t offset, uint64_t size) {
    const auto bytes = ReadBytes(area, offset, size);
    if (!bytes.ok()) return Report(DefectCode::kStoredBytesDamaged, offset, "the zone cannot be read back");
    std::optional<RamoopsZone> zone = ReadRamoopsZone(*bytes);
    if (!zone || zone->content.empty()) return;
    ReportDamage(*zone, offset);
    if (zone->content.size() > kMaxTextBytes - text_bytes_)
      return Report(DefectCode::kRecordUnreadable, offset,
                    "more text than is read of one crash; kept in the file");
    text_bytes_ += zone->content.size();
    absl::string_view content = zone->content;
    if (const auto head = TakeDumpHead(&content)) {
      TakeDump(*head, content, offset);
    } else if (zone->value != 0) {
      others_.push_back(
          {.kind = KernelText::Kind::kFtrace,
           .name = absl::StrCat("ftrace of Linux ", VersionWords(zone->value), ", ", NameOf(offset)),
           .text = RenderTrace(content)});
    } else {
      TakeStream(std::move(zone->content), offset);
    }
  }

  void ReportDamage(const RamoopsZone& zone, uint64_t offset) {
    if (!zone.header_sound) {
      Report(DefectCode::kContainerDamaged, offset,
             "start and size of its ring cannot be; everything in it is taken, from its first byte on");
    }
    if (zone.unrecoverable_blocks > 0) {
      Report(DefectCode::kEccUnrecoverable, offset,
             absl::StrCat(zone.unrecoverable_blocks, " blocks of ", kRamoopsBlockBytes,
                          " bytes are beyond repair and taken as they are; ", zone.corrected_bytes,
                          " bytes of others were corrected"));
    }
  }

  void TakeDump(const DumpHead& head, absl::string_view content, uint64_t offset) {
    RecordText record;
    if (head.compressed) record = DecompressRecord(BytesOf(content));
    if (record.codec.empty()) record = ReadRecordText(BytesOf(content));
    if (record.codec.empty()) {
      return Report(
          DefectCode::kRecordUnreadable, offset,
          absl::StrCat("its dump of ", content.size(),
                       " bytes is no text, and none of deflate, zlib, zstd, lz4 and lzo makes a record of "
                       "it (842 is not read); kept in the file"));
    }
    if (!record.whole) {
      Report(DefectCode::kRecordUnreadable, offset,
             absl::StrCat("its ", record.codec, " stream breaks off; the first ", record.text.size(),
                          " bytes of its text are there"));
    }
    if (record.text.size() > kMaxTextBytes - text_bytes_)
      return Report(DefectCode::kRecordUnreadable, offset,
                    "more text than is read of one crash; kept in the file");
    text_bytes_ += record.text.size();
    const auto header = ParseRecordHeader(record.text);
    const std::string reason = header ? header->reason : "";
    const std::string name = header ? absl::StrCat(reason, "#", header->count) : NameOf(offset);
    dumps_.push_back({head,
                      {.kind = KindOfReason(reason),
                       .name = name,
                       .text = JoinTexts({{.number = 0, .text = record.text}}).text}});
  }

  // A console and user space's messages look alike from outside; a kernel stamps its lines, and its zone
  // comes first.
  void TakeStream(std::string content, uint64_t offset) {
    const bool first = std::none_of(others_.begin(), others_.end(), [](const KernelText& text) {
      return text.kind == KernelText::Kind::kConsole;
    });
    const bool console = HasStampedLine(content) || (first && IsPlainText(content));
    others_.push_back({.kind = console ? KernelText::Kind::kConsole : KernelText::Kind::kPmsg,
                       .name = absl::StrCat(console ? "console" : "pmsg", ", ", NameOf(offset)),
                       .text = std::move(content)});
  }

  Pieces* const out_;
  std::string file_;  // escaped
  std::vector<Dump> dumps_;
  std::vector<KernelText> others_;
  size_t text_bytes_ = 0;
};

}  // namespace

bool LooksLikeRamoops(ByteView head) {
  for (size_t at = 0; at + kRamoopsHeaderBytes <= head.size(); at += kRamoopsZoneAlignment) {
    const ByteView header = head.subspan(at, kRamoopsHeaderBytes);
    const std::optional<uint32_t> value = ZoneValueAt(header, kMaxZoneBytes);
    if (!value) continue;
    const uint64_t start = LoadInteger(header.subspan(4), 4, Endian::kLittle);
    const uint64_t size = LoadInteger(header.subspan(8), 4, Endian::kLittle);
    if (size <= kMaxZoneBytes && start <= size) return true;
  }
  return false;
}

void UnpackRamoops(const std::vector<Artifact>& files, const DumpOpener*, Pieces* out) {
  RamoopsUnpacker unpacker(out);
  for (const Artifact& file : files) unpacker.Take(file);
  unpacker.Finish();
}

}  // namespace corefleet
