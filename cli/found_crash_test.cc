#include "cli/found_crash.h"

#include <memory>
#include <sstream>

#include "gtest/gtest.h"

namespace corefleet {
namespace {

Region Piece(RegionKind kind, const std::string& name, const std::string& bytes) {
  Region region;
  region.kind = kind;
  region.file_name = name;
  region.bytes = std::make_shared<MemorySource>(absl::string_view(bytes));
  return region;
}

TEST(FoundCrashTest, SaysWhatItIsInWords) {
  FoundCrash crash{.path = "./memory"};
  crash.regions.regions = {
      Piece(RegionKind::kMemory, "md_KELF1.BIN", "elf"), Piece(RegionKind::kMemory, "md_Kprb22.BIN", "prb"),
      Piece(RegionKind::kAddressTable, "minidump_toc.bin", "rows"),
      Piece(RegionKind::kArtifact, "load.cmm", "d.load.binary md_KELF1.BIN 0x80000000\n")};
  EXPECT_EQ(DescribeFound(crash, crash.regions),
            "./memory: 2 region files, the firmware's address table, a list of regions");
}

TEST(FoundCrashTest, CountsEqualFilesAndWhatIsInThem) {
  FoundCrash crash{.path = "a\x1b[2Jb"};
  crash.regions.regions = {Piece(RegionKind::kArtifact, "dmesg-ramoops-0", "Panic#1 Part1\n<4>the end\n"),
                           Piece(RegionKind::kArtifact, "dmesg-ramoops-1", "Oops#1 Part1\n<4>the start\n"),
                           Piece(RegionKind::kArtifact, "what", "\x01\x02 nothing")};
  RegionSet rebuilt = crash.regions;
  rebuilt.regions.push_back(Piece(RegionKind::kMemory, "inner", "x"));
  rebuilt.regions.back().container = 2;
  EXPECT_EQ(DescribeFound(crash, rebuilt),
            "a\\x1b[2Jb: a pstore record (2 files), of no known kind, 1 piece in it");
}

TEST(FoundCrashTest, RemarksGoToTheErrorStream) {
  std::ostringstream out, err;
  FoundCrash crash{.path = "p", .skipped = {"md_K.BIN: is no regular file"}, .notes = {"collected before"}};
  PrintRemarks(crash, {.out = &out, .err = &err});
  EXPECT_EQ(out.str(), "");
  EXPECT_EQ(err.str(),
            "corefleet: not taken: md_K.BIN: is no regular file\ncorefleet: p: collected before\n");
}

}  // namespace
}  // namespace corefleet
