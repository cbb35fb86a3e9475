#include "tests/bench/load/ledger.h"

#include <gtest/gtest.h>

#include <fstream>

namespace corefleet {
namespace {

std::string Path(const std::string& name) { return testing::TempDir() + "/" + name; }

TEST(Ledger, IsReadBackAsItWasWritten) {
  const std::string path = Path("ledger");
  {
    const std::unique_ptr<Ledger> ledger = *Ledger::Open(path);
    ledger->Begun("s1", "c1");
    v1::ChunkRange range;
    range.set_region(3);
    range.set_first(7);
    range.set_count(2);
    ledger->Acknowledged("s1", range);
  }
  (*Ledger::Open(path))->Finished("s1", "c1", "crash1");  // appends
  const LedgerEntries entries = *ReadLedger(path);
  EXPECT_EQ(entries.begun.at("s1"), "c1");
  EXPECT_EQ(entries.acknowledged.at("s1"), (std::set<std::pair<uint32_t, uint64_t>>{{3, 7}, {3, 8}}));
  EXPECT_EQ(entries.finished.at("s1").crash, "crash1");
}

TEST(Ledger, ATornLastLineCountsForNothing) {
  std::ofstream(Path("torn")) << "B s1 c1\nF s1 c1 cra";
  EXPECT_TRUE(ReadLedger(Path("torn"))->finished.empty());
  EXPECT_EQ(ReadLedger(Path("torn"))->begun.size(), 1u);
}

TEST(Ledger, RefusesWhatIsNoLedger) {
  std::ofstream(Path("other")) << "hello\n";
  EXPECT_FALSE(ReadLedger(Path("other")).ok());
  EXPECT_FALSE(ReadLedger(Path("nowhere")).ok());
}

}  // namespace
}  // namespace corefleet
