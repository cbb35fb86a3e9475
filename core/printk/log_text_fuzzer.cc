#include <string>

#include "core/printk/log_line.h"
#include "core/printk/log_text.h"
#include "tests/support/fuzz_target.h"

namespace corefleet {

std::vector<std::string> FuzzSeeds() {
  return {
      "[    0.000000] Linux version 6.1.0\n[    0.000000] Command line: quiet\n[   12.345678][  T812] Oops: "
      "0000\n",
      "<6>[    0.000000] a\r\n more\r\n<4>[    1.000000][    C3] b\r\n<part 2 of this record is missing>\n",
      "Nov 23 05:50:33 host kernel: [    5.000001] text\nNov 23 05:50:34 host systemd[1]: x\n",
      "2026-11-23T05:50:33+00:00 host kernel: text\nkern  :err   : [    7.000000] text\n",
      "debian login: [  100.000001] sysrq\n\x1b[32m[    1.000000] "
      "\x1b[0mtext\n6,339,5140900,-,caller=T1;text\n",
      "[Mon Nov 23 05:50:33 2026] text\nLinux version 2.6.32\n",
  };
}

}  // namespace corefleet

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace corefleet;
  const absl::string_view text = TextOf(ByteView(data, size));
  LooksLikeKernelLog("dmesg.txt", ByteView(data, size));
  const KernelLog log = ParseLogText(text);
  size_t kept = 0;
  for (size_t i = 0; i < log.records.size(); ++i) {
    const LogRecord& record = log.records[i];
    FUZZ_CHECK(record.seq == i);
    FUZZ_CHECK(record.level <= 7);
    FUZZ_CHECK(record.text.size() <= 65535);
    FUZZ_CHECK(record.ts_nsec % 1000 == 0);
    kept += record.text.size();
  }
  FUZZ_CHECK(kept <= size);
  FUZZ_CHECK(log.facts.records == log.records.size());
  FUZZ_CHECK(log.facts.method.empty() == log.records.empty());
  return 0;
}
