#include "collector/source/region_folder.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "collector/source/find_crashes.h"
#include "collector/source/scratch_folder.h"
#include "core/bytes/byte_source.h"
#include "gtest/gtest.h"

namespace corefleet {
namespace {

class RegionFolderTest : public testing::Test {
 protected:
  void Write(const std::string& name, const std::string& bytes = "x") { folder_.Write(name, bytes); }

  absl::StatusOr<FoundCrash> Open() { return adapter_.Open({.adapter = &adapter_, .root = root_}); }

  std::vector<std::string> FileNames(const FoundCrash& crash) {
    std::vector<std::string> names;
    for (const Region& region : crash.regions.regions) names.push_back(region.file_name);
    return names;
  }

  // Where crashes are found.
  std::vector<std::string> Paths() {
    std::vector<std::string> paths;
    const absl::StatusOr<std::vector<CrashLocation>> found = FindCrashes(root_);
    EXPECT_TRUE(found.ok()) << found.status();
    for (const CrashLocation& location : *found) paths.push_back(location.path());
    return paths;
  }

  const ScratchFolder folder_;
  const std::string& root_ = folder_.path();
  const RegionFolderAdapter adapter_{};
};

// A table of one row as the minidump driver lays it out.
std::string AddressTableBytes() {
  std::string row(40, '\0');
  row.replace(0, 4, "KELF");
  row[16] = 1;
  row.replace(20, 4, "ILAV");
  row[28] = 1;
  row[33] = 1;
  return row;
}

TEST_F(RegionFolderTest, TakesRegionsAndTheTableAndNothingElse) {
  Write("md_KELF1.BIN", "elf");
  Write("md_Kprb_info24.bin", "infos");
  Write("minidump_toc.bin", AddressTableBytes());
  Write("dmesg.txt");
  Write("expected_core.elf");
  Write("md_KELF1.BIN.part");
  const absl::StatusOr<FoundCrash> crash = Open();
  ASSERT_TRUE(crash.ok()) << crash.status();
  EXPECT_EQ(FileNames(*crash),
            (std::vector<std::string>{"md_KELF1.BIN", "md_Kprb_info24.bin", "minidump_toc.bin"}));
  const Region& infos = crash->regions.regions[1];
  EXPECT_EQ(infos.name, "Kprb_info");
  EXPECT_EQ(infos.id, 24u);
  EXPECT_EQ(infos.bytes->size(), 5u);
  EXPECT_EQ(infos.paddr, std::nullopt);
  EXPECT_EQ(crash->regions.regions[2].kind, RegionKind::kAddressTable);
}

TEST_F(RegionFolderTest, KnowsTheTableByItsContent) {
  Write("md_KELF1.BIN");
  Write("addresses.dat", AddressTableBytes());
  Write("forty.txt", std::string(40, 'a'));
  const absl::StatusOr<FoundCrash> crash = Open();
  ASSERT_TRUE(crash.ok());
  EXPECT_EQ(FileNames(*crash), (std::vector<std::string>{"md_KELF1.BIN", "addresses.dat"}));
}

TEST_F(RegionFolderTest, TakesHostileNamesAsTheyAre) {
  const std::vector<std::string> names = {"md_K\n\x1b[2J.BIN", "md_K\xff\xfe.BIN",
                                          absl::StrCat("md_", std::string(248, 'K'), ".BIN"), "md_KELF1.BIN",
                                          "md_kelf1.bin"};
  for (const std::string& name : names) Write(name);
  const absl::StatusOr<FoundCrash> crash = Open();
  ASSERT_TRUE(crash.ok());
  std::vector<std::string> sorted = names;
  std::sort(sorted.begin(), sorted.end());
  EXPECT_EQ(FileNames(*crash), sorted);
}

TEST_F(RegionFolderTest, NeverOpensLinksFifosAndFolders) {
  Write("md_KELF1.BIN");
  Write("md_Kfolder2.BIN/inner");
  ASSERT_EQ(mkfifo((root_ + "/md_Kfifo3.BIN").c_str(), 0600), 0);
  ASSERT_EQ(symlink("/etc/passwd", (root_ + "/md_Klink4.BIN").c_str()), 0);
  ASSERT_EQ(symlink("md_KELF1.BIN", (root_ + "/minidump_toc.bin").c_str()), 0);
  const absl::StatusOr<FoundCrash> crash = Open();
  ASSERT_TRUE(crash.ok());
  EXPECT_EQ(FileNames(*crash), std::vector<std::string>{"md_KELF1.BIN"});
  EXPECT_EQ(crash->skipped.size(), 3u);
}

TEST_F(RegionFolderTest, ReadsADeletedFileToItsEndAndNoticesAShrunkenOne) {
  Write("md_KELF1.BIN", "0123456789");
  Write("md_Kprb22.BIN", "0123456789");
  const absl::StatusOr<FoundCrash> crash = Open();
  ASSERT_TRUE(crash.ok());
  std::filesystem::remove(root_ + "/md_KELF1.BIN");
  std::filesystem::resize_file(root_ + "/md_Kprb22.BIN", 4);
  EXPECT_TRUE(ReadBytes(*crash->regions.regions[0].bytes, 0, 10).ok());
  EXPECT_TRUE(absl::IsUnavailable(ReadBytes(*crash->regions.regions[1].bytes, 0, 10).status()));
  std::filesystem::resize_file(root_ + "/md_Kprb22.BIN", 40);
  EXPECT_EQ(crash->regions.regions[1].bytes->size(), 10u);
}

TEST_F(RegionFolderTest, SaysWhatItLookedForWhenThereIsNothing) {
  Write("readme.txt");
  const absl::Status status = FindCrashes(root_).status();
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_TRUE(absl::StrContains(status.message(), "md_KELF1.BIN")) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "1 other files")) << status;
  EXPECT_TRUE(absl::IsNotFound(FindCrashes(root_ + "/nowhere").status()));
}

TEST_F(RegionFolderTest, FindsEveryCrashBelowAFolder) {
  Write("monday/md_KELF1.BIN");
  Write("tuesday/memory/md_KELF1.BIN");
  Write("tuesday/deeper/md_KELF1.BIN");
  Write("empty/notes.txt");
  ASSERT_EQ(symlink("monday", (root_ + "/link").c_str()), 0);
  EXPECT_EQ(Paths(), (std::vector<std::string>{root_ + "/monday", root_ + "/tuesday/memory"}));
}

TEST_F(RegionFolderTest, TheSameNamesInASubfolderAreAnotherCrash) {
  Write("md_KELF1.BIN", "old");
  Write("memory/md_KELF1.BIN", "new");
  EXPECT_EQ(Paths(), (std::vector<std::string>{root_, root_ + "/memory"}));
}

TEST_F(RegionFolderTest, TakesWhatTheToolsLeft) {
  Write("md_KELF1.BIN", "elf");
  Write("OCIMEM.BIN", "iram");
  Write("CODERAM.BIN", "not listed");
  Write("load.cmm", "d.load.binary OCIMEM.BIN 0x14680000 /noverify\n");
  Write("Minidump.ELF", std::string("\x7f"
                                    "ELF\2\1\1\0 and so on",
                                    18));
  Write("expected_core.elf", std::string("\x7f"
                                         "ELF\2\1\1\0 and so on",
                                         18));
  Write("ap_minidump.elf", "no core at all");
  Write("dmesg.txt", "[    0.000000] Linux version 6.1.0\n[    0.000001] Command line: quiet\n");
  Write("truth.json", "{}");
  const absl::StatusOr<FoundCrash> crash = Open();
  ASSERT_TRUE(crash.ok()) << crash.status();
  EXPECT_EQ(FileNames(*crash),
            (std::vector<std::string>{"md_KELF1.BIN", "load.cmm", "Minidump.ELF", "OCIMEM.BIN"}));
  EXPECT_EQ(crash->regions.regions[1].kind, RegionKind::kArtifact);
  EXPECT_EQ(crash->regions.regions[3].kind, RegionKind::kMemory);
}

TEST_F(RegionFolderTest, AListAndTheFilesThatItNamesAreEnough) {
  Write("DDRCS0_0.BIN", "memory");
  Write("load.cmm", "d.load.binary DDRCS0_0.BIN 0x80000000 /noverify\n");
  EXPECT_EQ(Paths(), std::vector<std::string>{root_});
  EXPECT_EQ(FileNames(*Open()), (std::vector<std::string>{"load.cmm", "DDRCS0_0.BIN"}));
  std::filesystem::remove(folder_ / "DDRCS0_0.BIN");
  EXPECT_TRUE(absl::IsNotFound(FindCrashes(root_).status()));
}

TEST_F(RegionFolderTest, EdlsLogLiesAboveItsFolder) {
  Write("memory/md_KELF1.BIN");
  Write("memory/OCIMEM.BIN");
  Write("load.cmm", "d.load.binary OCIMEM.BIN 0x14680000 /noverify\n");
  Write("notes.txt");
  const absl::StatusOr<std::vector<CrashLocation>> found = FindCrashes(root_);
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_EQ(found->size(), 1u);
  EXPECT_EQ((*found)[0].path(), root_ + "/memory");
  EXPECT_EQ(FileNames(*OpenCrash((*found)[0])),
            (std::vector<std::string>{"load.cmm", "md_KELF1.BIN", "OCIMEM.BIN"}));
}

TEST_F(RegionFolderTest, ARegionFileByItselfIsARegion) {
  Write("md_Kprb_info24.bin", "infos");
  const absl::StatusOr<std::vector<CrashLocation>> found = FindCrashes(folder_ / "md_Kprb_info24.bin");
  ASSERT_TRUE(found.ok()) << found.status();
  const absl::StatusOr<FoundCrash> crash = OpenCrash(found->front());
  ASSERT_TRUE(crash.ok()) << crash.status();
  ASSERT_EQ(crash->regions.regions.size(), 1u);
  EXPECT_EQ(crash->regions.regions[0].kind, RegionKind::kMemory);
  EXPECT_EQ(crash->regions.regions[0].name, "Kprb_info");
  EXPECT_EQ(crash->regions.regions[0].id, 24u);
}

TEST_F(RegionFolderTest, RefusesMoreRegionsThanACrashCanHave) {
  for (size_t i = 0; i <= kMaxRegions; ++i) Write(absl::StrCat("md_K", i, ".BIN"));
  AllowManyOpenFiles();
  EXPECT_TRUE(absl::IsInvalidArgument(Open().status())) << Open().status();
}

// Counts, and refuses the first.
class PickySink final : public CrashSink {
 public:
  absl::StatusOr<Fate> Accept(const FoundCrash& crash) override {
    paths.push_back(crash.path);
    if (paths.size() == 1) return absl::UnavailableError("not now");
    return Fate::kSafe;
  }
  std::vector<std::string> paths;
};

TEST_F(RegionFolderTest, OneBadCrashDoesNotStopTheOthers) {
  Write("a/md_KELF1.BIN");
  Write("b/md_KELF1.BIN");
  PickySink sink;
  NamedPaths source({root_ + "/nowhere", root_}, {});
  EXPECT_TRUE(absl::IsNotFound(source.Drain(sink)));
  EXPECT_EQ(sink.paths, (std::vector<std::string>{root_ + "/a", root_ + "/b"}));
}

}  // namespace
}  // namespace corefleet
