#include "collector/spool/entry_format.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "core/bytes/byte_reader.h"
#include "core/bytes/escape.h"

namespace corefleet {
namespace {

constexpr absl::string_view kMagic("CFSPOL\x01\n", 8);
constexpr absl::string_view kStateMagic = "CFSR";
constexpr size_t kRowBytes = 37;
constexpr size_t kMaxClueBytes = 256;
constexpr size_t kMaxNoteBytes = 1024;
constexpr size_t kMaxBootIdBytes = 64;
constexpr uint64_t kMaxChunks = uint64_t{1} << 34;
constexpr size_t kMaxStateRecord = 4096;

void PutInteger(std::string* out, uint64_t value, size_t width) {
  for (size_t i = 0; i < width; ++i) out->push_back(static_cast<char>(value >> (8 * i)));
}

void PutText(std::string* out, absl::string_view text) {
  PutInteger(out, text.size(), 2);
  absl::StrAppend(out, text);
}

std::string GetText(ByteReader* reader, size_t limit) {
  const size_t size = reader->U16();
  // What is too long is no text of ours: the reader runs dry, and with it everything.
  return std::string(TextOf(reader->Bytes(size <= limit ? size : reader->remaining() + 1)));
}

// Times beyond these cannot travel.
constexpr int64_t kLastSecond = 253402300799;  // of the year 9999

void PutClues(std::string* out, const CrashClues& clues) {
  for (const std::string* text :
       {&clues.build_id, &clues.kernel_release, &clues.panic, &clues.os_version, &clues.source}) {
    PutText(out, *text);
  }
  PutInteger(out, clues.captured_at.has_value() ? 1 : 0, 1);
  PutInteger(out, static_cast<uint64_t>(absl::ToUnixMicros(clues.captured_at.value_or(absl::UnixEpoch()))),
             8);
  PutInteger(out, clues.priority, 4);
}

CrashClues GetClues(ByteReader* reader) {
  CrashClues clues;
  for (std::string* text :
       {&clues.build_id, &clues.kernel_release, &clues.panic, &clues.os_version, &clues.source}) {
    *text = GetText(reader, kMaxClueBytes);
  }
  const bool dated = reader->U8() != 0;
  const auto micros = static_cast<int64_t>(reader->U64());
  if (dated && micros >= 0 && micros / 1000000 <= kLastSecond)
    clues.captured_at = absl::FromUnixMicros(micros);
  clues.priority = reader->U32();
  return clues;
}

std::string Cut(std::string text, size_t limit) {
  if (text.size() <= limit) return text;
  size_t end = limit;
  while (end > 0 && (static_cast<uint8_t>(text[end]) & 0xc0) == 0x80) --end;
  text.resize(end);
  return text;
}

// The escaped form is never shorter than the raw one, so nothing is lost by cutting first.
std::string OneLine(absl::string_view text, size_t limit) {
  return Cut(EscapeForTerminal(text.substr(0, limit)), limit);
}

absl::Status NoEntry(absl::string_view why) {
  return absl::DataLossError(absl::StrCat("not a spooled crash: ", why));
}

}  // namespace

std::string EncodeHead(const EntryHead& head) {
  std::string out(kMagic);
  PutInteger(&out, head.footer_at, 8);
  PutInteger(&out, head.footer_size, 4);
  PutInteger(&out, head.footer_crc, 4);
  PutInteger(&out, 0, 4);
  PutInteger(&out, Crc32c(BytesOf(out)), 4);
  return out;
}

absl::StatusOr<EntryHead> DecodeHead(ByteView bytes) {
  if (bytes.size() != kEntryHeadBytes) return NoEntry("cut short");
  ByteReader reader(bytes);
  if (TextOf(reader.Bytes(kMagic.size())) != kMagic) return NoEntry("no mark of ours");
  EntryHead head{.footer_at = reader.U64(), .footer_size = reader.U32(), .footer_crc = reader.U32()};
  if (reader.U32() != 0 || reader.U32() != Crc32c(bytes.first(kEntryHeadBytes - 4)))
    return NoEntry("its head is damaged");
  if (head.footer_at < kEntryHeadBytes || head.footer_at > (uint64_t{1} << 62))
    return NoEntry("its footer lies nowhere");
  if (head.footer_size > kMaxFooterBytes) return NoEntry("its footer is too large");
  return head;
}

std::string EncodeTable(absl::Span<const ChunkRow> rows) {
  std::string out;
  out.reserve(TableBytes(rows.size()));
  for (const ChunkRow& row : rows) {
    PutInteger(&out, static_cast<uint8_t>(row.encoding), 1);
    PutInteger(&out, row.stored, 4);
    out.append(TextOf(row.sha256).data(), row.sha256.size());
  }
  PutInteger(&out, Crc32c(BytesOf(out)), 4);
  return out;
}

absl::StatusOr<std::vector<ChunkRow>> DecodeTable(ByteView bytes) {
  if (bytes.size() < 4 || (bytes.size() - 4) % kRowBytes != 0) return NoEntry("a table of broken rows");
  const ByteView body = bytes.first(bytes.size() - 4);
  if (LoadInteger(bytes.last(4), 4, Endian::kLittle) != Crc32c(body)) return NoEntry("a table is damaged");
  ByteReader reader(body);
  std::vector<ChunkRow> rows(body.size() / kRowBytes);
  for (ChunkRow& row : rows) {
    const uint8_t encoding = reader.U8();
    if (encoding > static_cast<uint8_t>(ChunkEncoding::kZstd)) return NoEntry("an unknown encoding");
    row.encoding = static_cast<ChunkEncoding>(encoding);
    row.stored = reader.U32();
    if (row.stored == 0 || row.stored > kChunkBytes) return NoEntry("a chunk of an impossible size");
    const ByteView digest = reader.Bytes(row.sha256.size());
    std::copy(digest.begin(), digest.end(), row.sha256.begin());
  }
  return rows;
}

uint64_t EntryFooter::chunks() const {
  uint64_t count = 0;
  for (const ManifestRegion& region : manifest.regions) count += ChunkCount(region.size);
  return count;
}

std::string EncodeFooter(const EntryFooter& footer) {
  std::string out;
  const std::string manifest = Encode(footer.manifest);
  PutInteger(&out, manifest.size(), 4);
  out.append(manifest);
  PutText(&out, footer.tags.device.value());
  PutText(&out, footer.tags.boot_id);
  PutText(&out, footer.tags.note);
  PutClues(&out, footer.tags.clues);
  PutInteger(&out, footer.put_at, 8);
  PutInteger(&out, footer.tables.size(), 4);
  for (const uint64_t table : footer.tables) PutInteger(&out, table, 8);
  return out;
}

absl::StatusOr<EntryFooter> DecodeFooter(ByteView bytes) {
  ByteReader reader(bytes);
  const uint32_t manifest_size = reader.U32();
  EntryFooter footer;
  ASSIGN_OR_RETURN(footer.manifest, DecodeManifest(reader.Bytes(manifest_size)));
  footer.tags.device = DeviceId(GetText(&reader, 128));
  footer.tags.boot_id = GetText(&reader, kMaxBootIdBytes);
  footer.tags.note = GetText(&reader, kMaxNoteBytes);
  footer.tags.clues = GetClues(&reader);
  footer.put_at = reader.U64();
  const uint32_t tables = reader.U32();
  const uint64_t chunks = footer.chunks();
  if (!reader.ok()) return NoEntry("its footer is cut short");
  if (chunks > kMaxChunks || tables != (chunks + kRowsPerTable - 1) / kRowsPerTable)
    return NoEntry("a number of tables that does not fit its regions");
  if (reader.remaining() != uint64_t{tables} * 8) return NoEntry("a footer of another size");
  for (uint32_t i = 0; i < tables; ++i) footer.tables.push_back(reader.U64());
  footer.tags = CleanTags(footer.tags);
  return footer;
}

std::string EncodeState(const EntryState& state) {
  std::string body;
  PutInteger(&body, (state.clues_tried ? 1 : 0) | (state.rest_only ? 2 : 0), 1);
  PutInteger(&body, state.wait_until, 8);
  PutClues(&body, state.clues);
  std::string out(kStateMagic);
  PutInteger(&out, body.size(), 4);
  out.append(body);
  PutInteger(&out, Crc32c(BytesOf(out)), 4);
  return out;
}

namespace {

struct FoundState {
  EntryState state;
  size_t bytes = 0;
};

std::optional<FoundState> FirstState(ByteView bytes) {
  ByteReader reader(bytes);
  if (TextOf(reader.Bytes(kStateMagic.size())) != kStateMagic) return std::nullopt;
  const uint32_t size = reader.U32();
  if (!reader.ok() || size > kMaxStateRecord) return std::nullopt;
  ByteReader body(reader.Bytes(size));
  const size_t guarded = reader.offset();
  const uint32_t crc = reader.U32();
  if (!reader.ok() || crc != Crc32c(bytes.first(guarded))) return std::nullopt;
  const uint8_t flags = body.U8();
  FoundState found{.state = {.clues_tried = (flags & 1) != 0, .rest_only = (flags & 2) != 0}};
  found.state.wait_until = body.U64();
  found.state.clues = CleanClues(GetClues(&body));
  if (!body.ok() || body.remaining() != 0) return std::nullopt;
  found.bytes = reader.offset();
  return found;
}

}  // namespace

bool DecodeLastState(ByteView bytes, EntryState* state, uint64_t* used) {
  *used = 0;
  // Every round takes at least the bytes of a mark.
  while (const std::optional<FoundState> found = FirstState(bytes.subspan(*used))) {
    *state = found->state;
    *used += found->bytes;
  }
  return *used > 0;
}

CrashClues CleanClues(const CrashClues& clues) {
  CrashClues clean = clues;
  for (std::string* text :
       {&clean.build_id, &clean.kernel_release, &clean.panic, &clean.os_version, &clean.source}) {
    *text = OneLine(*text, kMaxClueBytes);
  }
  const absl::Time last = absl::FromUnixSeconds(kLastSecond);
  if (clean.captured_at && (*clean.captured_at < absl::UnixEpoch() || *clean.captured_at > last))
    clean.captured_at.reset();
  return clean;
}

SpoolTags CleanTags(const SpoolTags& tags) {
  SpoolTags clean{.clues = CleanClues(tags.clues), .boot_id = OneLine(tags.boot_id, kMaxBootIdBytes)};
  if (const auto device = ParseDeviceId(tags.device.value()); device.ok()) clean.device = *device;
  clean.note = Cut(Utf8OrHex(absl::string_view(tags.note).substr(0, kMaxNoteBytes)), kMaxNoteBytes);
  return clean;
}

}  // namespace corefleet
