#include "core/pstore/ramoops_zone.h"

#include <algorithm>
#include <array>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/bytes/byte_reader.h"
#include "core/pstore/reed_solomon.h"

namespace corefleet {
namespace {

// LINUX_VERSION_CODE of 3.0.0 to 19.255.255.
constexpr uint32_t kFirstVersion = 3 << 16;
constexpr uint32_t kLastVersion = (20 << 16) - 1;
constexpr size_t kMinZoneBytes = 256;
// ramoops.ecc=1 means 16; anything else is the number of bytes itself.
constexpr size_t kUsualParities[] = {16, 8, 32, 4, 12, 20, 24, 48, 64};
// With fewer bytes than this, damage beyond repair looks like damage that was repaired.
constexpr size_t kMinRepairingParity = 8;

struct Header {
  uint32_t signature = 0, start = 0, size = 0;
};

Header ReadHeader(ByteView bytes) {
  ByteReader reader(bytes);
  Header header;
  header.signature = reader.U32();
  header.start = reader.U32();
  header.size = reader.U32();
  return header;
}

bool Fits(const Header& header, size_t capacity) {
  return header.size <= capacity && header.start <= header.size;
}

// A zone's size and the error correction that it has.
struct Shape {
  size_t zone_bytes = 0;
  size_t parity = 0;
  Header header;
};

// Whether parity of the header stands where it would in a zone of that shape; `shape` gets the header,
// repaired.
bool HasHeaderParity(ByteView bytes, const ReedSolomon& code, bool repair, Shape* shape) {
  const size_t capacity = RingCapacity(shape->zone_bytes, shape->parity);
  if (capacity == 0) return false;
  const ByteView parity = bytes.subspan(shape->zone_bytes - shape->parity, shape->parity);
  std::array<uint8_t, kRamoopsHeaderBytes> header;
  std::copy_n(bytes.begin(), header.size(), header.begin());
  if (!repair) {
    if (ByteView(code.Encode(header)) != parity) return false;
  } else if (shape->parity < kMinRepairingParity || !code.Correct(absl::MakeSpan(header), parity)) {
    return false;
  }
  shape->header = ReadHeader(header);
  return ZoneValueOf(shape->header.signature) && Fits(shape->header, capacity);
}

std::vector<size_t> SizesToTry(size_t available) {
  std::vector<size_t> sizes = {available};
  for (size_t size = kRamoopsZoneAlignment; size < available; size *= 2) sizes.push_back(size);
  return sizes;
}

std::optional<Shape> FindErrorCorrection(ByteView bytes) {
  for (const bool repair : {false, true}) {
    for (const size_t parity : kUsualParities) {
      const ReedSolomon code(parity);
      for (const size_t size : SizesToTry(bytes.size())) {
        Shape shape{.zone_bytes = size, .parity = parity};
        if (HasHeaderParity(bytes, code, repair, &shape)) return shape;
      }
    }
  }
  return std::nullopt;
}

// Only blocks that the ring has reached have parity.
void CorrectRing(ByteView bytes, const Shape& shape, std::vector<uint8_t>* ring, RamoopsZone* zone) {
  const ReedSolomon code(shape.parity);
  const ByteView parities = bytes.subspan(kRamoopsHeaderBytes + ring->size());
  for (size_t block = 0; block * kRamoopsBlockBytes < shape.header.size; ++block) {
    const absl::Span<uint8_t> data =
        absl::MakeSpan(*ring).subspan(block * kRamoopsBlockBytes, kRamoopsBlockBytes);
    const auto wrong = code.Correct(data, parities.subspan(block * shape.parity, shape.parity));
    if (wrong) {
      zone->corrected_bytes += static_cast<uint32_t>(*wrong);
    } else {
      ++zone->unrecoverable_blocks;
    }
  }
}

// All that stands in a ring whose header cannot be believed.
std::string Salvage(absl::string_view ring) {
  const auto empty = [](char c) { return c == '\0' || c == '\xff'; };
  while (!ring.empty() && empty(ring.back())) ring.remove_suffix(1);
  return std::string(ring);
}

}  // namespace

std::optional<uint32_t> ZoneValueOf(uint32_t first_word) {
  const uint32_t value = first_word ^ kRamoopsSignature;
  if (value != 0 && (value < kFirstVersion || value > kLastVersion)) return std::nullopt;
  return value;
}

std::string VersionWords(uint32_t version_code) {
  return absl::StrCat(version_code >> 16, ".", version_code >> 8 & 255, ".", version_code & 255);
}

size_t ParityBlocks(size_t zone_bytes, size_t parity) {
  const size_t room = zone_bytes - std::min(zone_bytes, kRamoopsHeaderBytes + parity);
  return parity == 0 ? 0 : (room + kRamoopsBlockBytes + parity - 1) / (kRamoopsBlockBytes + parity);
}

size_t RingCapacity(size_t zone_bytes, size_t parity) {
  const size_t taken =
      kRamoopsHeaderBytes + (parity == 0 ? 0 : (ParityBlocks(zone_bytes, parity) + 1) * parity);
  return zone_bytes - std::min(zone_bytes, taken);
}

std::optional<RamoopsZone> ReadRamoopsZone(ByteView bytes) {
  if (bytes.size() < kMinZoneBytes) return std::nullopt;
  Shape shape{.zone_bytes = bytes.size(), .header = ReadHeader(bytes)};
  const std::optional<uint32_t> value = ZoneValueOf(shape.header.signature);
  if (!value) return std::nullopt;
  RamoopsZone zone{.value = *value};
  if (const std::optional<Shape> found = FindErrorCorrection(bytes)) {
    shape = *found;
    zone.value = *ZoneValueOf(shape.header.signature);
    zone.parity = shape.parity;
  }
  const ByteView stored = bytes.subspan(kRamoopsHeaderBytes, RingCapacity(shape.zone_bytes, shape.parity));
  std::vector<uint8_t> ring(stored.begin(), stored.end());
  if (shape.parity != 0) CorrectRing(bytes, shape, &ring, &zone);
  const absl::string_view text = TextOf(ring);
  zone.header_sound = Fits(shape.header, ring.size());
  zone.content = zone.header_sound
                     ? absl::StrCat(text.substr(shape.header.start, shape.header.size - shape.header.start),
                                    text.substr(0, shape.header.start))
                     : Salvage(text);
  return zone;
}

}  // namespace corefleet
