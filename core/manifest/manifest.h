#ifndef COREFLEET_CORE_MANIFEST_MANIFEST_H_
#define COREFLEET_CORE_MANIFEST_MANIFEST_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/bytes/byte_view.h"
#include "core/crash/ids.h"
#include "core/crash/region_set.h"
#include "core/digest/digest.h"

namespace corefleet {

// What a region set consists of, without its bytes: what a device announces before it sends them, and what
// the server holds it to. Fields as in Region.
struct ManifestRegion {
  RegionKind kind = RegionKind::kMemory;
  std::string file_name;
  std::string name;
  std::optional<uint32_t> id;
  std::optional<uint64_t> paddr;
  std::optional<uint64_t> table_size;
  uint64_t size = 0;    // bytes
  Sha256Digest root{};  // RegionRoot over its chunks

  friend bool operator==(const ManifestRegion&, const ManifestRegion&) = default;
};

// A region is named, in a session and in storage, by its index here.
struct Manifest {
  std::vector<ManifestRegion> regions;

  friend bool operator==(const Manifest&, const Manifest&) = default;
};

// Limits that both ends know. What exceeds them is refused before a byte of it travels.
inline constexpr size_t kMaxNameBytes = 255;
inline constexpr uint64_t kMaxRegionBytes = uint64_t{1} << 40;

// Total bytes of all regions. Call it on a valid manifest only.
uint64_t RawBytes(const Manifest& manifest);

// INVALID_ARGUMENT, naming the region and the rule, for: no regions, more than kMaxRegions, a name over
// kMaxNameBytes, a size over kMaxRegionBytes, a kind that is none.
absl::Status Validate(const Manifest& manifest);

// Sorts the regions into the canonical order (kind, name, id, file name, size, root), so that the order in
// which files were found cannot make two crashes of one.
void Canonicalize(Manifest* manifest);

// The stored form (docs/formats/manifest.md), and back.
//   Decode: DATA_LOSS if `bytes` is not exactly one valid encoded manifest.
std::string Encode(const Manifest& manifest);
absl::StatusOr<Manifest> DecodeManifest(ByteView bytes);

// The identity of the crash: SHA-256, in hex, of the canonical manifest's stored form. The same regions give
// the same identity on every machine, in any order.
CrashUid UidOf(Manifest manifest);

// Reads every region of `set` once and announces it, in the set's order. Codes: ByteSource::ReadAt's.
absl::StatusOr<Manifest> MakeManifest(const RegionSet& set);

}  // namespace corefleet

#endif  // COREFLEET_CORE_MANIFEST_MANIFEST_H_
