#include "cli/hex_dump.h"

#include <algorithm>

#include "absl/strings/str_format.h"

namespace corefleet {

std::string HexDump(uint64_t address, ByteView bytes) {
  constexpr size_t kWidth = 16;
  std::string out;
  for (size_t at = 0; at < bytes.size(); at += kWidth) {
    const ByteView line = bytes.subspan(at, kWidth);
    absl::StrAppendFormat(&out, "%016x ", address + at);
    for (size_t i = 0; i < kWidth; ++i) {
      if (i % 8 == 0) out += ' ';
      out += i < line.size() ? absl::StrFormat("%02x ", line[i]) : "   ";
    }
    out += " |";
    for (const uint8_t byte : line) out += byte >= 0x20 && byte < 0x7f ? static_cast<char>(byte) : '.';
    out += "|\n";
  }
  return out;
}

}  // namespace corefleet
