#include "collector/spool/entry_file.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "core/digest/chunk.h"

namespace corefleet {
namespace {

constexpr size_t kBufferBytes = 256 << 10;

absl::Status Damaged(absl::string_view why) {
  return absl::DataLossError(absl::StrCat("the spooled crash is damaged: ", why));
}

absl::StatusOr<std::vector<uint8_t>> ReadAll(const SpoolBytes& file, uint64_t offset, uint64_t size) {
  std::vector<uint8_t> bytes(size);
  RETURN_IF_ERROR(file.ReadAt(offset, absl::MakeSpan(bytes)));
  return bytes;
}

}  // namespace

EntryWriter::EntryWriter(SpoolFile* file, Manifest manifest)
    : file_(file),
      footer_{.manifest = std::move(manifest)},
      manifest_bytes_(Encode(footer_.manifest).size()),
      buffer_(kEntryHeadBytes, '\0') {
  rows_.reserve(std::min(footer_.chunks(), kRowsPerTable));
  chunks_left_ = ChunkCount(footer_.manifest.regions[0].size);
  CloseRegions();
}

void EntryWriter::CloseRegions() {
  std::vector<ManifestRegion>& regions = footer_.manifest.regions;
  while (region_ < regions.size() && chunks_left_ == 0) {
    regions[region_].root = std::exchange(root_, RegionRoot()).Finish();
    ++region_;
    if (region_ < regions.size()) chunks_left_ = ChunkCount(regions[region_].size);
  }
}

absl::Status EntryWriter::Add(const Sha256Digest& digest, const EncodedChunk& chunk) {
  if (region_ == footer_.manifest.regions.size()) return absl::InternalError("more chunks than regions have");
  RETURN_IF_ERROR(Write(chunk.bytes));
  rows_.push_back(
      {.encoding = chunk.encoding, .stored = static_cast<uint32_t>(chunk.bytes.size()), .sha256 = digest});
  root_.AddChunk(digest);
  --chunks_left_;
  CloseRegions();
  return rows_.size() == kRowsPerTable ? WriteTable() : absl::OkStatus();
}

uint64_t EntryWriter::finish_bytes() const {
  // Texts have limits; the manifest is what it is.
  constexpr uint64_t kMaxTagBytes = 4096;
  return TableBytes(rows_.size()) + manifest_bytes_ + kMaxTagBytes + 8 * (footer_.tables.size() + 1);
}

absl::Status EntryWriter::WriteTable() {
  footer_.tables.push_back(bytes());
  const std::string table = EncodeTable(rows_);
  rows_.clear();
  return Write(table);
}

absl::Status EntryWriter::Finish(const SpoolTags& tags, uint64_t put_at) {
  if (region_ != footer_.manifest.regions.size()) return absl::InternalError("chunks are missing");
  if (!rows_.empty()) RETURN_IF_ERROR(WriteTable());
  footer_.tags = CleanTags(tags);
  footer_.put_at = put_at;
  const std::string footer = EncodeFooter(footer_);
  if (footer.size() > kMaxFooterBytes) return absl::OutOfRangeError("larger than an entry's footer can say");
  const EntryHead head{.footer_at = bytes(),
                       .footer_size = static_cast<uint32_t>(footer.size()),
                       .footer_crc = Crc32c(BytesOf(footer))};
  RETURN_IF_ERROR(Write(footer));
  RETURN_IF_ERROR(Flush());
  RETURN_IF_ERROR(file_->WriteAt(0, BytesOf(EncodeHead(head))));
  return file_->Sync();
}

absl::Status EntryWriter::Write(absl::string_view bytes) {
  if (buffer_.size() + bytes.size() > kBufferBytes) RETURN_IF_ERROR(Flush());
  absl::StrAppend(&buffer_, bytes);
  return absl::OkStatus();
}

absl::Status EntryWriter::Flush() {
  if (buffer_.empty()) return absl::OkStatus();
  RETURN_IF_ERROR(file_->WriteAt(written_, BytesOf(buffer_)));
  written_ += buffer_.size();
  buffer_.clear();
  return absl::OkStatus();
}

absl::StatusOr<ParsedEntry> ParseEntry(const SpoolBytes& file) {
  if (file.size() < kEntryHeadBytes) return Damaged("cut short");
  ASSIGN_OR_RETURN(const std::vector<uint8_t> head_bytes, ReadAll(file, 0, kEntryHeadBytes));
  ASSIGN_OR_RETURN(const EntryHead head, DecodeHead(head_bytes));
  ParsedEntry entry{.footer_end = head.footer_at + head.footer_size};
  if (entry.footer_end > file.size()) return Damaged("cut short");
  {
    ASSIGN_OR_RETURN(const std::vector<uint8_t> footer, ReadAll(file, head.footer_at, head.footer_size));
    if (Crc32c(footer) != head.footer_crc) return Damaged("its footer");
    ASSIGN_OR_RETURN(entry.footer, DecodeFooter(footer));
  }
  for (const uint64_t table : entry.footer.tables) {
    if (table < kEntryHeadBytes || table >= head.footer_at) return Damaged("a table lies nowhere");
  }
  entry.state.clues = entry.footer.tags.clues;
  const uint64_t tail = std::min(file.size() - entry.footer_end, kMaxStateBytes);
  ASSIGN_OR_RETURN(const std::vector<uint8_t> states, ReadAll(file, entry.footer_end, tail));
  uint64_t used = 0;
  DecodeLastState(states, &entry.state, &used);
  entry.state_end = entry.footer_end + used;
  return entry;
}

SpooledCrash::SpooledCrash(std::unique_ptr<SpoolBytes> file, ParsedEntry entry, std::shared_ptr<void> lease)
    : file_(std::move(file)), entry_(std::move(entry)), clues_(entry_.state.clues), lease_(std::move(lease)) {
  for (const ManifestRegion& region : entry_.footer.manifest.regions) {
    first_chunk_.push_back(chunks_);
    chunks_ += ChunkCount(region.size);
  }
}

absl::Status SpooledCrash::LoadTable(uint64_t table) {
  if (table == loaded_) return absl::OkStatus();
  const std::vector<uint64_t>& tables = entry_.footer.tables;
  const uint64_t count = std::min(kRowsPerTable, chunks_ - table * kRowsPerTable);
  ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes, ReadAll(*file_, tables[table], TableBytes(count)));
  loaded_ = UINT64_MAX;
  ASSIGN_OR_RETURN(rows_, DecodeTable(bytes));
  const uint64_t start = table == 0 ? kEntryHeadBytes : tables[table - 1] + TableBytes(kRowsPerTable);
  uint64_t offset = start;
  offsets_.clear();
  for (const ChunkRow& row : rows_) {
    offsets_.push_back(offset);
    offset += row.stored;
  }
  // The chunks fill what lies between two tables, so that no byte belongs to two chunks or to none.
  if (offset != tables[table]) return Damaged("chunks and their table do not fit together");
  loaded_ = table;
  return absl::OkStatus();
}

absl::StatusOr<SpooledCrash::Placed> SpooledCrash::Find(uint32_t region, uint64_t chunk) {
  const std::vector<ManifestRegion>& regions = entry_.footer.manifest.regions;
  if (region >= regions.size() || chunk >= ChunkCount(regions[region].size)) {
    return absl::OutOfRangeError(absl::StrCat("there is no chunk ", chunk, " of region ", region));
  }
  const uint64_t place = first_chunk_[region] + chunk;
  RETURN_IF_ERROR(LoadTable(place / kRowsPerTable));
  const size_t row = place % kRowsPerTable;
  return Placed{rows_[row], offsets_[row], ChunkSize(regions[region].size, chunk)};
}

absl::StatusOr<OutgoingChunk> SpooledCrash::Take(uint32_t region, uint64_t chunk, std::vector<uint8_t>* raw) {
  ASSIGN_OR_RETURN(const Placed placed, Find(region, chunk));
  OutgoingChunk out{.region = region, .chunk = chunk, .raw_size = placed.raw_size};
  out.sha256 = placed.row.sha256;
  out.encoded.encoding = placed.row.encoding;
  out.encoded.bytes.resize(placed.row.stored);
  RETURN_IF_ERROR(file_->ReadAt(
      placed.offset, {reinterpret_cast<uint8_t*>(out.encoded.bytes.data()), out.encoded.bytes.size()}));
  ASSIGN_OR_RETURN(*raw,
                   DecodeChunk(out.encoded.encoding, BytesOf(out.encoded.bytes), out.raw_size, out.sha256));
  return out;
}

absl::StatusOr<OutgoingChunk> SpooledCrash::Read(uint32_t region, uint64_t chunk) {
  std::vector<uint8_t> raw;
  return Take(region, chunk, &raw);
}

absl::StatusOr<std::vector<uint8_t>> SpooledCrash::ReadRaw(uint32_t region, uint64_t chunk) {
  std::vector<uint8_t> raw;
  ASSIGN_OR_RETURN(const OutgoingChunk out, Take(region, chunk, &raw));
  return raw;
}

}  // namespace corefleet
