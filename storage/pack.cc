#include "storage/pack.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/bytes/byte_reader.h"

namespace corefleet {
namespace {

constexpr absl::string_view kMagic = "CFPACK\x01\n";
constexpr size_t kEntryBytes = 4 + 8 + 1 + 4 + 4 + 4 + 32;
constexpr size_t kCrcBytes = 4;

void PutInteger(std::string* out, uint64_t value, size_t width) {
  for (size_t i = 0; i < width; ++i) out->push_back(static_cast<char>(value >> (8 * i)));
}

void PutEntry(std::string* out, const PackEntry& entry) {
  PutInteger(out, entry.region, 4);
  PutInteger(out, entry.chunk, 8);
  PutInteger(out, static_cast<uint8_t>(entry.encoding), 1);
  PutInteger(out, entry.raw_size, 4);
  PutInteger(out, entry.stored_size, 4);
  PutInteger(out, entry.offset, 4);
  out->append(reinterpret_cast<const char*>(entry.digest.data()), entry.digest.size());
}

PackEntry GetEntry(ByteReader* reader) {
  PackEntry entry;
  entry.region = reader->U32();
  entry.chunk = reader->U64();
  entry.encoding = static_cast<ChunkEncoding>(reader->U8());
  entry.raw_size = reader->U32();
  entry.stored_size = reader->U32();
  entry.offset = reader->U32();
  const ByteView digest = reader->Bytes(entry.digest.size());
  std::copy(digest.begin(), digest.end(), entry.digest.begin());
  return entry;
}

size_t IndexBytes(size_t session_bytes, size_t entries) {
  return kMagic.size() + 1 + session_bytes + 4 + entries * kEntryBytes + kCrcBytes;
}

absl::Status CheckEntry(const PackEntry& entry, size_t index_bytes, uint64_t pack_size) {
  if (entry.encoding != ChunkEncoding::kRaw && entry.encoding != ChunkEncoding::kZstd) {
    return absl::DataLossError(
        absl::StrCat("a pack entry of unknown encoding ", static_cast<int>(entry.encoding)));
  }
  if (entry.raw_size == 0 || entry.raw_size > kChunkBytes) {
    return absl::DataLossError(absl::StrCat("a pack entry of ", entry.raw_size, " bytes"));
  }
  if (entry.offset < index_bytes || uint64_t{entry.offset} + entry.stored_size > pack_size) {
    return absl::DataLossError(absl::StrCat("a pack entry at ", entry.offset, ", ", entry.stored_size,
                                            " bytes, outside a pack of ", pack_size));
  }
  return absl::OkStatus();
}

// Reads an index from the front of `bytes` and says in `size` how long it was.
absl::StatusOr<PackIndex> ParseIndex(ByteView bytes, uint64_t pack_size, size_t* size) {
  ByteReader reader(bytes);
  if (TextOf(reader.Bytes(kMagic.size())) != kMagic) return absl::DataLossError("not a pack index");
  PackIndex index;
  index.session = std::string(TextOf(reader.Bytes(reader.U8())));
  const uint32_t count = reader.U32();
  if (!reader.ok() || count > reader.remaining() / kEntryBytes) {
    return absl::DataLossError("a pack index is cut short");
  }
  *size = IndexBytes(index.session.size(), count);
  index.entries.reserve(count);
  for (uint32_t i = 0; i < count; ++i) {
    index.entries.push_back(GetEntry(&reader));
    if (absl::Status status = CheckEntry(index.entries.back(), *size, pack_size); !status.ok()) return status;
  }
  const uint32_t sum = Crc32c(bytes.subspan(0, reader.offset()));
  if (reader.U32() != sum || !reader.ok()) return absl::DataLossError("a pack index fails its checksum");
  return index;
}

}  // namespace

std::vector<ByteView> PackInPieces::pieces() const {
  std::vector<ByteView> pieces = {BytesOf(index)};
  pieces.reserve(1 + chunks.size());
  for (const std::string& chunk : chunks) pieces.push_back(BytesOf(chunk));
  return pieces;
}

void PackBuilder::Add(PackEntry entry, std::string stored) {
  entry.stored_size = static_cast<uint32_t>(stored.size());
  entry.offset =
      static_cast<uint32_t>(stored_bytes_);  // from the first chunk until the index's size is known
  stored_bytes_ += stored.size();
  entries_.push_back(entry);
  chunks_.push_back(std::move(stored));
}

PackInPieces PackBuilder::BuildInPieces(absl::string_view session) {
  session = session.substr(0, 255);
  const size_t index_bytes = IndexBytes(session.size(), entries_.size());
  for (PackEntry& entry : entries_) entry.offset += static_cast<uint32_t>(index_bytes);
  PackInPieces pack{.entries = std::exchange(entries_, {}), .chunks = std::exchange(chunks_, {})};
  pack.index = EncodePackIndex(session, pack.entries);
  stored_bytes_ = 0;
  return pack;
}

Pack PackBuilder::Build(absl::string_view session) {
  PackInPieces in_pieces = BuildInPieces(session);
  Pack pack{.bytes = std::move(in_pieces.index)};
  for (const std::string& chunk : in_pieces.chunks) pack.bytes += chunk;
  pack.entries = std::move(in_pieces.entries);
  return pack;
}

std::string EncodePackIndex(absl::string_view session, const std::vector<PackEntry>& entries) {
  session = session.substr(0, 255);
  std::string out;
  out.reserve(IndexBytes(session.size(), entries.size()));
  out.append(kMagic.data(), kMagic.size());
  PutInteger(&out, session.size(), 1);
  out.append(session.data(), session.size());
  PutInteger(&out, entries.size(), 4);
  for (const PackEntry& entry : entries) PutEntry(&out, entry);
  PutInteger(&out, Crc32c(BytesOf(out)), kCrcBytes);
  return out;
}

absl::StatusOr<std::vector<PackEntry>> DecodePackIndex(ByteView bytes, uint64_t pack_size) {
  size_t size = 0;
  absl::StatusOr<PackIndex> index = ParseIndex(bytes, pack_size, &size);
  if (!index.ok()) return index.status();
  if (size != bytes.size()) return absl::DataLossError("bytes behind a pack index");
  return std::move(index->entries);
}

absl::StatusOr<PackIndex> ReadPackIndex(ByteView pack) {
  size_t size = 0;
  return ParseIndex(pack, pack.size(), &size);
}

}  // namespace corefleet
