// What every CrashIndex keeps of a fleet's ingest: terms, sessions and the account of all offers.
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/contract/ingest_fixture.h"

namespace corefleet {
namespace {

using Counts = std::vector<ReasonCount>;

TEST_P(IngestTest, TermsAreKeptWithTheSession) {
  const SessionTerms terms = TermsOf(SessionWant::kLogOnly, "rule \"7\"", UINT32_MAX);
  const Session begun = BeginWith(1, terms);
  EXPECT_EQ(begun.terms, terms);
  EXPECT_EQ(index_->GetSession(begun.id)->terms, terms);
  EXPECT_EQ(BeginWith(1, SessionTerms()).terms, terms) << "one that is there keeps its own";
  EXPECT_EQ(BeginWith(2, SessionTerms()).terms, SessionTerms());
  EXPECT_EQ(Begin(2)->session.terms, SessionTerms());
}

TEST_P(IngestTest, HintsOfAnyBytesAndTimesAreTaken) {
  SessionTerms terms;
  terms.rule = std::string("a\0b", 3);
  terms.hints.panic = std::string("\xff\0\"\\\n", 5) + std::string(300, 'x');
  terms.hints.captured_at = absl::InfiniteFuture();
  const SessionId id = BeginWith(1, terms).id;
  EXPECT_TRUE(index_->GetSession(id)->terms.hints.captured_at.has_value());
  ASSERT_TRUE(index_->FinishSession(id, FreshCrash(), 1, 1).ok());
}

TEST_P(IngestTest, ACrashSaysOnWhatTermsItCame) {
  const PartialCrash part = LogOnly(1);
  const auto crash = index_->GetCrash(part.crash);
  ASSERT_TRUE(crash.ok()) << crash.status();
  const auto page = index_->ListCrashes({}, CrashId(), 10);
  ASSERT_TRUE(page.ok()) << page.status();
  for (const StoredCrash& one : {*crash, page->crashes.at(0)}) {
    EXPECT_EQ(one.raw_bytes, 100u);
    EXPECT_EQ(one.here_bytes, 40u);
    EXPECT_EQ(one.stored_bytes, 20u);
    EXPECT_EQ(one.want, SessionWant::kLogOnly);
    EXPECT_EQ(one.rule, "logs");
    EXPECT_EQ(one.weight, 50u);
    EXPECT_EQ(one.os_version, "OS 4.2 \xc3\xbc");
    EXPECT_EQ(one.source, "folder");
    EXPECT_EQ(one.captured_at, kNow - kDay);
    EXPECT_EQ(one.revision, 0u);
  }
  const StoredCrash whole = *index_->GetCrash(Crash(2));
  EXPECT_EQ(whole.here_bytes, whole.raw_bytes);
  EXPECT_EQ(whole.weight, 1u);
  EXPECT_FALSE(whole.captured_at.has_value());
}

TEST_P(IngestTest, ASessionIsFoundByItsDeviceAndItsCrash) {
  const CrashUid uid = UidOf(ManifestNumber(1));
  ASSERT_TRUE(index_->FindSession(DeviceId("lab-1"), uid).ok());
  EXPECT_FALSE(index_->FindSession(DeviceId("lab-1"), uid)->has_value());
  const Session begun = BeginWith(1, TermsOf(SessionWant::kAll, "r", 2));
  const auto found = *index_->FindSession(DeviceId("lab-1"), uid);
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->id, begun.id);
  EXPECT_EQ(found->manifest, begun.manifest);
  EXPECT_EQ(found->terms, begun.terms);
  EXPECT_EQ(found->expires_at, kNow + kDay);
  EXPECT_FALSE(index_->FindSession(DeviceId("lab-2"), uid)->has_value());
  const CrashId crash = *index_->FinishSession(begun.id, FreshCrash(), 1, 1);
  EXPECT_EQ((*index_->FindSession(DeviceId("lab-1"), uid))->crash, crash);
  EXPECT_EQ(Account().offered, 1u) << "to look is no offer";
}

TEST_P(IngestTest, OpenSessionsTheLastToExpireFirst) {
  EXPECT_TRUE(index_->OpenSessions(10)->empty());
  std::vector<SessionKey> keys;
  for (const int number : {1, 2, 3}) {
    const Session session = Begin(number)->session;
    keys.push_back({session.device, session.uid});
    if (number == 2) {
      ASSERT_TRUE(index_->FinishSession(session.id, FreshCrash(), 1, 1).ok());
    } else {
      ASSERT_TRUE(index_->AddPacks(session.id, {PackNumber(number)}, kNow, kNow + (10 + number) * kDay).ok());
    }
  }
  EXPECT_EQ(*index_->OpenSessions(10), (std::vector<SessionKey>{keys[2], keys[0]})) << "a crash has none";
  EXPECT_EQ(*index_->OpenSessions(1), std::vector<SessionKey>{keys[2]});
  EXPECT_TRUE(index_->OpenSessions(-1)->empty());
}

TEST_P(IngestTest, ExpiredSessionsWithPacksAreNamedAndNotForgotten) {
  std::vector<SessionId> ids;
  for (const int days : {3, 1, 2}) {
    ids.push_back(index_
                      ->BeginSession(DeviceId("lab-1"), ManifestNumber(days), "", SessionTerms(),
                                     FreshSession(), kNow, kNow + days * kDay)
                      ->session.id);
    ASSERT_TRUE(index_->AddPack(ids.back(), PackNumber(days)).ok());
  }
  const SessionId empty = Begin(9)->session.id;
  const absl::Time late = kNow + 10 * kDay;
  EXPECT_TRUE(index_->ExpiredWithPacks(kNow + kDay, 10)->empty()) << "not yet";
  using Ids = std::vector<SessionId>;
  EXPECT_EQ(*index_->ExpiredWithPacks(late, 10), (Ids{ids[1], ids[2], ids[0]}));
  EXPECT_EQ(*index_->ExpiredWithPacks(late, 2), (Ids{ids[1], ids[2]}));
  EXPECT_EQ(*index_->ExpireSessions(late, 10, "never_sent"), 1);
  EXPECT_EQ(index_->GetSession(empty).status().code(), absl::StatusCode::kNotFound);
  for (const SessionId& id : ids) {
    ASSERT_TRUE(index_->FinishSession(id, FreshCrash(), {.raw = 100, .here = 5, .stored = 5}).ok());
  }
  EXPECT_TRUE(index_->ExpiredWithPacks(late, 10)->empty());
  EXPECT_EQ(Account().accepted, 3u);
}

TEST_P(IngestTest, EveryOfferIsSomewhere) {
  EXPECT_EQ(Account().offered, 0u);
  const SessionId accepted = Begin(1)->session.id;
  Begin(1).IgnoreError();  // the same offer
  ASSERT_TRUE(Begin(2).ok());
  const SessionId abandoned = Begin(3)->session.id;
  ASSERT_TRUE(Begin(4).ok());
  EXPECT_EQ(Account().pending, 4u);
  ASSERT_TRUE(index_->FinishSession(accepted, FreshCrash(), 1, 1).ok());
  ASSERT_TRUE(index_->FinishSession(accepted, FreshCrash(), 1, 1).ok());
  ASSERT_TRUE(index_->AbandonSession(abandoned, "abandoned").ok());
  ASSERT_TRUE(index_->AbandonSession(abandoned, "abandoned").ok());
  ASSERT_TRUE(index_->AddRefusals({{"store_full", 3}, {"device_bucket", 1}, {"nothing", 0}}).ok());
  ASSERT_TRUE(index_->AddRefusals({}).ok());
  ASSERT_TRUE(index_->AddRefusals({{"store_full", 2}}).ok());
  EXPECT_EQ(*index_->ExpireSessions(kNow + 2 * kDay, 1, "never_sent"), 1);
  const IngestAccount account = Account();
  EXPECT_EQ(account.offered, 10u);
  EXPECT_EQ(account.accepted, 1u);
  EXPECT_EQ(account.refused, (Counts{{"device_bucket", 1}, {"store_full", 5}}));
  EXPECT_EQ(account.expired, (Counts{{"abandoned", 1}, {"never_sent", 1}}));
  EXPECT_EQ(account.pending, 1u);
}

TEST_P(IngestTest, TheAccountBalancesWhileEverythingHappens) {
  std::vector<std::thread> threads;
  std::atomic<bool> done = false;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this, t] {
      for (int i = 0; i < 12; ++i) {
        const SessionId id(absl::StrFormat("%016x%016x", t + 1, i));
        const auto begun = index_->BeginSession(DeviceId(absl::StrCat("lab-", t)), ManifestNumber(i), "",
                                                SessionTerms(), id, kNow, kNow + kDay);
        ASSERT_TRUE(begun.ok()) << begun.status();
        const uint8_t byte = static_cast<uint8_t>(t * 16 + i);
        if (i % 3 == 0) {
          EXPECT_TRUE(
              index_->FinishSession(id, CrashId::Make(kNow, {0, 0, 0, 0, 0, 0, 0, 0, 0, byte}), 1, 1).ok());
        }
        if (i % 3 == 1) {
          EXPECT_TRUE(index_->AbandonSession(id, "abandoned").ok());
        }
        EXPECT_TRUE(index_->AddRefusals({{"store_full", 1}}).ok());
        EXPECT_TRUE(index_->ReportLosses(DeviceId("shared"), "e", {{"age", i + 1u}}, kNow).ok());
      }
    });
  }
  threads.emplace_back([&] {
    while (!done) EXPECT_EQ(index_->Account()->Difference(), 0);
  });
  for (int t = 0; t < 4; ++t) threads[t].join();
  done = true;
  threads.back().join();
  const IngestAccount account = Account();
  EXPECT_EQ(account.offered, 4u * 12 * 2 + 12);
  EXPECT_EQ(account.accepted, 4u * 4);
  EXPECT_EQ(account.pending, 4u * 4);
  EXPECT_EQ(account.expired, (Counts{{"abandoned", 16}, {"device_age", 12}}));
}

TEST_P(IngestTest, ADevicesLossesCountOnce) {
  const auto report = [&](const std::string& device, const std::string& epoch, const Counts& lost) {
    EXPECT_TRUE(index_->ReportLosses(DeviceId(device), epoch, lost, kNow).ok());
    return Account().expired;
  };
  EXPECT_EQ(report("a", "1", {}), Counts{});
  EXPECT_EQ(report("a", "1", {{"age", 0}}), Counts{});
  EXPECT_EQ(report("a", "1", {{"age", 2}, {"bytes", 1}}), (Counts{{"device_age", 2}, {"device_bytes", 1}}));
  EXPECT_EQ(report("a", "1", {{"age", 2}, {"bytes", 1}}), (Counts{{"device_age", 2}, {"device_bytes", 1}}));
  EXPECT_EQ(report("a", "1", {{"age", 1}}), (Counts{{"device_age", 2}, {"device_bytes", 1}})) << "came late";
  EXPECT_EQ(report("a", "1", {{"age", 5}}), (Counts{{"device_age", 5}, {"device_bytes", 1}}));
  EXPECT_EQ(report("a", "2", {{"age", 1}}), (Counts{{"device_age", 6}, {"device_bytes", 1}}));
  EXPECT_EQ(report("b", "1", {{"age", 1}}), (Counts{{"device_age", 7}, {"device_bytes", 1}}));
  EXPECT_EQ(report("b", "1", {{"age", 1}, {"age", 1}}), (Counts{{"device_age", 8}, {"device_bytes", 1}}))
      << "a reason that comes twice is summed up";
  EXPECT_EQ(Account().offered, 9u);
}

TEST_P(IngestTest, ADeviceCannotMakeTheAccountOverflow) {
  const Counts huge = {{"age", UINT64_MAX}, {"age", UINT64_MAX}};
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(index_->ReportLosses(DeviceId("a"), "e", huge, kNow).ok());
  EXPECT_EQ(Account().offered, CrashIndex::kMaxLoss);
}

TEST_P(IngestTest, OldEpochsAreForgotten) {
  const auto report = [&](int epoch, uint64_t count) {
    EXPECT_TRUE(index_
                    ->ReportLosses(DeviceId("a"), absl::StrCat("epoch ", epoch), {{"age", count}},
                                   kNow + absl::Seconds(epoch))
                    .ok());
    return Account().offered;
  };
  for (int epoch = 1; epoch <= CrashIndex::kLossEpochs + 1; ++epoch) report(epoch, 1);
  EXPECT_EQ(report(2, 1), 5u) << "still known";
  EXPECT_EQ(report(1, 1), 6u) << "the oldest one was forgotten";
}

TEST_P(IngestTest, NoAnalysisIsLostHere) {
  Crash(1);
  const CrashId analysed = Crash(2);
  ASSERT_TRUE(index_->PutFacts(analysed, FactsOf("", "", 0)).ok());
  EXPECT_EQ(*index_->RequestLostAnalyses(kNow + kDay, 10), 0);
  EXPECT_EQ(index_->Stats(1)->analysis_backlog, 1u);
}

INSTANTIATE_TEST_SUITE_P(Engines, IngestTest, testing::ValuesIn(IndexFactories()),
                         [](const auto& info) { return info.index == 0 ? "Memory" : "Postgres"; });

}  // namespace
}  // namespace corefleet
