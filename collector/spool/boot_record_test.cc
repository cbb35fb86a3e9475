#include "collector/spool/boot_record.h"

#include "collector/spool/faulty_spool_folder.h"
#include "gtest/gtest.h"

namespace corefleet {
namespace {

class BootRecordTest : public testing::Test {
 protected:
  BootRecord Boots(const std::string& id, const std::string& os, const std::string& release = "6.1.0") {
    return BootRecord::Open(folder_.get(), {id, os, release}, &written_);
  }
  FaultyDisk disk_;
  std::unique_ptr<SpoolFolder> folder_ = disk_.Open();
  absl::Status written_;
};

TEST_F(BootRecordTest, TheOneBeforeIsBlamed) {
  const BootRecord first = Boots("1", "OS 1");
  EXPECT_TRUE(written_.ok());
  EXPECT_TRUE(first.first_look_in_this_boot());
  EXPECT_EQ(first.Blamed("pstore", ""), nullptr);  // nobody knows what booted before
  EXPECT_FALSE(Boots("1", "OS 1").first_look_in_this_boot());
  const BootRecord second = Boots("2", "OS 2");
  EXPECT_TRUE(second.first_look_in_this_boot());
  ASSERT_NE(second.Blamed("pstore", ""), nullptr);
  EXPECT_EQ(second.Blamed("pstore", "")->os_version, "OS 1");
  EXPECT_EQ(second.Blamed("devcoredump", "")->os_version, "OS 2");
}

TEST_F(BootRecordTest, TheCrashSaysWhichKernelItWas) {
  Boots("1", "OS 1", "6.1.0");
  Boots("2", "OS 2", "6.6.0");
  Boots("3", "OS 2", "6.6.0");
  const BootRecord record = Boots("4", "OS 3", "6.9.0");
  EXPECT_EQ(record.Blamed("pstore", "6.1.0")->os_version, "OS 1");
  EXPECT_EQ(record.Blamed("pstore", "6.6.0")->boot_id, "3");
  // A kernel that died before it could be recorded, of an update that was rolled back.
  EXPECT_EQ(record.Blamed("pstore", "6.8.0"), nullptr);
}

TEST_F(BootRecordTest, WhatWaitedIsBlamedOnTheOneBeforeItWasFound) {
  Boots("1", "OS 1");
  Boots("2", "OS 2");
  Boots("3", "OS 3");
  const BootRecord record = Boots("4", "OS 4");
  EXPECT_EQ(record.Blamed("pstore", "", "2")->os_version, "OS 1");
  EXPECT_EQ(record.Blamed("pstore", "", "3")->os_version, "OS 2");
  EXPECT_EQ(record.Blamed("devcoredump", "", "3")->os_version, "OS 3");
  EXPECT_EQ(record.Blamed("pstore", "", "1"), nullptr);
  EXPECT_EQ(record.Blamed("pstore", "", "forgotten"), nullptr);
}

TEST_F(BootRecordTest, ALoopKeepsAShortHistory) {
  for (int i = 0; i < 100; ++i) Boots(std::to_string(i), "OS");
  const BootRecord record = Boots("last", "OS");
  EXPECT_EQ(record.boots().size(), 32u);
  EXPECT_EQ(record.now().boot_id, "last");
}

TEST_F(BootRecordTest, AReadOnlyFolderStillSaysWhatItKnows) {
  Boots("1", "OS 1");
  disk_.set_read_only(true);
  const BootRecord record = Boots("2", "OS 2");
  EXPECT_FALSE(written_.ok());
  EXPECT_EQ(record.Blamed("pstore", "")->os_version, "OS 1");
}

TEST_F(BootRecordTest, APowerCutAtAnyChangeLeavesTheOldOrTheNew) {
  for (int change = 1; change < 10; ++change) {
    FaultyDisk disk;
    auto folder = disk.Open();
    BootRecord::Open(folder.get(), {"1", "OS 1", "6"}, &written_);
    ASSERT_TRUE(written_.ok());
    disk.DieAt(change);
    BootRecord::Open(folder.get(), {"2", "OS 2", "6"}, &written_);
    const bool promised = written_.ok();
    uint64_t dice = 0;
    disk.CutPower([&dice](uint64_t below) { return ++dice % below; });
    const BootRecord record = BootRecord::Open(disk.Open().get(), {"3", "OS 3", "6"}, &written_);
    EXPECT_EQ(record.boots().size(), promised || record.boots().size() == 3 ? 3u : 2u);
    EXPECT_EQ(record.boots().front().os_version, "OS 1");
  }
}

TEST_F(BootRecordTest, AForgedOrTornFileDoesNoHarm) {
  Boots("1", "OS 1");
  const std::string text = "half a line\na\tb\n\t\t\t\tx\n" + std::string(100000, 'z');
  disk_.Bytes("boots")->assign(text.begin(), text.end());
  const BootRecord record = Boots("2", "O\tS\n2");
  EXPECT_EQ(record.boots().size(), 1u);
  EXPECT_EQ(Boots("2", "O\tS\n2").boots().size(), 1u);
}

TEST(OsVersionTest, OutOfOsRelease) {
  EXPECT_EQ(OsVersionOf("PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\n"),
            "Debian GNU/Linux 12 (bookworm)");
  EXPECT_EQ(OsVersionOf("NAME=Poky\nVERSION_ID='4.0.1'\nBUILD_ID=20230101\n"), "Poky 4.0.1 [20230101]");
  EXPECT_EQ(OsVersionOf("PRETTY_NAME=\"a \\\"b\\\"\"\nBUILD_ID=1\nIMAGE_VERSION=2"), "a \"b\" [2]");
  EXPECT_EQ(OsVersionOf(""), "");
  EXPECT_EQ(OsVersionOf("garbage\n===\n\"\n"), "");
  EXPECT_LE(OsVersionOf("PRETTY_NAME=" + std::string(9999, 'x')).size(), 256u);
}

TEST(OsVersionTest, OfThisMachine) {
  const Boot boot = ThisBoot("x");
  EXPECT_EQ(boot.boot_id.size(), 36u);
  EXPECT_NE(boot.kernel_release, "");
}

}  // namespace
}  // namespace corefleet
