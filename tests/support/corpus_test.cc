#include "tests/support/corpus.h"

#include <gtest/gtest.h>

namespace corefleet {
namespace {

TEST(CorpusTest, EveryPackHasRegionsAndTheirTruth) {
  for (const CorpusCase& crash : ReadCorpus()) {
    SCOPED_TRACE(crash.name);
    EXPECT_EQ(crash.file("md_KELF1.BIN").substr(0, 4),
              "\x7f"
              "ELF");
    EXPECT_FALSE(crash.file("expected.json").empty());
    EXPECT_FALSE(crash.file("expected_core.elf").empty());
  }
}

TEST(CorpusTest, NamesRegionsAsACollectorWould) {
  const CorpusCase crash = ReadCorpusCase("a47-null-oops");
  const RegionSet set = RegionsOf(crash, WithTable::kYes);
  EXPECT_EQ(set.regions.size(), 47u);
  size_t tables = 0;
  for (const Region& region : set.regions) {
    if (region.kind == RegionKind::kAddressTable) ++tables;
    if (region.file_name != "md_Kprb_info24.BIN") continue;
    EXPECT_EQ(region.name, "Kprb_info");
    EXPECT_EQ(region.id, 24u);
    EXPECT_EQ(region.bytes->size(), 360448u);
  }
  EXPECT_EQ(tables, 1u);
  EXPECT_EQ(RegionsOf(crash, WithTable::kNo).regions.size(), 46u);
}

TEST(CorpusTest, SaysWhenAPackCannotBeRead) {
  EXPECT_EQ(ReadCorpusPack("tests/corpus/none.tar.zst").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace corefleet
