#ifndef COREFLEET_CORE_PSTORE_RAMOOPS_WRITER_H_
#define COREFLEET_CORE_PSTORE_RAMOOPS_WRITER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "core/pstore/records_writer.h"

namespace corefleet {

// A zone as a kernel writes it.
struct RamoopsZoneToWrite {
  size_t size = 65536;  // bytes, header and parity included
  uint32_t value = 0;   // LINUX_VERSION_CODE of an ftrace zone
  std::string content;  // chronological; of more than fits the last bytes stay, and the ring has turned
};

// The zones one after the other. `parity` bytes of error correction for each block; 0: none.
std::string WriteRamoops(const std::vector<RamoopsZoneToWrite>& zones, size_t parity);

// What a dump zone holds: `====<seconds>.<micros>-<C or D>`, a newline, and `record` with its header line.
std::string RamoopsDumpContent(uint64_t seconds, uint32_t micros, absl::string_view record,
                               RecordCodec codec);

}  // namespace corefleet

#endif  // COREFLEET_CORE_PSTORE_RAMOOPS_WRITER_H_
