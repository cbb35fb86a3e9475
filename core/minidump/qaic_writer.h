#ifndef COREFLEET_CORE_MINIDUMP_QAIC_WRITER_H_
#define COREFLEET_CORE_MINIDUMP_QAIC_WRITER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "core/bytes/byte_reader.h"

namespace corefleet {

// One region to write.
struct QaicFile {
  std::string file_name;    // cut to 20 bytes
  std::string description;  // cut to 20 bytes
  uint64_t base = 0;        // physical address
  std::vector<uint8_t> bytes;
};

// The blob as the AIC100 driver hands it out on a host of that byte order: header, table, regions back to
// back.
std::vector<uint8_t> WriteQaic(const std::vector<QaicFile>& files, Endian endian = Endian::kLittle);

}  // namespace corefleet

#endif  // COREFLEET_CORE_MINIDUMP_QAIC_WRITER_H_
