#include "core/pstore/ramoops_writer.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/pstore/ramoops_zone.h"
#include "core/pstore/reed_solomon.h"

namespace corefleet {
namespace {

void AppendU32(uint32_t value, std::string* out) {
  for (int shift = 0; shift < 32; shift += 8) out->push_back(static_cast<char>(value >> shift & 255));
}

void AppendParity(const ReedSolomon& code, absl::string_view data, std::string* out) {
  const std::vector<uint8_t> parity = code.Encode(BytesOf(data));
  out->append(parity.begin(), parity.end());
}

std::string WriteZone(const RamoopsZoneToWrite& zone, size_t parity) {
  const size_t capacity = RingCapacity(zone.size, parity);
  const size_t written = zone.content.size();
  const size_t start = written > capacity && capacity > 0 ? written % capacity : 0;
  const absl::string_view kept =
      absl::string_view(zone.content).substr(written - std::min(written, capacity));
  std::string ring = absl::StrCat(kept.substr(kept.size() - start), kept.substr(0, kept.size() - start));
  std::string out;
  AppendU32(kRamoopsSignature ^ zone.value, &out);
  AppendU32(static_cast<uint32_t>(start), &out);
  AppendU32(static_cast<uint32_t>(ring.size()), &out);
  const std::string header = out;
  ring.resize(capacity);
  out += ring;
  if (parity != 0) {
    const ReedSolomon code(parity);
    for (size_t block = 0; block < ParityBlocks(zone.size, parity); ++block) {
      const size_t at = std::min(block * kRamoopsBlockBytes, ring.size());
      AppendParity(code, absl::string_view(ring).substr(at, kRamoopsBlockBytes), &out);
    }
    AppendParity(code, header, &out);
  }
  out.resize(zone.size);
  return out;
}

}  // namespace

std::string WriteRamoops(const std::vector<RamoopsZoneToWrite>& zones, size_t parity) {
  std::string area;
  for (const RamoopsZoneToWrite& zone : zones) area += WriteZone(zone, parity);
  return area;
}

std::string RamoopsDumpContent(uint64_t seconds, uint32_t micros, absl::string_view record,
                               RecordCodec codec) {
  return absl::StrFormat("====%d.%06d-%c\n%s", seconds, micros, codec == RecordCodec::kPlain ? 'D' : 'C',
                         CompressRecord(record, codec));
}

}  // namespace corefleet
