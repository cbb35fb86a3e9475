#include "tests/bench/load/crash_body.h"

#include <algorithm>
#include <array>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/digest/chunk.h"
#include "core/digest/digest.h"

namespace corefleet {
namespace {

constexpr char kStampName[] = "md_Kstamp57.BIN";
constexpr size_t kStampBytes = 8;

std::string Text(const Sha256Digest& digest) { return std::string(TextOf(digest)); }

v1::Chunk MakeChunk(uint32_t region, uint64_t number, absl::string_view raw, const Sha256Digest& digest,
                    BodyEncoding encoding) {
  EncodedChunk encoded{ChunkEncoding::kRaw, std::string(raw)};
  if (encoding == BodyEncoding::kZstd) encoded = EncodeChunk(BytesOf(raw));
  v1::Chunk chunk;
  chunk.set_region(region);
  chunk.set_chunk(number);
  chunk.set_encoding(static_cast<v1::Chunk::Encoding>(encoded.encoding));
  chunk.set_raw_size(static_cast<uint32_t>(raw.size()));
  chunk.set_crc32c(Crc32c(BytesOf(encoded.bytes)));
  chunk.set_sha256(Text(digest));
  chunk.set_payload(std::move(encoded.bytes));
  return chunk;
}

std::string AsField(const v1::Chunk& chunk) {
  v1::PutChunksRequest message;
  *message.add_chunks() = chunk;
  return message.SerializeAsString();
}

// "md_Kprb_info24.BIN" is region 24, Kprb_info.
void Name(const std::string& file_name, v1::ManifestRegion* region) {
  region->set_kind(v1::MEMORY);
  region->set_file_name(file_name);
  if (!absl::StartsWith(file_name, "md_") || !absl::EndsWith(file_name, ".BIN")) return;
  std::string name = file_name.substr(3, file_name.size() - 7);
  const size_t digits = name.find_last_not_of("0123456789") + 1;
  if (digits < name.size() && name.size() - digits <= 3) {
    region->set_id(static_cast<uint32_t>(std::stoi(name.substr(digits))));
    name.resize(digits);
  }
  region->set_name(name);
}

std::string StampBytes(uint64_t number) {
  std::string bytes(kStampBytes, '\0');
  for (size_t i = 0; i < kStampBytes; ++i) bytes[i] = static_cast<char>(number >> 8 * i);
  return bytes;
}

}  // namespace

CrashBody::CrashBody(const RegionFiles& files, BodyEncoding encoding, bool keep_raw) {
  for (const auto& [name, bytes] : files) AddRegion(name, bytes, encoding);
  v1::ManifestRegion* stamp = announcement_.add_regions();
  Name(kStampName, stamp);
  stamp->set_size(kStampBytes);
  first_field_.push_back(fields_.size());
  raw_bytes_ += kStampBytes;
  if (!keep_raw) return;
  for (const auto& file : files) raw_ += file.second;
  raw_ += StampBytes(0);
  raw_sha256_ = HexOf(Sha256Of(BytesOf(raw_)));
}

void CrashBody::AddRegion(const std::string& name, const std::string& bytes, BodyEncoding encoding) {
  const auto index = static_cast<uint32_t>(announcement_.regions_size());
  v1::ManifestRegion* region = announcement_.add_regions();
  Name(name, region);
  region->set_size(bytes.size());
  first_field_.push_back(fields_.size());
  RegionRoot root;
  for (uint64_t chunk = 0; chunk < ChunkCount(bytes.size()); ++chunk) {
    const absl::string_view raw =
        absl::string_view(bytes).substr(chunk * kChunkBytes, ChunkSize(bytes.size(), chunk));
    const Sha256Digest digest = Sha256Of(BytesOf(raw));
    root.AddChunk(digest);
    const std::string field = AsField(MakeChunk(index, chunk, raw, digest, encoding));
    fields_.push_back(
        {index, chunk, static_cast<uint32_t>(raw.size()), wire_.size(), static_cast<uint32_t>(field.size())});
    wire_ += field;
  }
  region->set_root(Text(root.Finish()));
  raw_bytes_ += bytes.size();
}

StampedCrash::StampedCrash(const CrashBody* from, uint64_t number)
    : body(from), announcement(from->announcement()) {
  const std::string bytes = StampBytes(number);
  const Sha256Digest digest = Sha256Of(BytesOf(bytes));
  RegionRoot root;
  root.AddChunk(digest);
  announcement.mutable_regions(static_cast<int>(body->stamp_region()))->set_root(Text(root.Finish()));
  stamp_field = AsField(MakeChunk(body->stamp_region(), 0, bytes, digest, BodyEncoding::kRaw));
}

std::string StampedCrash::Content() const {
  std::vector<std::string> lines;
  for (const v1::ManifestRegion& region : announcement.regions()) {
    lines.push_back(ContentLine(region.file_name(), region.size(), region.root()));
  }
  return ContentOf(std::move(lines));
}

std::string ContentLine(absl::string_view file_name, uint64_t size, absl::string_view root) {
  return absl::StrCat(file_name, " ", size, " ", absl::BytesToHexString(root), "\n");
}

std::string ContentOf(std::vector<std::string> lines) {
  std::sort(lines.begin(), lines.end());
  return HexOf(Sha256Of(BytesOf(absl::StrJoin(lines, ""))));
}

}  // namespace corefleet
