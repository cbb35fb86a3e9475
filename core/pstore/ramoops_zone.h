#ifndef COREFLEET_CORE_PSTORE_RAMOOPS_ZONE_H_
#define COREFLEET_CORE_PSTORE_RAMOOPS_ZONE_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "core/bytes/byte_view.h"

namespace corefleet {

// Layout of a zone: signature, start and size of the ring (u32 each), ring, parity of its blocks, parity of
// the header. Source: docs/formats/pstore.md.
inline constexpr uint32_t kRamoopsSignature = 0x43474244;
inline constexpr size_t kRamoopsHeaderBytes = 12;
inline constexpr size_t kRamoopsBlockBytes = 128;
// Zones begin at pages.
inline constexpr size_t kRamoopsZoneAlignment = 4096;

// What is mixed into a zone's signature: 0, or the LINUX_VERSION_CODE of the kernel that traced into it.
// Nothing when `first_word` is no signature.
std::optional<uint32_t> ZoneValueOf(uint32_t first_word);
// "6.1.170"
std::string VersionWords(uint32_t version_code);

// The ring of a zone with this much room and `parity` bytes for each block; 0 when nothing is left.
size_t RingCapacity(size_t zone_bytes, size_t parity);
// Parity blocks of a zone's ring.
size_t ParityBlocks(size_t zone_bytes, size_t parity);

struct RamoopsZone {
  uint32_t value = 0;        // ZoneValueOf its signature
  std::string content;       // chronological; what was lost in the ring is before its first byte
  bool header_sound = true;  // false: start and size cannot be, and `content` is all that stands there
  size_t parity = 0;         // bytes for each block; 0: no error correction
  uint32_t corrected_bytes = 0;
  uint32_t unrecoverable_blocks = 0;
};

// Reads a zone. `bytes` begins with its header and may be longer than it: how long zones are is in the device
// tree only, so an error correction is looked for at the end of every power of two. Nothing when there is no
// signature. Total.
std::optional<RamoopsZone> ReadRamoopsZone(ByteView bytes);

}  // namespace corefleet

#endif  // COREFLEET_CORE_PSTORE_RAMOOPS_ZONE_H_
