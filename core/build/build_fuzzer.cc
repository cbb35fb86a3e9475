#include "core/build/banner.h"
#include "core/build/cpu_mask.h"
#include "core/build/log_lines.h"
#include "core/build/release.h"
#include "core/build/uptime.h"
#include "core/bytes/byte_view.h"
#include "tests/support/fuzz_target.h"

namespace corefleet {

std::vector<std::string> FuzzSeeds() {
  std::string uts(kUtsNameBytes, '\0');
  uts.replace(0, 5, "Linux");
  uts.replace(2 * kUtsFieldBytes, 5, "6.1.0");
  return {
      "Linux version 6.1.0-47-cloud-amd64 (d@l) (gcc-12 (Debian 12.2.0-14) 12.2.0, GNU ld 2.40) #1 SMP "
      "Debian\n",
      "6.18.0-rc2-00030-g65df2b8a0dde-dirty",
      "5.15.41-android13-8-00205-gf1bf82c3dacd-ab8747247",
      "clocksource: jiffies: mask: 0xffffffff max_cycles: 0xffffffff, max_idle_ns: 7645041785100000 ns",
      "Calibrating delay loop (skipped), value calculated using timer frequency.. 125.00 BogoMIPS "
      "(lpj=250000)",
      "CPU: 3 UID: 0 PID: 1 Comm: a Not tainted 6.12.1 #1 aa23f7a1231c229de205662d5a9e0d4c580f19a1",
      "smpboot: Allowing 6 CPUs, 2 hotplug CPUs",
      "CPU topo: Allowing 4 present CPUs plus 2 hotplug CPUs",
      "Kernel Offset: 0x2ce00000 from 0xffffffff81000000",
      uts,
  };
}

}  // namespace corefleet

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const corefleet::ByteView bytes(data, size);
  const absl::string_view text = corefleet::TextOf(bytes);
  if (const auto banner = corefleet::ParseBanner(text)) {
    FUZZ_CHECK(!banner->release.empty());
    FUZZ_CHECK(banner->release.size() + banner->compiler.size() + banner->version.size() <= size);
  }
  if (const auto uts = corefleet::FindUtsName(bytes)) {
    FUZZ_CHECK(uts->sysname == "Linux" && !uts->release.empty());
    FUZZ_CHECK(uts->version.size() < corefleet::kUtsFieldBytes);
  }
  const corefleet::Release release = corefleet::ParseRelease(text);
  FUZZ_CHECK(release.git_commit.size() <= 40);
  FUZZ_CHECK(release.base.size() + release.local.size() <= size);
  if (const auto hz = corefleet::HzFromLogLine(text)) FUZZ_CHECK(*hz >= 24 && *hz <= 1200);
  if (const auto report = corefleet::ParseReportLine(text)) {
    FUZZ_CHECK(!report->release.empty() && report->release.size() < size);
    FUZZ_CHECK(report->build_id.empty() || report->build_id.size() == 40);
  }
  if (const auto counts = corefleet::ParseCpuCounts(text)) {
    FUZZ_CHECK(counts->present <= counts->possible && counts->online <= corefleet::kMostCpus);
    FUZZ_CHECK(counts->possible <= 2 * corefleet::kMostCpus);
  }
  corefleet::ParseKernelOffset(text);
  corefleet::HasGarbageBuildId(text, text);
  FUZZ_CHECK(corefleet::CpusOfMask(bytes, 8, corefleet::Endian::kLittle).size() <= 8192);
  return 0;
}
