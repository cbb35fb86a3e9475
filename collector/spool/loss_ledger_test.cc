#include "collector/spool/loss_ledger.h"

#include "collector/spool/faulty_spool_folder.h"
#include "gtest/gtest.h"

namespace corefleet {
namespace {

class LossLedgerTest : public testing::Test {
 protected:
  LossLedger Open() {
    folder_ = disk_.Open();
    return LossLedger(folder_.get(), [this] { return std::string(31, 'e') + std::to_string(++epochs_); });
  }
  FaultyDisk disk_;
  std::unique_ptr<SpoolFolder> folder_;
  int epochs_ = 0;
};

TEST_F(LossLedgerTest, APageComesBack) {
  LedgerPage page{.generation = 7, .next_id = 9, .up_seconds = 10, .boot_seconds = 3, .boot_id = "boot"};
  page.accounts.push_back({.epoch = std::string(32, 'a')});
  page.accounts.back().counts[3] = 5;
  page.going = std::vector<SpoolId>(kMaxGoing, 77);
  page.seen = std::vector<uint64_t>(kMaxSeen, 78);
  while (page.accounts.size() < kMaxAccounts) page.accounts.push_back({.epoch = std::string(32, 'b')});
  const std::string slot = EncodePage(page);
  EXPECT_EQ(slot.size(), kLedgerSlotBytes);
  const auto back = DecodePage(BytesOf(slot));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(*back, page);
  std::string damaged = slot;
  damaged[100] ^= 1;
  EXPECT_FALSE(DecodePage(BytesOf(damaged)).ok());
  EXPECT_FALSE(DecodePage(BytesOf(slot).first(100)).ok());
}

TEST_F(LossLedgerTest, CountsOverRestarts) {
  {
    LossLedger ledger = Open();
    EXPECT_TRUE(ledger.CountGoing({{3, LossReason::kSpoolAge}, {4, LossReason::kSpoolBytes}}).ok());
    ledger.Gone({3});
    EXPECT_TRUE(ledger.CountOnce(LossReason::kTooLarge, 55).ok());
  }
  LossLedger ledger = Open();
  EXPECT_EQ(ledger.ToReport().of(LossReason::kSpoolAge), 1u);
  EXPECT_EQ(ledger.ToReport().total(), 3u);
  EXPECT_FALSE(ledger.WasGoing(3));
  EXPECT_TRUE(ledger.WasGoing(4));
  EXPECT_TRUE(ledger.CountOnce(LossReason::kTooLarge, 55).ok());
  EXPECT_EQ(ledger.ToReport().total(), 3u);
}

TEST_F(LossLedgerTest, ATornSlotLeavesTheOtherOne) {
  LossLedger ledger = Open();
  ASSERT_TRUE(ledger.CountOnce(LossReason::kConsent, 0).ok());
  ASSERT_TRUE(ledger.CountOnce(LossReason::kConsent, 0).ok());
  for (const size_t slot : {0, 1}) {
    std::vector<uint8_t> bytes = *disk_.Bytes("ledger");
    (*disk_.Bytes("ledger"))[slot * kLedgerSlotBytes + 20] ^= 1;
    EXPECT_GE(Open().ToReport().total(), 1u);
    *disk_.Bytes("ledger") = bytes;
  }
}

TEST_F(LossLedgerTest, WhatCouldNotBeWrittenIsOfAnotherEpoch) {
  LossLedger ledger = Open();
  ASSERT_TRUE(ledger.CountOnce(LossReason::kSpoolAge, 0).ok());
  const LossAccount durable = ledger.ToReport();
  disk_.set_read_only(true);
  EXPECT_FALSE(ledger.CountOnce(LossReason::kSpoolAge, 0).ok());
  EXPECT_TRUE(ledger.unsaved());
  // First what is on the disk; once that was heard, what is not.
  EXPECT_EQ(ledger.ToReport(), durable);
  ledger.Reported(durable);
  const LossAccount volatile_one = ledger.ToReport();
  EXPECT_NE(volatile_one.epoch, durable.epoch);
  EXPECT_EQ(volatile_one.of(LossReason::kSpoolAge), 1u);
  // A restart forgets it: what it counts from there on is of the epoch before, which says 1 so far.
  disk_.set_read_only(false);
  LossLedger after = Open();
  EXPECT_EQ(after.ToReport(), durable);
}

TEST_F(LossLedgerTest, WhatIsWrittenLaterKeepsTheEpochThatWasReported) {
  LossLedger ledger = Open();
  ASSERT_TRUE(ledger.CountOnce(LossReason::kSpoolAge, 0).ok());
  disk_.set_read_only(true);
  ledger.CountOnce(LossReason::kSpoolAge, 0).IgnoreError();
  ledger.Reported(ledger.ToReport());
  const LossAccount reported = ledger.ToReport();
  disk_.set_read_only(false);
  ASSERT_TRUE(ledger.Save().ok());
  EXPECT_FALSE(ledger.unsaved());
  LossLedger after = Open();
  EXPECT_EQ(after.ToReport(), reported);
}

TEST_F(LossLedgerTest, ManyFailuresMakeNoManyEpochs) {
  LossLedger ledger = Open();
  uint64_t counted = 0;
  for (int i = 0; i < 30; ++i) {
    disk_.set_read_only(i % 2 == 0);
    ledger.CountOnce(LossReason::kSpoolAge, 0).IgnoreError();
    ++counted;
  }
  EXPECT_LE(ledger.page().accounts.size(), kMaxAccounts);
  uint64_t total = 0;
  for (const LossAccount& account : ledger.page().accounts) total += account.total();
  EXPECT_EQ(total, counted);
}

TEST_F(LossLedgerTest, OnlyTheLastFewMarksAreRemembered) {
  LossLedger ledger = Open();
  for (uint64_t mark = 1; mark <= 100; ++mark)
    ASSERT_TRUE(ledger.CountOnce(LossReason::kTooLarge, mark).ok());
  EXPECT_EQ(ledger.page().seen.size(), kMaxSeen);
  ASSERT_TRUE(ledger.CountOnce(LossReason::kTooLarge, 100).ok());
  EXPECT_EQ(ledger.ToReport().total(), 100u);
}

}  // namespace
}  // namespace corefleet
