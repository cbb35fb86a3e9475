#include "core/bytes/byte_view.h"
#include "core/taint/taint.h"
#include "tests/support/fuzz_target.h"

namespace corefleet {

std::vector<std::string> FuzzSeeds() {
  return {
      "CPU: 0 PID: 93 Comm: insmod Tainted: G      D    OE      6.1.0-47-cloud-amd64 #1",
      "Comm: x Tainted: G W O 6.1.0",
      "CPU: 0 PID: 1 Comm: init Not tainted 6.1.0",
      "Tainted: [W]=WARN, [O]=OOT_MODULE",
      std::string("PG\1F \1S \1R \1M \1B \1U \1D \1A \1W \1", 30),
      std::string("PG\0\0\0\0\0\0\0\0\0\0\0\0\0\0F \0\0\0\0\0\0\0\0\0\0\0\0\0\0", 32),
  };
}

}  // namespace corefleet

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using corefleet::TaintTable;
  const corefleet::ByteView bytes(data, size);
  const TaintTable table = TaintTable::FromRegion(bytes).value_or(TaintTable());
  FUZZ_CHECK(table.bits() >= corefleet::kKnownTaintBits && table.bits() <= 64);
  FUZZ_CHECK(table.Letters(~uint64_t{0}).size() == 64);
  FUZZ_CHECK(table.Letters(0).empty());
  const TaintTable mainline;
  if (const auto text = corefleet::ParseTaintText(corefleet::TextOf(bytes), mainline)) {
    // Only bits that have a letter can have been printed.
    FUZZ_CHECK(text->mask >> mainline.bits() == 0);
    FUZZ_CHECK(mainline.Letters(text->mask).find('?') == std::string::npos);
  }
  return 0;
}
