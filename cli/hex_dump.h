#ifndef COREFLEET_CLI_HEX_DUMP_H_
#define COREFLEET_CLI_HEX_DUMP_H_

#include <cstdint>
#include <string>

#include "core/bytes/byte_view.h"

namespace corefleet {

// Sixteen bytes a line: address, the bytes in hex, and in ASCII where they are. Every line is printed.
std::string HexDump(uint64_t address, ByteView bytes);

}  // namespace corefleet

#endif  // COREFLEET_CLI_HEX_DUMP_H_
