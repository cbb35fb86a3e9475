#include "core/pstore/grouping.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/pstore/record_name.h"

namespace corefleet {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(PstoreName, IsTypeBackendAndId) {
  const auto efi = ParsePstoreName("dmesg-efi_pstore-167612345601001");
  ASSERT_TRUE(efi);
  EXPECT_EQ(efi->type, PstoreName::Type::kDmesg);
  EXPECT_EQ(efi->backend, "efi");
  EXPECT_EQ(efi->id, 167612345601001u);
  EXPECT_FALSE(efi->still_packed);
  const auto packed = ParsePstoreName("dmesg-ramoops-3.enc.z");
  ASSERT_TRUE(packed);
  EXPECT_TRUE(packed->still_packed);
  EXPECT_EQ(packed->id, 3u);
  const auto old = ParsePstoreName("console-ramoops");
  ASSERT_TRUE(old);
  EXPECT_EQ(old->type, PstoreName::Type::kConsole);
  EXPECT_EQ(old->id, std::nullopt);
  EXPECT_EQ(ParsePstoreName("powerpc-ofw-nvram-1")->type, PstoreName::Type::kOther);
}

TEST(PstoreName, IsNothingElse) {
  for (const char* name : {"", "dmesg", "dmesg-", "dmesg-old", "dmesg.txt", "dmesg-ramoops-",
                           "dmesg-ramoops-x", "dmesg--1", "dmesg-a b-1", "dmesg-ramoops-99999999999999999999",
                           "xdmesg-ramoops-1", "dmesg-ramoops--1", "console-other", ".enc.z"}) {
    EXPECT_EQ(ParsePstoreName(name), std::nullopt) << name;
  }
}

TEST(RecordHeader, IsReasonCountAndPart) {
  const auto header = ParseRecordHeader("Panic#2 Part14\n<0>[    1.000000] x");
  ASSERT_TRUE(header);
  EXPECT_EQ(header->reason, "Panic");
  EXPECT_EQ(header->count, 2u);
  EXPECT_EQ(header->part, 14u);
  EXPECT_EQ(header->size, 15u);
  EXPECT_TRUE(ParseRecordHeader("Emergency#4294967295 Part4294967295\n"));
}

TEST(RecordHeader, IsNothingElse) {
  for (const char* text :
       {"", "Panic", "Panic#", "Panic#1", "Panic#1 Part", "Panic#1 Part1", "Panic#1 Part1 ",
        "Panic#x Part1\n", "panic#1 Part1\n", "Panic#1  Part1\n", "Panic#99999999999 Part1\n"}) {
    EXPECT_EQ(ParseRecordHeader(text), std::nullopt) << text;
  }
}

// Part numbers of a record, in the order of its text.
std::vector<uint32_t> Numbers(const PstoreRecord& record) {
  std::vector<uint32_t> numbers;
  for (const PstoreRecord::Part& part : record.parts) numbers.push_back(part.number.value_or(0));
  return numbers;
}

TEST(JoinParts, PutsEfiPartsTogetherByTheirIds) {
  const std::vector<PstoreFile> files = {
      {"dmesg-efi-167612345602001.enc.z", ""},
      {"dmesg-efi-167612345601001.enc.z", ""},
      {"dmesg-efi-167612345701002.enc.z", ""},
      {"dmesg-efi-167612345703001.enc.z", ""},  // a second later, and still the first dump
  };
  const auto records = JoinParts(files);
  ASSERT_THAT(records, SizeIs(2));
  EXPECT_EQ(records[0].count, 2u);
  EXPECT_EQ(records[1].count, 1u);
  EXPECT_THAT(Numbers(records[1]), ElementsAre(3, 2, 1));
}

TEST(JoinParts, KeepsEfiDumpsOfTwoBootsApart) {
  const std::vector<PstoreFile> files = {{"dmesg-efi-167612345601001", "Panic#1 Part1\n"},
                                         {"dmesg-efi-167699999902001", "Panic#1 Part2\n"}};
  EXPECT_THAT(JoinParts(files), SizeIs(2));
}

TEST(JoinParts, TakesErstPartsByHeaderAndNeighbourhood) {
  const std::vector<PstoreFile> files = {
      {"dmesg-erst-5825923432345034753", "Panic#1 Part1\n"},
      {"dmesg-erst-5825923432345034754", "Panic#1 Part2\n"},
      {"dmesg-erst-5825923432345034756", "Panic#1 Part3\n"},
      {"dmesg-erst-6825923432345034756", "Panic#1 Part4\n"},
  };
  const auto records = JoinParts(files);
  ASSERT_THAT(records, SizeIs(2));
  EXPECT_THAT(Numbers(records[0]), ElementsAre(4));
  EXPECT_THAT(Numbers(records[1]), ElementsAre(3, 2, 1));
}

TEST(JoinParts, TakesPackedErstPartsByConsecutiveIdsOldestLast) {
  const std::vector<PstoreFile> files = {
      {"dmesg-erst-10.enc.z", ""}, {"dmesg-erst-11.enc.z", ""}, {"dmesg-erst-13.enc.z", ""}};
  const auto records = JoinParts(files);
  ASSERT_THAT(records, SizeIs(2));
  ASSERT_THAT(records[1].parts, SizeIs(2));
  EXPECT_EQ(records[1].parts[0].file, 1u);
  EXPECT_EQ(records[1].parts[1].file, 0u);
}

TEST(JoinParts, NeverJoinsZonesOfRamoops) {
  const std::vector<PstoreFile> files = {{"dmesg-ramoops-0", "Panic#1 Part1\n"},
                                         {"dmesg-ramoops-1", "Panic#1 Part2\n"}};
  EXPECT_THAT(JoinParts(files), SizeIs(2));
}

TEST(JoinParts, GivesASecondDumpWithTheSamePartNumberARecordOfItsOwn) {
  const std::vector<PstoreFile> files = {{"dmesg-nvram-1", "Panic#1 Part1\n"},
                                         {"dmesg-nvram-2", "Panic#1 Part1\n"}};
  EXPECT_THAT(JoinParts(files), SizeIs(2));
}

std::vector<std::vector<size_t>> FilesOf(const std::vector<PstoreGroup>& groups) {
  std::vector<std::vector<size_t>> files;
  for (const PstoreGroup& group : groups) files.push_back(group.files);
  return files;
}

TEST(GroupPstoreFiles, OopsAndThePanicAfterItAreOneDeath) {
  const std::vector<PstoreFile> files = {{"dmesg-ramoops-0", "Oops#1 Part1\n"},
                                         {"console-ramoops-0", "[    0.0"},
                                         {"dmesg-ramoops-1", "Panic#2 Part1\n"},
                                         {"pmsg-ramoops-0", ""},
                                         {"README", "Panic"}};
  const auto groups = GroupPstoreFiles(files);
  ASSERT_THAT(FilesOf(groups), ElementsAre(ElementsAre(0, 1, 2, 3)));
  EXPECT_EQ(groups[0].key, "console-ramoops-0");
}

TEST(GroupPstoreFiles, PanicsAreDeathsOfTheirOwn) {
  const std::vector<PstoreFile> files = {{"dmesg-ramoops-0", "Panic#1 Part1\n", 1000},
                                         {"dmesg-ramoops-1", "Panic#1 Part1\n", 5000},
                                         {"console-ramoops-0", ""}};
  EXPECT_THAT(FilesOf(GroupPstoreFiles(files)), ElementsAre(ElementsAre(1, 2), ElementsAre(0)));
}

TEST(GroupPstoreFiles, OopsThatWasSurvivedIsACrashOfItsOwn) {
  const std::vector<PstoreFile> files = {{"dmesg-ramoops-0", "Oops#1 Part1\n", 1000},
                                         {"dmesg-ramoops-1", "Panic#2 Part1\n", 9000}};
  EXPECT_THAT(FilesOf(GroupPstoreFiles(files)), ElementsAre(ElementsAre(1), ElementsAre(0)));
}

TEST(GroupPstoreFiles, TakesTheOopsNextToThePanic) {
  const std::vector<PstoreFile> files = {{"dmesg-ramoops-0", "Oops#1 Part1\n"},
                                         {"dmesg-ramoops-4", "Oops#1 Part1\n"},
                                         {"dmesg-ramoops-5", "Panic#2 Part1\n"}};
  EXPECT_THAT(FilesOf(GroupPstoreFiles(files)), ElementsAre(ElementsAre(1, 2), ElementsAre(0)));
}

TEST(GroupPstoreFiles, WithoutADumpTheRestIsAGroup) {
  const std::vector<PstoreFile> files = {{"console-ramoops", ""}, {"pmsg-ramoops-0", ""}};
  EXPECT_THAT(FilesOf(GroupPstoreFiles(files)), ElementsAre(ElementsAre(0, 1)));
  EXPECT_THAT(GroupPstoreFiles({}), IsEmpty());
}

TEST(GroupPstoreFiles, OrderOfFilesDoesNotMatter) {
  std::vector<PstoreFile> files = {{"dmesg-efi-167612345601001", "Oops#1 Part1\n"},
                                   {"dmesg-efi-167612345602001", "Oops#1 Part2\n"},
                                   {"dmesg-efi-167612345701002", "Panic#2 Part1\n"},
                                   {"dmesg-efi-177612345701001.enc.z", ""},
                                   {"console-efi-1", ""}};
  const auto names = [](const std::vector<PstoreFile>& of) {
    std::vector<std::vector<std::string>> all;
    for (const PstoreGroup& group : GroupPstoreFiles(of)) {
      all.emplace_back();
      for (const size_t file : group.files) all.back().push_back(of[file].name);
      std::sort(all.back().begin(), all.back().end());
    }
    return all;
  };
  const auto expected = names(files);
  EXPECT_THAT(expected, SizeIs(2));
  std::sort(files.begin(), files.end(),
            [](const PstoreFile& a, const PstoreFile& b) { return a.name > b.name; });
  EXPECT_EQ(names(files), expected);
}

}  // namespace
}  // namespace corefleet
