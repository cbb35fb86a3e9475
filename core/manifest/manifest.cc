#include "core/manifest/manifest.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "core/bytes/byte_reader.h"

namespace corefleet {
namespace {

constexpr absl::string_view kMagic = "CFMANI\x01\n";
constexpr uint8_t kHasId = 1;
constexpr uint8_t kHasPaddr = 2;
constexpr uint8_t kHasTableSize = 4;

void PutInteger(std::string* out, uint64_t value, size_t width) {
  for (size_t i = 0; i < width; ++i) out->push_back(static_cast<char>(value >> (8 * i)));
}

void PutText(std::string* out, const std::string& text) {
  PutInteger(out, text.size(), 2);
  out->append(text);
}

void PutRegion(std::string* out, const ManifestRegion& region) {
  const uint8_t has =
      (region.id ? kHasId : 0) | (region.paddr ? kHasPaddr : 0) | (region.table_size ? kHasTableSize : 0);
  PutInteger(out, static_cast<uint8_t>(region.kind), 1);
  PutInteger(out, has, 1);
  PutText(out, region.file_name);
  PutText(out, region.name);
  if (region.id) PutInteger(out, *region.id, 4);
  if (region.paddr) PutInteger(out, *region.paddr, 8);
  if (region.table_size) PutInteger(out, *region.table_size, 8);
  PutInteger(out, region.size, 8);
  out->append(reinterpret_cast<const char*>(region.root.data()), region.root.size());
}

std::string GetText(ByteReader* reader) {
  const uint16_t size = reader->U16();
  return std::string(TextOf(reader->Bytes(size)));
}

ManifestRegion GetRegion(ByteReader* reader) {
  ManifestRegion region;
  region.kind = static_cast<RegionKind>(reader->U8());
  const uint8_t has = reader->U8();
  region.file_name = GetText(reader);
  region.name = GetText(reader);
  if (has & kHasId) region.id = reader->U32();
  if (has & kHasPaddr) region.paddr = reader->U64();
  if (has & kHasTableSize) region.table_size = reader->U64();
  region.size = reader->U64();
  const ByteView root = reader->Bytes(region.root.size());
  std::copy(root.begin(), root.end(), region.root.begin());
  return region;
}

absl::Status ValidateRegion(const ManifestRegion& region, size_t index) {
  if (region.kind < RegionKind::kMemory || region.kind > RegionKind::kArtifact) {
    return absl::InvalidArgumentError(
        absl::StrCat("region ", index, ": unknown kind ", static_cast<int>(region.kind)));
  }
  if (region.file_name.size() > kMaxNameBytes || region.name.size() > kMaxNameBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("region ", index, ": a name is longer than ", kMaxNameBytes,
                     " bytes: ", absl::CHexEscape(region.file_name.substr(0, 40))));
  }
  if (region.size > kMaxRegionBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("region ", index, ": ", region.size, " bytes are more than ", kMaxRegionBytes));
  }
  return absl::OkStatus();
}

auto CanonicalKey(const ManifestRegion& region) {
  return std::tie(region.kind, region.name, region.id, region.file_name, region.size, region.root,
                  region.paddr, region.table_size);
}

absl::StatusOr<Sha256Digest> RootOf(const ByteSource& source) {
  RegionRoot root;
  for (uint64_t chunk = 0; chunk < ChunkCount(source.size()); ++chunk) {
    ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes,
                     ReadBytes(source, chunk * kChunkBytes, ChunkSize(source.size(), chunk)));
    root.AddChunk(Sha256Of(ByteView(bytes)));
  }
  return root.Finish();
}

}  // namespace

uint64_t RawBytes(const Manifest& manifest) {
  uint64_t total = 0;
  for (const ManifestRegion& region : manifest.regions) total += region.size;
  return total;
}

absl::Status Validate(const Manifest& manifest) {
  if (manifest.regions.empty()) return absl::InvalidArgumentError("a crash has at least one region");
  if (manifest.regions.size() > kMaxRegions) {
    return absl::InvalidArgumentError(
        absl::StrCat(manifest.regions.size(), " regions are more than ", kMaxRegions));
  }
  for (size_t i = 0; i < manifest.regions.size(); ++i)
    RETURN_IF_ERROR(ValidateRegion(manifest.regions[i], i));
  return absl::OkStatus();
}

void Canonicalize(Manifest* manifest) {
  std::sort(
      manifest->regions.begin(), manifest->regions.end(),
      [](const ManifestRegion& a, const ManifestRegion& b) { return CanonicalKey(a) < CanonicalKey(b); });
}

std::string Encode(const Manifest& manifest) {
  std::string out(kMagic);
  PutInteger(&out, manifest.regions.size(), 4);
  for (const ManifestRegion& region : manifest.regions) PutRegion(&out, region);
  return out;
}

absl::StatusOr<Manifest> DecodeManifest(ByteView bytes) {
  ByteReader reader(bytes);
  if (TextOf(reader.Bytes(kMagic.size())) != kMagic) return absl::DataLossError("not a manifest");
  const uint32_t count = reader.U32();
  if (count > kMaxRegions) return absl::DataLossError(absl::StrCat("a manifest of ", count, " regions"));
  Manifest manifest;
  for (uint32_t i = 0; i < count && reader.ok(); ++i) manifest.regions.push_back(GetRegion(&reader));
  if (!reader.ok())
    return absl::DataLossError(absl::StrCat("manifest cut short ", reader.status().message()));
  if (reader.remaining() != 0) return absl::DataLossError("bytes behind a manifest");
  if (absl::Status status = Validate(manifest); !status.ok()) return absl::DataLossError(status.message());
  // One crash must not have two stored forms: unknown flags, say.
  if (BytesOf(Encode(manifest)) != bytes) return absl::DataLossError("a manifest in another form than ours");
  return manifest;
}

CrashUid UidOf(Manifest manifest) {
  Canonicalize(&manifest);
  return CrashUid(HexOf(Sha256Of(BytesOf(Encode(manifest)))));
}

absl::StatusOr<Manifest> MakeManifest(const RegionSet& set) {
  Manifest manifest;
  for (const Region& region : set.regions) {
    ManifestRegion announced{.kind = region.kind,
                             .file_name = region.file_name,
                             .name = region.name,
                             .id = region.id,
                             .paddr = region.paddr,
                             .table_size = region.table_size,
                             .size = region.bytes->size()};
    ASSIGN_OR_RETURN(announced.root, RootOf(*region.bytes));
    manifest.regions.push_back(std::move(announced));
  }
  return manifest;
}

}  // namespace corefleet
