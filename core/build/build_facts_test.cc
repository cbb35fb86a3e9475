#include "core/build/build_facts.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "core/build/banner.h"

namespace corefleet {
namespace {

constexpr char kBuildId[] = "aa23f7a1231c229de205662d5a9e0d4c580f19a1";

KernelLog LogOf(const std::vector<std::string>& lines) {
  KernelLog log;
  for (const std::string& line : lines) {
    log.records.push_back(
        {.seq = log.records.size(), .ts_nsec = log.records.size() * 1000000000, .text = line});
  }
  log.facts = FactsOfRecords(log.records);
  return log;
}

CrashFacts FactsOf(const CoreImage& image, const KernelLog& log) {
  CrashFacts facts;
  const ImageRegions regions(image);
  ReadBuildFacts(image, regions, log, &facts);
  ReadMachineFacts(image, regions, log, &facts);
  return facts;
}

CoreImage ImageWith(absl::string_view vmcoreinfo) {
  CoreImage image;
  image.vmcoreinfo = Vmcoreinfo::Parse(BytesOf(vmcoreinfo), nullptr);
  return image;
}

bool Has(const CrashFacts& facts, DefectCode code) {
  return std::any_of(facts.defects.begin(), facts.defects.end(),
                     [&](const Defect& defect) { return defect.code == code; });
}

TEST(BuildFactsTest, ALogAloneSaysMuch) {
  const CrashFacts facts = FactsOf(
      CoreImage(),
      LogOf(
          {"Linux version 6.12.1 (a@b) (gcc 12) #1 SMP", "Kernel command line: quiet panic=1",
           "CPU topo: Allowing 4 present CPUs plus 2 hotplug CPUs", "smp: Brought up 1 node, 4 CPUs",
           absl::StrCat("CPU: 3 UID: 0 PID: 1 Comm: init Tainted: G           OE      6.12.1 #1 ", kBuildId),
           "pstate: 60400005 (nZCv daif +PAN -UAO)", "Kernel Offset: 0x2ce00000 from 0xffff800080000000"}));
  EXPECT_EQ(facts.release->value, "6.12.1");
  EXPECT_EQ(facts.release->from, Provenance::kLogText);
  EXPECT_EQ(facts.version->value, "#1 SMP");
  EXPECT_EQ(facts.build_id->value, kBuildId);
  EXPECT_EQ(facts.arch->value, "aarch64");
  EXPECT_EQ(facts.kaslr_offset->value, 0x2ce00000u);
  EXPECT_EQ(facts.command_line->value, "quiet panic=1");
  EXPECT_EQ(facts.cpus.possible->value.size(), 6u);
  EXPECT_EQ(facts.cpus.present->value.size(), 4u);
  EXPECT_EQ(facts.cpus.online->value, (std::vector<uint32_t>{0, 1, 2, 3}));
  EXPECT_EQ(facts.cpus.online->from, Provenance::kDerived);
  EXPECT_EQ(facts.uptime_seconds->value, 6.0);
  EXPECT_TRUE(facts.defects.empty());
}

TEST(BuildFactsTest, AReportAloneNamesTheRelease) {
  const CrashFacts facts = FactsOf(
      CoreImage(), LogOf({"CPU: 0 PID: 93 Comm: insmod Not tainted 6.1.0-47-cloud-amd64 #1  Debian"}));
  EXPECT_EQ(facts.release->value, "6.1.0-47-cloud-amd64");
}

// A console that ran on over a reboot: the machine that died is the last one.
TEST(BuildFactsTest, TheLastBootCounts) {
  const CrashFacts facts =
      FactsOf(CoreImage(), LogOf({"Linux version 5.10.1 (a@b) (gcc) #1", "smp: Brought up 1 node, 2 CPUs",
                                  "Linux version 5.10.2 (a@b) (gcc) #2", "smp: Brought up 1 node, 8 CPUs"}));
  EXPECT_EQ(facts.release->value, "5.10.2");
  EXPECT_EQ(facts.cpus.online->value.size(), 8u);
}

TEST(BuildFactsTest, UserSpaceSaysNothing) {
  KernelLog log = LogOf({"Linux version 5.10.1 (a@b) (gcc) #1", "Kernel Offset: 0x1000"});
  for (LogRecord& record : log.records) record.facility = 1;
  const CrashFacts facts = FactsOf(CoreImage(), log);
  EXPECT_FALSE(facts.release.has_value());
  EXPECT_FALSE(facts.kaslr_offset.has_value());
}

TEST(BuildFactsTest, AGarbageBuildIdIsDroppedAndTheLogsTaken) {
  const CoreImage image = ImageWith("OSRELEASE=6.1.115\nBUILD-ID=0123456789012345678901234567890123456789\n");
  EXPECT_FALSE(FactsOf(image, KernelLog()).build_id.has_value());
  EXPECT_TRUE(Has(FactsOf(image, KernelLog()), DefectCode::kFactImplausible));
  const CrashFacts facts =
      FactsOf(image, LogOf({absl::StrCat("CPU: 0 PID: 1 Comm: x Not tainted 6.1.115 #1 ", kBuildId)}));
  EXPECT_EQ(facts.build_id->value, kBuildId);
  EXPECT_EQ(facts.build_id->from, Provenance::kLogText);
}

// A machine's whole memory: one load without a name, symbols from VMCOREINFO, a header of its own.
TEST(BuildFactsTest, ADumpOfAWholeMachine) {
  CoreImage image = ImageWith(
      "OSRELEASE=6.6.1\nPAGESIZE=4096\nKERNELOFFSET=2c00000\nSYMBOL(init_uts_ns)=ffffffff81001000\n"
      "OFFSET(uts_namespace.name)=4\nBUILD-ID=aa23f7a1231c229de205662d5a9e0d4c580f19a1\n");
  std::string memory(8192, '\0');
  const absl::string_view names[] = {"Linux", "host", "6.6.1", "#7 SMP", "x86_64", "(none)"};
  for (size_t i = 0; i < 6; ++i) names[i].copy(memory.data() + 4100 + i * kUtsFieldBytes, kUtsFieldBytes);
  image.sources.push_back(std::make_shared<MemorySource>(absl::string_view(memory)));
  image.segments.push_back(
      {.vaddr = 0xffffffff81000000, .has_vaddr = true, .size = 8192, .available = 8192, .region = 0});
  image.IndexSegments();
  image.e_machine = 62;
  image.dump_release = "6.6.1";
  image.dump_version = "#7 SMP";
  image.dump_machine = "x86_64";
  image.prstatus_count = 3;
  const CrashFacts facts = FactsOf(image, KernelLog());
  EXPECT_EQ(facts.release->from, Provenance::kSymbol);
  EXPECT_EQ(facts.version->value, "#7 SMP");
  EXPECT_EQ(facts.arch->value, "x86_64");
  EXPECT_EQ(facts.build_id->value, kBuildId);
  EXPECT_EQ(facts.page_size->value, 4096u);
  EXPECT_EQ(facts.kaslr_offset->value, 0x2c00000u);
  EXPECT_EQ(facts.cpus.online->value, (std::vector<uint32_t>{0, 1, 2}));
  EXPECT_TRUE(facts.defects.empty());
}

TEST(BuildFactsTest, ADumpsHeaderAlone) {
  CoreImage image;
  image.dump_release = "5.4.0";
  image.dump_machine = "aarch64";
  const CrashFacts facts = FactsOf(image, KernelLog());
  EXPECT_EQ(facts.release->value, "5.4.0");
  EXPECT_EQ(facts.release->from, Provenance::kDumpHeader);
  EXPECT_EQ(facts.arch->value, "aarch64");
}

}  // namespace
}  // namespace corefleet
