#include <gtest/gtest.h>

#include <string>

#include "core/build/banner.h"
#include "core/build/cpu_mask.h"
#include "core/build/log_lines.h"
#include "core/build/release.h"
#include "core/build/uptime.h"

namespace corefleet {
namespace {

TEST(BannerTest, TakesReleaseCompilerAndVersionApart) {
  const auto banner = ParseBanner(
      "Linux version 6.1.0-47-cloud-amd64 (debian-kernel@lists.debian.org) (gcc-12 (Debian "
      "12.2.0-14+deb12u1) "
      "12.2.0, GNU ld (GNU Binutils for Debian) 2.40) #1 SMP PREEMPT_DYNAMIC Debian 6.1.170-3 "
      "(2026-05-08)\n");
  ASSERT_TRUE(banner.has_value());
  EXPECT_EQ(banner->release, "6.1.0-47-cloud-amd64");
  EXPECT_EQ(banner->compiler,
            "gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0, GNU ld (GNU Binutils for Debian) 2.40");
  EXPECT_EQ(banner->version, "#1 SMP PREEMPT_DYNAMIC Debian 6.1.170-3 (2026-05-08)");
}

TEST(BannerTest, TakesWhatIsThereOfACutOne) {
  EXPECT_EQ(ParseBanner("Linux version 6.1.0 (a@b) (gcc")->release, "6.1.0");
  EXPECT_EQ(ParseBanner("Linux version 6.1.0 (a@b) (gcc")->version, "");
  EXPECT_EQ(ParseBanner("Linux version 6.1.0 (@b) #1")->version, "#1");
  EXPECT_FALSE(ParseBanner("Linux version ").has_value());
  EXPECT_FALSE(ParseBanner("linux version 6").has_value());
  EXPECT_FALSE(ParseBanner("Linux version 6\x01 (").has_value());
}

std::string Uts(absl::string_view sysname) {
  std::string bytes(kUtsNameBytes, '\0');
  const absl::string_view fields[] = {sysname, "host", "6.1.0", "#1 SMP", "aarch64", "(none)"};
  for (size_t i = 0; i < 6; ++i) fields[i].copy(bytes.data() + i * kUtsFieldBytes, kUtsFieldBytes);
  return bytes;
}

TEST(UtsNameTest, ReadsSixFields) {
  const auto uts = ParseUtsName(BytesOf(Uts("Linux")));
  ASSERT_TRUE(uts.has_value());
  EXPECT_EQ(uts->release, "6.1.0");
  EXPECT_EQ(uts->version, "#1 SMP");
  EXPECT_EQ(uts->machine, "aarch64");
  EXPECT_EQ(FindUtsName(BytesOf(std::string(13, 'x') + Uts("Linux")))->release, "6.1.0");
}

TEST(UtsNameTest, RefusesWhatIsNone) {
  EXPECT_FALSE(ParseUtsName(BytesOf(Uts("Minix"))).has_value());
  EXPECT_FALSE(ParseUtsName(BytesOf(Uts("Linux").substr(1))).has_value());
  std::string unterminated = Uts("Linux");
  unterminated.replace(2 * kUtsFieldBytes, kUtsFieldBytes, std::string(kUtsFieldBytes, '6'));
  EXPECT_FALSE(ParseUtsName(BytesOf(unterminated)).has_value());
  EXPECT_FALSE(FindUtsName(BytesOf("Linux\0Linux\0")).has_value());
}

TEST(ReleaseTest, SetlocalversionsForms) {
  const Release git = ParseRelease("6.18.0-rc2-00030-g65df2b8a0dde");
  EXPECT_EQ(git.base, "6.18.0-rc2");
  EXPECT_EQ(git.distance, 30u);
  EXPECT_EQ(git.git_commit, "65df2b8a0dde");
  EXPECT_FALSE(git.dirty);
  EXPECT_EQ(git.local, "");

  const Release dirty = ParseRelease("6.1.0-board-g0123456789ab-dirty");
  EXPECT_EQ(dirty.git_commit, "0123456789ab");
  EXPECT_EQ(dirty.distance, std::nullopt);
  EXPECT_TRUE(dirty.dirty);
  EXPECT_EQ(dirty.local, "board");

  EXPECT_TRUE(ParseRelease("6.1.0+").dirty);
  EXPECT_EQ(ParseRelease("6.1.0+").base, "6.1.0");
  EXPECT_EQ(ParseRelease("6.12.117+deb12-cloud-amd64").git_commit, "");
  EXPECT_EQ(ParseRelease("6.1.0-47-cloud-amd64").local, "47-cloud-amd64");
  EXPECT_EQ(ParseRelease("6.1.0-next-20260105").local, "next-20260105");
}

TEST(ReleaseTest, AndroidsForms) {
  const Release gki = ParseRelease("5.15.41-android13-8-00205-gf1bf82c3dacd-ab8747247");
  EXPECT_EQ(gki.base, "5.15.41");
  EXPECT_EQ(gki.android, "android13");
  EXPECT_EQ(gki.kmi_generation, 8u);
  EXPECT_EQ(gki.kmi, "5.15-android13-8");
  EXPECT_EQ(gki.distance, 205u);
  EXPECT_EQ(gki.git_commit, "f1bf82c3dacd");
  EXPECT_EQ(gki.android_build, "8747247");
  EXPECT_EQ(gki.local, "");

  const Release mainline = ParseRelease("6.6.30-android15-8-maybe-dirty-4k");
  EXPECT_TRUE(mainline.dirty);
  EXPECT_EQ(mainline.kmi, "6.6-android15-8");
  EXPECT_EQ(mainline.local, "4k");
}

TEST(ReleaseTest, TakesAnything) {
  EXPECT_EQ(ParseRelease("").local, "");
  EXPECT_EQ(ParseRelease("garbage").local, "garbage");
  EXPECT_EQ(ParseRelease("6.").base, "");
  EXPECT_EQ(ParseRelease("6.1-g123").git_commit, "");
  EXPECT_EQ(ParseRelease("6.1.0-gghijklm").git_commit, "");
}

TEST(CpuMaskTest, AnyLengthAndByteOrder) {
  const uint8_t mask[] = {0x05, 0, 0, 0, 0, 0, 0, 0x80, 0x01};
  EXPECT_EQ(CpusOfMask(mask, 8, Endian::kLittle), (std::vector<uint32_t>{0, 2, 63, 64}));
  const uint8_t big[] = {0, 0, 0, 0x03};
  EXPECT_EQ(CpusOfMask(big, 4, Endian::kBig), (std::vector<uint32_t>{0, 1}));
  EXPECT_TRUE(CpusOfMask({}, 8, Endian::kLittle).empty());
  EXPECT_EQ(CpusOfMask(std::vector<uint8_t>(5000, 0xff), 8, Endian::kLittle).size(), 8192u);
}

TEST(UptimeTest, JiffiesDoNotStartAtZero) {
  EXPECT_DOUBLE_EQ(UptimeOf(4294892807, 250), 2.044);
  EXPECT_DOUBLE_EQ(UptimeOf(4294892296 + 250 * 600, 250), 600);
  EXPECT_FALSE(IsPlausibleJiffies(0, 250));
  EXPECT_FALSE(IsPlausibleJiffies(UINT64_MAX, 1000));
}

TEST(UptimeTest, TheLogGivesTheTickRateAway) {
  EXPECT_EQ(HzFromLogLine("clocksource: jiffies: mask: 0xffffffff max_cycles: 0xffffffff, max_idle_ns: "
                          "7645041785100000 ns"),
            250u);
  EXPECT_EQ(HzFromLogLine("clocksource: jiffies: mask: 0xffffffff max_cycles: 0xffffffff, max_idle_ns: "
                          "1911260446275000 ns"),
            1000u);
  EXPECT_EQ(HzFromLogLine("Calibrating delay loop (skipped), value calculated using timer frequency.. 125.00 "
                          "BogoMIPS (lpj=250000)"),
            250u);
  EXPECT_EQ(
      HzFromLogLine("clocksource: refined-jiffies: mask: 0xffffffff max_cycles: 0xffffffff, max_idle_ns: "
                    "7645519600211568 ns"),
      std::nullopt);
  EXPECT_EQ(HzFromLogLine("clocksource: jiffies: max_idle_ns: 1 ns"), std::nullopt);
  EXPECT_EQ(HzFromLogLine("x BogoMIPS (lpj=0)"), std::nullopt);
  EXPECT_EQ(HzFromLogLine(""), std::nullopt);
}

TEST(UptimeTest, GuessesTheShortestUptimeThatTheLogAllows) {
  const uint64_t ran_600_s_at_250 = (uint64_t{1} << 32) - 300 * 250 + 600 * 250;
  EXPECT_EQ(GuessHz(ran_600_s_at_250, 599), 250u);
  EXPECT_EQ(GuessHz(0, 0), std::nullopt);
}

TEST(ReleaseTest, KnowsTheKernelsWhoseBuildIdIsGarbage) {
  for (const char* garbage : {"5.15.168", "5.15.999-generic", "6.1.113", "6.1.118-rt", "6.6.55", "6.6.62",
                              "6.10.14", "6.11.3", "6.11.9"}) {
    EXPECT_TRUE(HasGarbageBuildId(garbage, "#1 SMP")) << garbage;
  }
  for (const char* sound : {"5.15.167", "6.1.112", "6.1.119", "6.6.54", "6.6.63", "6.10.13", "6.11.2",
                            "6.11.10", "5.15", "6.1.0-47-cloud-amd64", "", "x", "6.1.99999999999"}) {
    EXPECT_FALSE(HasGarbageBuildId(sound, "#1 SMP")) << sound;
  }
  EXPECT_TRUE(HasGarbageBuildId("6.1.0-26-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.115-1 (2024-11-01)"));
  EXPECT_FALSE(HasGarbageBuildId("6.1.0-47-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.170-3 (2026-05-08)"));
}

TEST(LogLinesTest, AReportNamesTheKernel) {
  const auto report = ParseReportLine(
      "CPU: 0 PID: 93 Comm: insmod Tainted: G           OE      6.1.0-47-cloud-amd64 #1  Debian 6.1.170-3");
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->release, "6.1.0-47-cloud-amd64");
  EXPECT_EQ(report->build_id, "");
  const auto with_id = ParseReportLine(
      "CPU: 3 UID: 0 PID: 1 Comm: a 9.9 #9 Not tainted 6.12.1 #1 aa23f7a1231c229de205662d5a9e0d4c580f19a1");
  ASSERT_TRUE(with_id.has_value());
  EXPECT_EQ(with_id->release, "6.12.1");
  EXPECT_EQ(with_id->build_id, "aa23f7a1231c229de205662d5a9e0d4c580f19a1");
  EXPECT_FALSE(ParseReportLine("CPU: 0 PID: 93 Comm: insmod").has_value());
  EXPECT_FALSE(ParseReportLine("CPU0: hello 6.1 #1").has_value());
  EXPECT_FALSE(ParseReportLine("").has_value());
}

TEST(LogLinesTest, TheKernelOffset) {
  EXPECT_EQ(ParseKernelOffset("Kernel Offset: 0x2ce00000 from 0xffffffff81000000 (relocation range: x)"),
            0x2ce00000u);
  EXPECT_EQ(ParseKernelOffset("Kernel Offset: 0x2686b4400000 from 0xffff800008000000"), 0x2686b4400000u);
  EXPECT_EQ(ParseKernelOffset("Kernel Offset: disabled"), 0u);
  EXPECT_FALSE(ParseKernelOffset("Kernel Offset: 12").has_value());
  EXPECT_FALSE(ParseKernelOffset("kernel offset").has_value());
}

TEST(LogLinesTest, HowManyCpus) {
  const auto allowing = ParseCpuCounts("smpboot: Allowing 6 CPUs, 2 hotplug CPUs");
  ASSERT_TRUE(allowing.has_value());
  EXPECT_EQ(allowing->possible, 6u);
  EXPECT_EQ(allowing->present, 4u);
  const auto topo = ParseCpuCounts("CPU topo: Allowing 4 present CPUs plus 2 hotplug CPUs");
  ASSERT_TRUE(topo.has_value());
  EXPECT_EQ(topo->possible, 6u);
  EXPECT_EQ(topo->present, 4u);
  EXPECT_EQ(ParseCpuCounts("smp: Brought up 1 node, 2 CPUs")->online, 2u);
  EXPECT_EQ(ParseCpuCounts("smp: Brought up 2 nodes, 4 CPUs")->online, 4u);
  EXPECT_EQ(ParseCpuCounts("SMP: Total of 8 processors activated.")->online, 8u);
  EXPECT_EQ(
      ParseCpuCounts("setup_percpu: NR_CPUS:512 nr_cpumask_bits:2 nr_cpu_ids:2 nr_node_ids:1")->possible, 2u);
  EXPECT_FALSE(ParseCpuCounts("smp: Brought up 1 node, 99999999 CPUs").has_value());
  EXPECT_FALSE(ParseCpuCounts("smpboot: CPU0: Intel").has_value());
}

TEST(LogLinesTest, RegisterLinesNameTheMachine) {
  EXPECT_EQ(MachineOfLine("RIP: 0010:init_module+0x1/0x2 [oops]"), "x86_64");
  EXPECT_EQ(MachineOfLine("pstate: 60400005 (nZCv daif +PAN -UAO)"), "aarch64");
  EXPECT_EQ(MachineOfLine("epc : do_thing+0x10/0x20"), "riscv64");
  EXPECT_FALSE(MachineOfLine("RIP: 0033:0x7f00").has_value()) << "user space";
}

}  // namespace
}  // namespace corefleet
