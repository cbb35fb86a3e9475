#include "absl/strings/match.h"
#include "cli/crash_table.h"
#include "cli/describe_crash.h"
#include "cli/hex_dump.h"
#include "cli/json.h"
#include "cli/progress_bar.h"
#include "cli/text_table.h"
#include "core/crash/defect.h"
#include "gtest/gtest.h"

namespace corefleet {
namespace {

v1::Crash Oops() {
  v1::Crash crash;
  crash.set_id("4f61d8f6405b1c6eed15a7a3e2e27067");
  crash.set_device("edge-2");
  crash.set_state(v1::Crash::PARTIAL);
  crash.mutable_received_at()->set_seconds(1700000000);
  crash.mutable_kernel()->set_release("6.1.0-47");
  crash.mutable_kernel()->set_arch("x86_64");
  crash.mutable_kernel()->set_kaslr_offset(0x35a00000);
  crash.mutable_taint()->set_known(true);
  crash.mutable_taint()->set_mask(4096);
  crash.mutable_taint()->set_letters("O");
  v1::TaintFlag* flag = crash.mutable_taint()->add_flags();
  flag->set_letter("O");
  flag->set_meaning("an out-of-tree module was loaded");
  crash.set_panic("Fatal exception");
  crash.set_uptime_seconds(2.044);
  crash.mutable_log()->set_method("ring");
  crash.mutable_log()->set_records(402);
  crash.mutable_log()->set_last_seconds(2.265363905);
  crash.mutable_log()->set_lost(3);
  v1::Region* region = crash.add_regions();
  region->set_name("Kprb_data");
  region->set_id(25);
  region->set_paddr(0x3000);
  region->set_size(131072);
  region->set_state(v1::Region::MISSING);
  crash.set_raw_bytes(1536);
  v1::Defect* defect = crash.add_defects();
  defect->set_code("REGION_MISSING");
  defect->set_region("Kprb_data 25");
  defect->set_detail("131072 bytes");
  (*crash.mutable_sources())["kernel.release"] = "symbol";
  return crash;
}

TEST(DescribeCrash, ReadsLikeAReport) {
  EXPECT_EQ(DescribeCrash(Oops(), {.sources = true}),
            R"(id        4f61d8f6405b1c6eed15a7a3e2e27067
state     PARTIAL: something is missing or damaged, see the defects below
device    edge-2
received  2023-11-14 22:13:20 UTC

What died
  panic         Fatal exception
  release       6.1.0-47 x86_64
  KASLR offset  0x35a00000
  uptime        2.044 s

Taint: O (4096)
  O  an out-of-tree module was loaded

Log: 402 records, the last at 2.265363 s; 3 lost in between

Regions: 1, 1.5 KiB received
  NAME       ID  PADDR   SIZE    STATE
  Kprb_data  25  0x3000  131072  MISSING

Defects: 1
  REGION_MISSING Kprb_data 25: 131072 bytes
      its memory is a hole: reading it faults in every tool

What still works: the kernel log; the core: what is there reads right, what is not faults; every region that came (cat)

Where each fact was read
  kernel.release  symbol
)");
}

TEST(DescribeNextSteps, IsReadyToPaste) {
  EXPECT_EQ(DescribeNextSteps(Oops()), R"(
What to type next
  corefleet log 4f61d8f6405b
  corefleet fetch 4f61d8f6405b
  vmcore-dmesg 6.1.0-47-4f61d8f6405b.core
  crash --minimal --kaslr=0x35a00000 vmlinux 6.1.0-47-4f61d8f6405b.core
  gdb -c 6.1.0-47-4f61d8f6405b.core -ex 'symbol-file -o 0x35a00000 vmlinux'
  drgn -c 6.1.0-47-4f61d8f6405b.core -s vmlinux
)");
}

TEST(DescribeCrash, NeverPrintsWhatATerminalWouldActUpon) {
  v1::Crash crash = Oops();
  crash.set_panic("\x1b[2Jgone");
  crash.set_note("two\nlines");
  crash.mutable_defects(0)->set_detail("\x1b]0;title\a");
  EXPECT_FALSE(absl::StrContains(DescribeCrash(crash, {}), "\x1b"));
  EXPECT_TRUE(absl::StrContains(DescribeCrash(crash, {}), "two\\x0alines"));
}

TEST(FileNameFor, IsNeverAPath) {
  v1::Crash crash = Oops();
  crash.mutable_kernel()->set_release("../../etc/$(reboot)");
  EXPECT_EQ(FileNameFor(crash, "core"), "kernel.._.._etc___reboot_-4f61d8f6405b.core");
  crash.mutable_kernel()->set_release("");
  crash.set_id("../../../../../");
  EXPECT_EQ(FileNameFor(crash, "raw"), "kernel-____________.tar");
}

TEST(FormatCrashTable, TellsUntaintedFromUnknown) {
  v1::Crash clean = Oops(), unknown = Oops();
  clean.mutable_taint()->set_letters("");
  unknown.clear_taint();
  unknown.clear_panic();
  EXPECT_EQ(FormatCrashTable({Oops(), clean, unknown}),
            "TIME (UTC)           ID            DEVICE  RELEASE   TAINT  STATE    PANIC\n"
            "2023-11-14 22:13:20  4f61d8f6405b  edge-2  6.1.0-47  O      PARTIAL  Fatal exception\n"
            "2023-11-14 22:13:20  4f61d8f6405b  edge-2  6.1.0-47  -      PARTIAL  Fatal exception\n"
            "2023-11-14 22:13:20  4f61d8f6405b  edge-2  6.1.0-47  ?      PARTIAL  -\n");
}

// Of a sample, of which the log alone was wanted.
v1::Crash Sampled() {
  v1::Crash crash = Oops();
  crash.mutable_terms()->set_rule("fifth");
  crash.mutable_terms()->set_weight(5);
  crash.mutable_terms()->set_want(v1::Terms::LOG_ONLY);
  crash.set_here_bytes(512);
  crash.set_revision(1);
  crash.mutable_device_word()->set_os_version("14");
  crash.mutable_device_word()->set_source("pstore");
  crash.mutable_device_word()->mutable_captured_at()->set_seconds(1699999999);
  return crash;
}

TEST(FormatCrashTable, ShowsWeightAndPartsWhereThereAreSome) {
  v1::Crash whole = Sampled();
  whole.set_here_bytes(whole.raw_bytes());
  v1::Crash part = Sampled();
  part.mutable_terms()->set_want(v1::Terms::ALL);
  part.mutable_terms()->set_weight(1);
  part.set_here_bytes(part.raw_bytes() - 1);
  EXPECT_EQ(FormatCrashTable({Sampled(), whole, part}),
            "TIME (UTC)           ID            DEVICE  RELEASE   TAINT  STATE    WEIGHT  HERE     PANIC\n"
            "2023-11-14 22:13:20  4f61d8f6405b  edge-2  6.1.0-47  O      PARTIAL  5       log 33%  Fatal "
            "exception\n"
            "2023-11-14 22:13:20  4f61d8f6405b  edge-2  6.1.0-47  O      PARTIAL  5       all      Fatal "
            "exception\n"
            "2023-11-14 22:13:20  4f61d8f6405b  edge-2  6.1.0-47  O      PARTIAL  1       99%      Fatal "
            "exception\n");
}

TEST(DescribeCrash, SaysOnWhatTermsItCameAndWhatTheDeviceSaid) {
  const std::string text = DescribeCrash(Sampled(), {});
  EXPECT_TRUE(absl::StrContains(text, R"(received    2023-11-14 22:13:20 UTC
os version  14
found by    pstore
captured    2023-11-14 22:13:19 UTC, by the device's clock
rule        fifth
weight      5: it stands for so many like it
wanted      LOG_ONLY: what the log and the build are read from
here        512 B of 1.5 KiB; a late upload can add the rest
added to    1 time after it was first stored
)")) << text;
  EXPECT_TRUE(absl::StrContains(text, "\nRegions: 1, 512 B of 1.5 KiB received\n")) << text;

  v1::Crash waiting = Sampled();
  waiting.set_state(v1::Crash::RECEIVED);
  EXPECT_TRUE(absl::StrContains(DescribeCrash(waiting, {}), "rule        fifth\n"))
      << "before its facts are read";

  v1::Crash hostile = Sampled();
  hostile.mutable_device_word()->set_os_version("\x1b[2J");
  EXPECT_FALSE(absl::StrContains(DescribeCrash(hostile, {}), "\x1b"));
}

TEST(StoredInPart, IsWhatAServerSaid) {
  EXPECT_FALSE(StoredInPart(Oops())) << "no server was asked";
  EXPECT_TRUE(StoredInPart(Sampled()));
  v1::Crash whole = Sampled();
  whole.set_here_bytes(whole.raw_bytes());
  EXPECT_FALSE(StoredInPart(whole));
}

TEST(EveryDefectCode, SaysWhatItCosts) {
  for (int i = 0; i <= static_cast<int>(kLastDefectCode); ++i) {
    const absl::string_view name = DefectCodeName(static_cast<DefectCode>(i));
    EXPECT_FALSE(ConsequenceOf(name).empty()) << name;
  }
}

TEST(DescribeNextSteps, NamesOnlyToolsThatOpenIt) {
  v1::Crash crash = Oops();
  EXPECT_TRUE(absl::StrContains(DescribeNextSteps(crash), "gdb -c ")) << DescribeNextSteps(crash);
  EXPECT_TRUE(absl::StrContains(DescribeNextSteps(crash), "crash --minimal "));
  EXPECT_EQ(DefaultArtifact(crash), "core");
  crash.set_source("kdump");
  EXPECT_EQ(DefaultArtifact(crash), "kdump");
  EXPECT_FALSE(absl::StrContains(DescribeNextSteps(crash), "gdb"));
  EXPECT_FALSE(absl::StrContains(DescribeNextSteps(crash), "--minimal"));
  EXPECT_TRUE(absl::StrContains(DescribeNextSteps(crash), FileNameFor(crash, "kdump")));
  crash.set_source("coprocessor");
  EXPECT_TRUE(absl::StrContains(DescribeNextSteps(crash), "--as raw"));
  EXPECT_FALSE(absl::StrContains(DescribeNextSteps(crash), "drgn"));
}

TEST(DescribeAbilities, IsTheEndOfTheDescription) {
  v1::Crash crash = Oops();
  EXPECT_EQ(DescribeAbilities(crash), "");
  v1::Ability* ability = crash.add_abilities();
  ability->set_kind("per-cpu");
  ability->set_answer("partly");
  ability->set_detail("6 of 8\x1b[2J");
  EXPECT_EQ(DescribeAbilities(crash), "\nWhat still works\n  per-cpu  partly  6 of 8\\x1b[2J\n");
  EXPECT_TRUE(absl::EndsWith(DescribeCrash(crash, {}), DescribeAbilities(crash)));
  EXPECT_FALSE(absl::StrContains(DescribeCrash(crash, {.abilities = false}), "What still works"));
}

TEST(FormatCpus, JoinsRuns) {
  v1::Cpus cpus;
  EXPECT_EQ(FormatCpus(cpus.online()), "none");
  for (const uint32_t cpu : {0, 1, 2, 5, 7, 8}) cpus.add_online(cpu);
  EXPECT_EQ(FormatCpus(cpus.online()), "0-2,5,7-8");
}

TEST(HexDump, LooksLikeHexdumpC) {
  EXPECT_EQ(HexDump(0xffff1000, BytesOf("Linux\x01 version 6.1")),
            "00000000ffff1000  4c 69 6e 75 78 01 20 76  65 72 73 69 6f 6e 20 36  |Linux. version 6|\n"
            "00000000ffff1010  2e 31                                             |.1|\n");
}

TEST(JsonLine, HasTheProtosNamesAndItsDefaults) {
  v1::Defect defect;
  defect.set_code("LOG_GAP");
  EXPECT_EQ(JsonLine(defect), "{\"code\":\"LOG_GAP\",\"region\":\"\",\"detail\":\"\"}\n");
  v1::Crash crash;
  EXPECT_TRUE(absl::StrContains(JsonLine(crash), "\"raw_bytes\":\"0\"")) << JsonLine(crash);
}

TEST(JsonString, TakesAnyBytes) { EXPECT_EQ(JsonString("a\"\n\xff"), "\"a\\\"\\n\\\\xff\""); }

TEST(FormatProgress, ShowsHowFar) {
  EXPECT_EQ(FormatProgress("uploading", 512, 1024),
            "uploading [###############...............]  50% 512 B of 1.0 KiB");
  EXPECT_EQ(FormatProgress("x", 0, 0), "x [##############################] 100% 0 B of 0 B");
}

}  // namespace
}  // namespace corefleet
