#ifndef COREFLEET_CORE_MINIDUMP_COPROCESSOR_WRITER_H_
#define COREFLEET_CORE_MINIDUMP_COPROCESSOR_WRITER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "core/bytes/byte_reader.h"

namespace corefleet {

// What remoteproc would write.
struct CoprocessorPlan {
  struct Part {
    std::string name;
    uint64_t address = 0;
    std::vector<uint8_t> bytes;
  };

  bool is_64 = true;
  Endian endian = Endian::kLittle;
  uint16_t machine = 164;     // a Hexagon
  bool with_sections = true;  // else program headers, and no names
  std::vector<Part> parts;
};

// The ELF core: headers, then the parts back to back. Source: docs/formats/coprocessor.md. Addresses of a
// 32-bit core are cut to 32 bits.
std::vector<uint8_t> WriteCoprocessorDump(const CoprocessorPlan& plan);

}  // namespace corefleet

#endif  // COREFLEET_CORE_MINIDUMP_COPROCESSOR_WRITER_H_
