#include "collector/source/find_crashes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "collector/source/dump_file.h"
#include "collector/source/pstore_folder.h"
#include "collector/source/scratch_folder.h"
#include "core/manifest/manifest.h"
#include "gtest/gtest.h"

namespace corefleet {
namespace {

std::string Number(uint64_t value, int bytes) {
  std::string out;
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(i < 8 ? value >> 8 * i : 0);
  return out;
}

// A container with one section, followed by what else is in the partition.
std::string RawDump(const std::string& payload, const std::string& mark = "Raw_Dmp!",
                    const std::string& rest = "") {
  const uint64_t size = 56 + 64 + payload.size();
  std::string name = "OCIMEM.BIN";
  name.resize(20);
  return mark + Number(4096, 4) + Number(1, 4) + Number(0, 20) + Number(size, 8) + Number(size, 8) +
         Number(1, 4) + Number(1, 4) + Number(4096, 4) + Number(1, 4) + Number(120, 8) +
         Number(payload.size(), 8) + Number(0x14680000, 8) + Number(0, 8) + name + payload + rest;
}

// As far as a compressed dump's header tells which dump a part is of.
std::string CompressedDump(char kernel, bool split) {
  std::string dump = "KDUMP   " + Number(6, 4) + std::string(390, kernel);
  dump.resize(424);
  dump += Number(0, 4) + Number(4096, 4) + Number(1, 4);
  dump.resize(4096);
  dump += Number(0, 8) + Number(31, 4) + Number(split, 4);
  dump.resize(8192);
  return dump;
}

constexpr char kLog[] =
    "[    0.000000] Linux version 6.1.0-47-cloud-amd64 (gcc)\n"
    "[    0.000000] Command line: console=ttyS0 quiet\n"
    "[    1.234567] Kernel panic - not syncing: Fatal exception\n";

class FindCrashesTest : public testing::Test {
 protected:
  std::vector<CrashLocation> Find(const std::string& path) {
    absl::StatusOr<std::vector<CrashLocation>> found = FindCrashes(path);
    EXPECT_TRUE(found.ok()) << found.status();
    return found.ok() ? *std::move(found) : std::vector<CrashLocation>();
  }

  FoundCrash OpenOnly(const std::string& path) {
    const std::vector<CrashLocation> found = Find(path);
    EXPECT_EQ(found.size(), 1u);
    if (found.empty()) return {};
    absl::StatusOr<FoundCrash> crash = OpenCrash(found.front());
    EXPECT_TRUE(crash.ok()) << crash.status();
    return crash.ok() ? *std::move(crash) : FoundCrash();
  }

  static std::vector<std::string> Names(const FoundCrash& crash) {
    std::vector<std::string> names;
    for (const Region& region : crash.regions.regions) names.push_back(region.file_name);
    return names;
  }

  static std::string Bytes(const Region& region) {
    const auto bytes = ReadBytes(*region.bytes, 0, region.bytes->size());
    return bytes.ok() ? std::string(bytes->begin(), bytes->end()) : bytes.status().ToString();
  }

  static std::string Uid(const FoundCrash& crash) { return UidOf(*MakeManifest(crash.regions)).value(); }

  const ScratchFolder folder_;
};

TEST_F(FindCrashesTest, TakesOfAPartitionOnlyTheDump) {
  folder_.Write("rawdump.img", RawDump("12345678", "Raw_Dmp!", std::string(10000, 'r')));
  const FoundCrash crash = OpenOnly(folder_ / "rawdump.img");
  ASSERT_EQ(crash.regions.regions.size(), 1u);
  EXPECT_EQ(crash.regions.regions[0].kind, RegionKind::kArtifact);
  EXPECT_EQ(Bytes(crash.regions.regions[0]), RawDump("12345678"));
  EXPECT_TRUE(crash.notes.empty());
}

TEST_F(FindCrashesTest, AMarkOfACollectorMakesNoOtherCrash) {
  std::vector<std::string> uids;
  for (const std::string mark : {"Raw_Dmp!", "MiniDump", "CopyDone"}) {
    folder_.Write("rawdump.img", RawDump("12345678", mark));
    const FoundCrash crash = OpenOnly(folder_ / "rawdump.img");
    EXPECT_EQ(crash.notes.empty(), mark == "Raw_Dmp!");
    uids.push_back(Uid(crash));
  }
  EXPECT_EQ(uids[0], uids[1]);
  EXPECT_EQ(uids[0], uids[2]);
}

TEST_F(FindCrashesTest, TakesWhatIsThereOfACutContainer) {
  const std::string whole = RawDump(std::string(5000, 'x'));
  for (const size_t size : {whole.size() - 1, size_t{121}, size_t{57}, size_t{20}, size_t{8}}) {
    folder_.Write("rawdump.img", whole.substr(0, size));
    const FoundCrash crash = OpenOnly(folder_ / "rawdump.img");
    ASSERT_EQ(crash.regions.regions.size(), 1u);
    EXPECT_EQ(Bytes(crash.regions.regions[0]), whole.substr(0, size)) << size;
  }
}

TEST_F(FindCrashesTest, AFileOfNoKnownKindIsKeptAndSaidToBe) {
  folder_.Write("core.weird", "\x01\x02\x03 nothing that anybody knows");
  const FoundCrash crash = OpenOnly(folder_ / "core.weird");
  ASSERT_EQ(crash.regions.regions.size(), 1u);
  EXPECT_EQ(crash.regions.regions[0].kind, RegionKind::kArtifact);
  ASSERT_EQ(crash.notes.size(), 1u);
  EXPECT_TRUE(absl::StrContains(crash.notes[0], "no known kind"));
  // Beside others, nobody asked for it.
  EXPECT_TRUE(absl::IsNotFound(FindCrashes(folder_.path()).status()));
  folder_.Write("empty", "");
  const std::vector<CrashLocation> empty = Find(folder_ / "empty");
  ASSERT_EQ(empty.size(), 1u);
  EXPECT_TRUE(absl::IsInvalidArgument(OpenCrash(empty[0]).status()));
}

TEST_F(FindCrashesTest, ALogIsTakenWithTheDumpBesideIt) {
  folder_.Write("127.0.0.1-2026-05-08/vmcore", CompressedDump('a', false));
  folder_.Write("127.0.0.1-2026-05-08/vmcore-dmesg.txt", kLog);
  folder_.Write("127.0.0.1-2026-05-08/kexec-dmesg.log", kLog);
  folder_.Write("202605081200/dump.202605081200", CompressedDump('b', false));
  folder_.Write("202605081200/dmesg.202605081200", kLog);
  const std::vector<CrashLocation> found = Find(folder_.path());
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(Names(*OpenCrash(found[0])), (std::vector<std::string>{"vmcore", "vmcore-dmesg.txt"}));
  EXPECT_EQ(Names(*OpenCrash(found[1])),
            (std::vector<std::string>{"dump.202605081200", "dmesg.202605081200"}));
}

TEST_F(FindCrashesTest, KnowsTheLogOfADumpByItsName) {
  EXPECT_TRUE(IsLogBeside("vmcore-dmesg.txt", "vmcore"));
  EXPECT_TRUE(IsLogBeside("vmcore-dmesg-incomplete.txt", "vmcore-incomplete"));
  EXPECT_TRUE(IsLogBeside("vmcore-dmesg.txt", "vmcore.flat"));
  EXPECT_TRUE(IsLogBeside("dmesg.1", "dump.1"));
  EXPECT_FALSE(IsLogBeside("dmesg.1", "dump.2"));
  EXPECT_FALSE(IsLogBeside("kexec-dmesg.log", "vmcore"));
  EXPECT_FALSE(IsLogBeside("vmcore", "vmcore"));
}

TEST_F(FindCrashesTest, PartsOfOneDumpAreOneCrash) {
  folder_.Write("vmcore-1", CompressedDump('a', true));
  folder_.Write("vmcore-2", CompressedDump('a', true));
  folder_.Write("other-1", CompressedDump('b', true));
  folder_.Write("whole-1", CompressedDump('c', false));
  folder_.Write("whole-2", CompressedDump('c', false));
  std::vector<std::vector<std::string>> crashes;
  for (const CrashLocation& location : Find(folder_.path())) crashes.push_back(Names(*OpenCrash(location)));
  EXPECT_EQ(crashes, (std::vector<std::vector<std::string>>{
                         {"other-1"}, {"vmcore-1", "vmcore-2"}, {"whole-1"}, {"whole-2"}}));
}

TEST_F(FindCrashesTest, ALogAloneIsACrash) {
  folder_.Write("serial.txt", kLog);
  folder_.Write("kexec-dmesg.log", kLog);
  EXPECT_EQ(Names(OpenOnly(folder_.path())), std::vector<std::string>{"serial.txt"});
}

TEST_F(FindCrashesTest, TheRecordsOfOneDeathAreOneCrash) {
  folder_.Write("dmesg-efi_pstore-170000000001001", "Panic#1 Part1\n<4>[    2.000000] the end\n");
  folder_.Write("dmesg-efi_pstore-170000000002001", "Panic#1 Part2\n<4>[    1.000000] before it\n");
  folder_.Write("dmesg-efi_pstore-160000000001001", "Panic#1 Part1\n<4>[    9.000000] long ago\n");
  folder_.Write("dmesg.txt", kLog);
  folder_.Write("unrelated", "x");
  std::vector<std::vector<std::string>> crashes;
  for (const CrashLocation& location : Find(folder_.path())) crashes.push_back(Names(*OpenCrash(location)));
  EXPECT_EQ(crashes, (std::vector<std::vector<std::string>>{
                         {"dmesg-efi_pstore-170000000001001", "dmesg-efi_pstore-170000000002001"},
                         {"dmesg-efi_pstore-160000000001001"}}));
}

TEST_F(FindCrashesTest, FindsSystemdsArchive) {
  folder_.Write("1700000000/001/dmesg-efi_pstore-170000000001001", "Panic#1 Part1\n<4>[    2.000000] end\n");
  folder_.Write("1700000000/001/dmesg.txt", kLog);
  folder_.Write("1600000000/dmesg-ramoops-0", "Oops#1 Part1\n<4>[    2.000000] end\n");
  const std::vector<CrashLocation> found = Find(folder_.path());
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].path(), folder_ / "1600000000/dmesg-ramoops-0");
  EXPECT_EQ(found[1].path(), folder_ / "1700000000/001/dmesg-efi_pstore-170000000001001");
}

TEST_F(FindCrashesTest, ReadsADevcoredumpToItsEnd) {
  folder_.Write("devcoredump/devcd7/data", std::string(3 << 20, 'd'));
  folder_.Write("devcoredump/devcdx/data", "no");
  folder_.Write("devcoredump/disabled", "0");
  const FoundCrash crash = OpenOnly(folder_ / "devcoredump");
  EXPECT_EQ(crash.path, folder_ / "devcoredump/devcd7/data");
  ASSERT_EQ(crash.regions.regions.size(), 1u);
  EXPECT_EQ(crash.regions.regions[0].bytes->size(), uint64_t{3} << 20);
  EXPECT_EQ(Find(folder_ / "devcoredump/devcd7").size(), 1u);
}

// Takes everything.
class SafeSink final : public CrashSink {
 public:
  absl::StatusOr<Fate> Accept(const FoundCrash& crash) override {
    ++count;
    regions = crash.regions.regions.size();
    return fate;
  }
  Fate fate = Fate::kSafe;
  int count = 0;
  size_t regions = 0;
};

TEST_F(FindCrashesTest, ReleasesNothingThatLiesInAFolder) {
  folder_.Write("pstore/dmesg-ramoops-0", "Panic#1 Part1\n<4>[    2.000000] end\n");
  folder_.Write("devcd7/data", "dump");
  folder_.Write("md/md_KELF1.BIN", "elf");
  folder_.Write("rawdump.img", RawDump("12345678"));
  SafeSink sink;
  NamedPaths source({folder_.path()}, {.release = true});
  EXPECT_TRUE(source.Drain(sink).ok());
  EXPECT_EQ(sink.count, 4);
  EXPECT_EQ(std::filesystem::file_size(folder_ / "devcd7/data"), 4u);
  EXPECT_TRUE(std::filesystem::exists(folder_ / "pstore/dmesg-ramoops-0"));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "md/md_KELF1.BIN"));
  EXPECT_EQ(Bytes(OpenOnly(folder_ / "rawdump.img").regions.regions[0]), RawDump("12345678"));
}

TEST_F(FindCrashesTest, RemovesTheRecordsThatAreSafeAndNoOthers) {
  folder_.Write("dmesg-ramoops-0");
  folder_.Write("dmesg-ramoops-1");
  const OwnedFd fd(open(folder_.path().c_str(), O_RDONLY | O_DIRECTORY));
  EXPECT_TRUE(RemoveFiles(fd.get(), {"gone-already", "dmesg-ramoops-0"}).ok());
  EXPECT_FALSE(std::filesystem::exists(folder_ / "dmesg-ramoops-0"));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "dmesg-ramoops-1"));
}

TEST_F(FindCrashesTest, AKinfoAreaGoesWithEveryCrashThatHasMemory) {
  // Zero words do not change the checksum of the area.
  folder_.Write("kinfo", Number(0xCCEEDDFF, 4) + std::string(468, '\0'));
  folder_.Write("nothing", "x");
  folder_.Write("in/memory/md_KELF1.BIN", "elf");
  folder_.Write("in/serial.txt", kLog);
  SafeSink sink;
  EXPECT_TRUE(absl::IsInvalidArgument(
      NamedPaths({folder_ / "in/memory"}, {.kinfo = folder_ / "nothing"}).Drain(sink)));
  EXPECT_EQ(sink.count, 0);
  EXPECT_TRUE(NamedPaths({folder_ / "in/serial.txt"}, {.kinfo = folder_ / "nothing"}).Drain(sink).ok());
  EXPECT_EQ(sink.regions, 1u);
}

TEST_F(FindCrashesTest, ADeviceIsOpenedOnlyWhenItIsNamed) {
  if (mknod((folder_ / "null").c_str(), S_IFCHR | 0600, 1 << 8 | 3) != 0) GTEST_SKIP() << "not allowed here";
  EXPECT_TRUE(absl::IsNotFound(FindCrashes(folder_.path()).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(FindCrashes(folder_ / "null").status()));
}

TEST_F(FindCrashesTest, OpensNeitherLinksNorPipesOfAFolder) {
  folder_.Write("elsewhere/rawdump.img", RawDump("12345678"));
  folder_.Write("in/readme", "x");
  ASSERT_EQ(symlink("../elsewhere/rawdump.img", (folder_ / "in/rawdump.img").c_str()), 0);
  ASSERT_EQ(symlink("../elsewhere", (folder_ / "in/folder").c_str()), 0);
  ASSERT_EQ(symlink("../elsewhere", (folder_ / "in/devcd1").c_str()), 0);
  ASSERT_EQ(mkfifo((folder_ / "in/dmesg-ramoops-0").c_str(), 0600), 0);
  EXPECT_TRUE(absl::IsNotFound(FindCrashes(folder_ / "in").status()));
  // The operator's own link is followed.
  EXPECT_EQ(Find(folder_ / "in/rawdump.img").size(), 1u);
}

TEST_F(FindCrashesTest, LooksIntoNothingThatTheKernelMakesUp) {
  // /proc/kcore is an ELF core of this very machine.
  EXPECT_TRUE(absl::IsNotFound(FindCrashes("/proc").status()));
  // A folder of sysfs without a dump is a place where one may come.
  const absl::StatusOr<std::vector<CrashLocation>> sysfs = FindCrashes("/sys/class");
  EXPECT_TRUE(!sysfs.ok() || sysfs->empty());
}

TEST_F(FindCrashesTest, WhatVanishesIsTriedAgain) {
  folder_.Write("in/rawdump.img", RawDump("12345678"));
  const std::vector<CrashLocation> found = Find(folder_ / "in");
  ASSERT_EQ(found.size(), 1u);
  std::filesystem::remove(folder_ / "in/rawdump.img");
  EXPECT_TRUE(absl::IsUnavailable(OpenCrash(found[0]).status()));
  std::filesystem::remove_all(folder_ / "in");
  EXPECT_TRUE(absl::IsNotFound(OpenCrash(found[0]).status()));
}

TEST_F(FindCrashesTest, AHugeFolderIsLookedThroughInPart) {
  for (int i = 0; i < 3000; ++i) folder_.Write(absl::StrCat("in/f", 10000 + i), i == 0 ? RawDump("1") : "x");
  EXPECT_EQ(Find(folder_ / "in").size(), 1u);
}

TEST_F(FindCrashesTest, TellsWhenSomethingChanged) {
  folder_.Write("in/rawdump.img", RawDump("12345678"));
  const CrashLocation in_folder = Find(folder_ / "in").front();
  const CrashLocation named = Find(folder_ / "in/rawdump.img").front();
  const std::string before = *DescribeContents(in_folder) + *DescribeContents(named);
  folder_.Write("in/another", "x");
  EXPECT_EQ(*DescribeContents(in_folder) + *DescribeContents(named), before);
  folder_.Write("in/rawdump.img", RawDump("123456789"));
  EXPECT_NE(*DescribeContents(in_folder), before);
  EXPECT_NE(*DescribeContents(in_folder) + *DescribeContents(named), before);
}

}  // namespace
}  // namespace corefleet
