// What every CrashIndex keeps of a fleet's ingest: terms, parts of crashes, the account, the packs' places.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <thread>

#include "absl/strings/str_cat.h"
#include "storage/contract/crash_index_fixture.h"
#include "storage/crash_bytes.h"

namespace corefleet {
namespace {

using Counts = std::vector<ReasonCount>;

SessionTerms TermsOf(SessionWant want, const std::string& rule, uint32_t weight) {
  SessionTerms terms{.want = want, .rule = rule, .weight = weight};
  terms.hints = {.build_id = "abcdef",
                 .kernel_release = "6.6.58",
                 .panic = "Kernel panic - \"not\" syncing \\ {x}",
                 .os_version = "OS 4.2 \xc3\xbc",
                 .source = "folder",
                 .captured_at = kNow - kDay,
                 .priority = UINT32_MAX};
  return terms;
}

class IngestTest : public CrashIndexTest {
 protected:
  Session BeginWith(int number, const SessionTerms& terms) {
    const auto begun = index_->BeginSession(DeviceId("lab-1"), ManifestNumber(number), "note", terms,
                                            FreshSession(), kNow, kNow + kDay);
    EXPECT_TRUE(begun.ok()) << begun.status();
    return begun->session;
  }
  // A crash of which only the log was wanted: pack 1 is there.
  struct PartialCrash {
    SessionId session;
    CrashId crash;
  };
  PartialCrash LogOnly(int number) {
    const SessionId id = BeginWith(number, TermsOf(SessionWant::kLogOnly, "logs", 50)).id;
    EXPECT_TRUE(index_->AddPack(id, PackNumber(1)).ok());
    return {id, *index_->FinishSession(id, FreshCrash(), {.raw = 100, .here = 40, .stored = 20})};
  }
  IngestAccount Account() {
    const auto account = index_->Account();
    EXPECT_TRUE(account.ok()) << account.status();
    EXPECT_EQ(account->Difference(), 0);
    return *account;
  }
  bool AwaitsAnalysis(const CrashId& crash, absl::Time now = kNow) {
    const auto leases = *index_->ClaimAnalysis(100, now, now);
    return std::any_of(leases.begin(), leases.end(), [&](const auto& lease) { return lease.crash == crash; });
  }
};

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

TEST_P(IngestTest, ASessionAndItsPacksInOneQuestion) {
  EXPECT_EQ(index_->GetSessionWithPacks(SessionId("0bad")).status().code(), absl::StatusCode::kNotFound);
  const Session begun = BeginWith(1, TermsOf(SessionWant::kAll, "r", 2));
  auto found = index_->GetSessionWithPacks(begun.id);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_TRUE(found->packs.empty());
  EXPECT_EQ(found->session.terms, begun.terms);
  for (const int number : {2, 1}) ASSERT_TRUE(index_->AddPack(begun.id, PackNumber(number)).ok());
  found = index_->GetSessionWithPacks(begun.id);
  ASSERT_EQ(found->packs.size(), 2u);
  EXPECT_EQ(found->packs[0].ref, PackNumber(2).ref);
  EXPECT_EQ(found->packs[1].entries, PackNumber(1).entries);
  EXPECT_EQ(found->session.manifest, begun.manifest);
  const CrashId crash = *index_->FinishSession(begun.id, FreshCrash(), 1, 1);
  EXPECT_EQ(index_->GetSessionWithPacks(begun.id)->session.crash, crash);
}

TEST_P(IngestTest, TheLastPackMakesTheCrash) {
  const Session begun = BeginWith(1, TermsOf(SessionWant::kLogOnly, "logs", 50));
  EXPECT_EQ(begun.pack_changes, 0u);
  const CrashId crash = FreshCrash();
  const CrashBytes bytes{.raw = 100, .here = 40, .stored = 20};
  ASSERT_TRUE(index_->FinishWithPacks(begun.id, 0, {PackNumber(1)}, crash, bytes).ok());
  const auto found = index_->GetSessionWithPacks(begun.id);
  EXPECT_EQ(found->session.state, SessionState::kComplete);
  EXPECT_EQ(found->session.crash, crash);
  ASSERT_EQ(found->packs.size(), 1u);
  EXPECT_EQ(found->packs[0].ref, PackNumber(1).ref);
  EXPECT_EQ(found->packs[0].entries, PackNumber(1).entries);
  const StoredCrash stored = *index_->GetCrash(crash);
  EXPECT_EQ(stored.here_bytes, 40u);
  EXPECT_EQ(stored.stored_bytes, 20u);
  EXPECT_EQ(stored.weight, 50u);
  EXPECT_EQ(stored.os_version, "OS 4.2 \xc3\xbc");
  EXPECT_EQ(index_->Contents(crash)->packs.size(), 1u);
  EXPECT_TRUE(AwaitsAnalysis(crash));
  EXPECT_EQ(Account().accepted, 1u);
  // Said again, because the answer was lost.
  EXPECT_TRUE(index_->FinishWithPacks(begun.id, 0, {PackNumber(1)}, crash, bytes).ok());
  EXPECT_EQ(Account().accepted, 1u);
  EXPECT_EQ(*index_->FinishSession(begun.id, FreshCrash(), 100, 20), crash);
  // And by somebody else.
  EXPECT_TRUE(
      absl::IsFailedPrecondition(index_->FinishWithPacks(begun.id, 0, {PackNumber(2)}, FreshCrash(), bytes)));
  EXPECT_EQ(index_->SessionPacks(begun.id)->size(), 1u);
}

TEST_P(IngestTest, TheLastPackFinishesOnlyWhatItsWriterKnows) {
  const CrashBytes bytes{.raw = 100, .here = 100, .stored = 20};
  EXPECT_TRUE(
      absl::IsNotFound(index_->FinishWithPacks(SessionId("0bad"), 0, {PackNumber(1)}, FreshCrash(), bytes)));
  const SessionId id = Begin(1)->session.id;
  const auto finish = [&](uint64_t changes) {
    return index_->FinishWithPacks(id, changes, {PackNumber(9)}, FreshCrash(), bytes);
  };
  ASSERT_TRUE(index_->AddPack(id, PackNumber(1)).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(finish(0))) << "somebody added a pack";
  ASSERT_TRUE(index_->AddPack(id, PackNumber(2)).ok());
  EXPECT_EQ(index_->GetSession(id)->pack_changes, 2u);
  ASSERT_TRUE(index_->DropPacks(id).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(finish(0)));
  EXPECT_TRUE(absl::IsFailedPrecondition(finish(2))) << "somebody dropped them";
  EXPECT_EQ(index_->GetSession(id)->state, SessionState::kOpen);
  EXPECT_EQ(index_->SessionPacks(id)->size(), 0u) << "nothing of it was done";
  const auto now = index_->GetSessionWithPacks(id);
  ASSERT_TRUE(finish(now->session.pack_changes).ok());
  EXPECT_EQ(index_->SessionPacks(id)->size(), 1u);
  EXPECT_EQ(Account().accepted, 1u);
}

TEST_P(IngestTest, TheLastPackOfAReopenedSessionIsNoCrashOfItsOwn) {
  const PartialCrash part = LogOnly(1);
  const Session again = *index_->ReopenSession(part.session, SessionTerms(), kNow + kDay);
  EXPECT_TRUE(absl::IsFailedPrecondition(index_->FinishWithPacks(part.session, again.pack_changes,
                                                                 {PackNumber(2)}, FreshCrash(),
                                                                 {.raw = 100, .here = 100, .stored = 40})));
  EXPECT_EQ(index_->SessionPacks(part.session)->size(), 1u);
}

TEST_P(IngestTest, ManyLastPacksAtOnceMakeOneCrashEach) {
  constexpr int kSessions = 12;
  std::vector<SessionId> ids;
  std::vector<CrashId> crashes;
  for (int i = 0; i < 2 * kSessions; ++i) {
    if (i < kSessions) ids.push_back(Begin(i)->session.id);
    crashes.push_back(FreshCrash());
  }
  // Two streams a session: one of them makes the crash, with its own packs.
  std::atomic<int> made{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 2 * kSessions; ++t) {
    threads.emplace_back([&, t] {
      const std::vector<StoredPack> packs = {PackNumber(t), PackNumber(t + 100)};
      const absl::Status status = index_->FinishWithPacks(ids[t % kSessions], 0, packs, crashes[t],
                                                          {.raw = 100, .here = 100, .stored = 20});
      made += status.ok();
      EXPECT_TRUE(status.ok() || absl::IsFailedPrecondition(status)) << status;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(made, kSessions);
  for (int i = 0; i < kSessions; ++i) {
    const auto found = index_->GetSessionWithPacks(ids[i]);
    ASSERT_EQ(found->packs.size(), 2u);
    const bool first = found->session.crash == crashes[i];
    EXPECT_EQ(found->packs[0].ref, PackNumber(first ? i : i + kSessions).ref);
    EXPECT_EQ(found->packs[1].ref, PackNumber((first ? i : i + kSessions) + 100).ref);
  }
  EXPECT_EQ(Account().accepted, static_cast<uint64_t>(kSessions));
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

TEST_P(IngestTest, PacksThatWereSetAsideAreAddedTogether) {
  const SessionId id = Begin(1)->session.id;
  const std::vector<StoredPack> both = {PackNumber(3), PackNumber(1)};
  EXPECT_TRUE(absl::IsNotFound(index_->AddPacks(SessionId("0bad"), both, kNow, kNow + kDay)));
  ASSERT_TRUE(index_->AddPacks(id, both, kNow, kNow + kDay).ok());
  EXPECT_EQ(index_->GetSession(id)->pack_changes, 2u);
  // Said again, because the answer was lost, with one more.
  ASSERT_TRUE(index_->AddPacks(id, {PackNumber(3), PackNumber(1), PackNumber(2)}, kNow, kNow + kDay).ok());
  const auto packs = *index_->SessionPacks(id);
  ASSERT_EQ(packs.size(), 3u);
  for (const int i : {0, 1, 2}) EXPECT_EQ(packs[i].ref, PackNumber(i == 0 ? 3 : i).ref);
  EXPECT_EQ(packs[1].entries, PackNumber(1).entries);
  const CrashId crash = FreshCrash();
  const std::vector<StoredPack> last = {PackNumber(7), PackNumber(6)};
  const uint64_t changes = index_->GetSession(id)->pack_changes;
  ASSERT_TRUE(index_->FinishWithPacks(id, changes, last, crash, {.raw = 9, .here = 9, .stored = 5}).ok());
  const auto whole = *index_->Contents(crash);
  ASSERT_EQ(whole.packs.size(), 5u);
  EXPECT_EQ(whole.packs[3].ref, PackNumber(7).ref);
  EXPECT_EQ(whole.packs[4].ref, PackNumber(6).ref);
  EXPECT_EQ(whole.packs[4].entries, PackNumber(6).entries);
  EXPECT_EQ(index_->GetSession(id)->pack_changes, changes + 2);
  EXPECT_TRUE(absl::IsFailedPrecondition(index_->AddPacks(id, both, kNow, kNow + kDay)));
}

// Whoever adds or drops packs and whoever finishes take turns: a crash has the packs that its writer knew.
TEST_P(IngestTest, NoLastPackMakesACrashOfPacksThatChange) {
  for (int i = 0; i < 20; ++i) {
    const SessionId id = Begin(i)->session.id;
    ASSERT_TRUE(index_->AddPack(id, PackNumber(1)).ok());
    std::thread other([&] {
      if (i % 2 == 0) {
        (void)index_->DropPacks(id);
      } else {
        (void)index_->AddPack(id, PackNumber(2));
      }
    });
    const absl::Status finished =
        index_->FinishWithPacks(id, 1, {PackNumber(3)}, FreshCrash(), {.raw = 1, .here = 1, .stored = 1});
    other.join();
    const size_t packs = index_->SessionPacks(id)->size();
    if (finished.ok()) {
      EXPECT_EQ(packs, 2u);
    } else {
      EXPECT_TRUE(absl::IsFailedPrecondition(finished)) << finished;
      EXPECT_EQ(packs, i % 2 == 0 ? 0u : 2u);
      EXPECT_EQ(index_->GetSession(id)->state, SessionState::kOpen);
    }
  }
}

TEST_P(IngestTest, PacksKeepASessionFromExpiring) {
  const SessionId id = Begin(1)->session.id;  // until kNow + 1 day
  const auto add = [&](int number, absl::Duration after) {
    const absl::Time now = kNow + after;
    EXPECT_TRUE(index_->AddPacks(id, {PackNumber(number)}, now, now + kDay).ok());
    return index_->GetSession(id)->expires_at;
  };
  EXPECT_EQ(add(1, absl::Hours(11)), kNow + kDay) << "more than half is left";
  EXPECT_EQ(add(2, absl::Hours(13)), kNow + absl::Hours(13) + kDay);
  EXPECT_EQ(add(3, absl::Hours(1)), kNow + absl::Hours(13) + kDay) << "never back";
  EXPECT_EQ(add(3, absl::Hours(30)), kNow + absl::Hours(30) + kDay) << "the same pack once more";
  EXPECT_EQ(index_->SessionPacks(id)->size(), 3u);
  ASSERT_TRUE(index_->AddPack(id, PackNumber(4)).ok());
  EXPECT_EQ(index_->GetSession(id)->expires_at, kNow + absl::Hours(30) + kDay);
}

TEST_P(IngestTest, AReopenedSessionAddsToItsCrash) {
  const PartialCrash part = LogOnly(1);
  CrashFacts facts = FactsOf("aaaa", "6.1", 0x200);
  facts.state = CrashState::kLogOnly;
  ASSERT_TRUE(index_->PutFacts(part.crash, facts).ok());
  EXPECT_FALSE(AwaitsAnalysis(part.crash));

  SessionTerms terms;
  terms.rule = "wanted after all";
  const auto reopened = index_->ReopenSession(part.session, terms, kNow + 3 * kDay);
  ASSERT_TRUE(reopened.ok()) << reopened.status();
  EXPECT_EQ(reopened->state, SessionState::kOpen);
  EXPECT_EQ(reopened->crash, part.crash);
  EXPECT_EQ(reopened->terms, terms);
  EXPECT_EQ(reopened->expires_at, kNow + 3 * kDay);
  EXPECT_EQ(reopened->manifest, ManifestNumber(1));
  ASSERT_TRUE(index_->AddPack(part.session, PackNumber(2)).ok());
  EXPECT_EQ(index_->SessionPacks(part.session)->size(), 2u);
  EXPECT_EQ(index_->Contents(part.crash)->packs.size(), 1u) << "not finished";
  EXPECT_EQ(index_->GetCrash(part.crash)->here_bytes, 40u);
  EXPECT_FALSE(AwaitsAnalysis(part.crash));

  EXPECT_EQ(*index_->FinishSession(part.session, FreshCrash(), {.raw = 100, .here = 100, .stored = 70}),
            part.crash);
  const StoredCrash crash = *index_->GetCrash(part.crash);
  EXPECT_EQ(crash.here_bytes, 100u);
  EXPECT_EQ(crash.stored_bytes, 70u);
  EXPECT_EQ(crash.want, SessionWant::kAll);
  EXPECT_EQ(crash.rule, "wanted after all");
  EXPECT_EQ(crash.weight, 1u);
  EXPECT_EQ(crash.os_version, "OS 4.2 \xc3\xbc") << "of the boot that died";
  EXPECT_EQ(crash.revision, 1u);
  EXPECT_EQ(crash.state, CrashState::kLogOnly) << "until it is read again";
  EXPECT_EQ(index_->Contents(part.crash)->packs.size(), 2u);
  EXPECT_EQ(List({}).size(), 1u);
  EXPECT_TRUE(AwaitsAnalysis(part.crash));
  EXPECT_EQ(index_->AddPack(part.session, PackNumber(3)).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(*index_->FinishSession(part.session, FreshCrash(), 1, 1), part.crash);
  EXPECT_EQ(index_->GetCrash(part.crash)->revision, 1u) << "finished before";
}

TEST_P(IngestTest, ACrashThatIsReadAgainCountsOnce) {
  const PartialCrash part = LogOnly(1);
  ASSERT_TRUE(index_->PutFacts(part.crash, FactsOf("aaaa", "6.1", 0x200)).ok());
  ASSERT_TRUE(index_->ReopenSession(part.session, SessionTerms(), kNow + kDay).ok());
  EXPECT_EQ(index_->Stats(5)->open_sessions, 1u);
  ASSERT_TRUE(index_->FinishSession(part.session, FreshCrash(), 100, 70).ok());
  IndexStats stats = *index_->Stats(5);
  EXPECT_EQ(stats.crashes, 1u);
  EXPECT_EQ(stats.analysis_backlog, 1u);
  EXPECT_EQ(stats.open_sessions, 0u);
  EXPECT_EQ(stats.crashes_by_state[static_cast<size_t>(CrashState::kReceived)], 0u);
  ASSERT_TRUE(index_->PutFacts(part.crash, FactsOf("bbbb", "6.1", 0x1), 1).ok());
  stats = *index_->Stats(5);
  EXPECT_EQ(stats.crashes, 1u);
  EXPECT_EQ(stats.analysis_backlog, 0u);
  ASSERT_EQ(stats.builds.size(), 1u);
  EXPECT_EQ(stats.builds[0].build, BuildId("bbbb"));
  EXPECT_EQ(stats.crashes_by_taint[9], 0u);
  EXPECT_EQ(stats.crashes_by_taint[0], 1u);
}

TEST_P(IngestTest, ACrashCountsForAsManyAsItStandsFor) {
  constexpr size_t kState = static_cast<size_t>(CrashState::kComplete);
  std::vector<std::pair<SessionId, CrashId>> made;
  for (const uint32_t weight : {1, 5, 20}) {
    const int number = static_cast<int>(weight);
    const SessionId session = BeginWith(number, TermsOf(SessionWant::kAll, "sample", weight)).id;
    made.emplace_back(session, *index_->FinishSession(session, FreshCrash(), 100, 50));
  }
  EXPECT_EQ(index_->Stats(5)->weight_by_state[static_cast<size_t>(CrashState::kReceived)], 3u)
      << "each stands for itself until it is read";
  ASSERT_TRUE(index_->PutFacts(made[0].second, FactsOf("aaaa", "", 0)).ok());
  ASSERT_TRUE(index_->PutFacts(made[1].second, FactsOf("aaaa", "", 0x201)).ok());
  ASSERT_TRUE(index_->PutFacts(made[2].second, FactsOf("bbbb", "", 0x200)).ok());
  IndexStats stats = *index_->Stats(1);
  EXPECT_EQ(stats.crashes_by_state[kState], 3u);
  EXPECT_EQ(stats.weight_by_state[kState], 26u);
  EXPECT_EQ(stats.untainted_weight, 1u);
  EXPECT_EQ(stats.weight_by_taint[0], 5u);
  EXPECT_EQ(stats.weight_by_taint[9], 25u);
  ASSERT_EQ(stats.builds.size(), 1u);
  EXPECT_EQ(stats.builds[0].weight, 6u);
  EXPECT_EQ(stats.other_builds_weight, 20u);

  // Another rule asks for more of it, and gives it another weight.
  ASSERT_TRUE(index_->ReopenSession(made[1].first, TermsOf(SessionWant::kAll, "other", 3), kNow + kDay).ok());
  ASSERT_TRUE(index_->FinishSession(made[1].first, FreshCrash(), 100, 70).ok());
  ASSERT_TRUE(index_->PutFacts(made[1].second, FactsOf("bbbb", "", 0), 1).ok());
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(index_->PutFacts(made[2].second, FactsOf("bbbb", "", 0x200)).ok());
  stats = *index_->Stats(5);
  EXPECT_EQ(stats.weight_by_state[kState], 24u);
  EXPECT_EQ(stats.untainted_weight, 4u);
  EXPECT_EQ(stats.weight_by_taint[0], 0u);
  EXPECT_EQ(stats.weight_by_taint[9], 20u);
  ASSERT_EQ(stats.builds.size(), 2u);
  EXPECT_EQ(stats.builds[0].weight, 23u);
  EXPECT_EQ(stats.builds[1].weight, 1u);
}

TEST_P(IngestTest, FactsOfFewerBytesDoNotReplaceWhatIsToBeReadAgain) {
  const PartialCrash part = LogOnly(1);
  const auto old = *index_->ClaimAnalysis(1, kNow, kNow + absl::Minutes(1));
  ASSERT_EQ(old.size(), 1u);
  EXPECT_EQ(old[0].revision, 0u);
  ASSERT_TRUE(index_->ReopenSession(part.session, SessionTerms(), kNow + kDay).ok());
  ASSERT_TRUE(index_->FinishSession(part.session, FreshCrash(), 100, 70).ok());
  EXPECT_EQ(index_->PutFacts(part.crash, FactsOf("aaaa", "", 0), old[0].revision).code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_FALSE(index_->GetCrash(part.crash)->facts.has_value());
  const auto fresh = *index_->ClaimAnalysis(1, kNow, kNow + absl::Minutes(1));
  ASSERT_EQ(fresh.size(), 1u) << "at once, and not when the old lease has run out";
  EXPECT_EQ(fresh[0].revision, 1u);
  EXPECT_EQ(fresh[0].attempts, 1);
  ASSERT_TRUE(index_->PutFacts(part.crash, FactsOf("bbbb", "", 0), fresh[0].revision).ok());
  EXPECT_EQ(index_->GetCrash(part.crash)->facts->build_id->value, "bbbb");
  EXPECT_FALSE(AwaitsAnalysis(part.crash, kNow + kDay));
}

TEST_P(IngestTest, DroppingWhatWasAddedLateKeepsTheCrash) {
  const PartialCrash part = LogOnly(1);
  ASSERT_TRUE(index_->ReopenSession(part.session, SessionTerms(), kNow + kDay).ok());
  for (const int number : {2, 3}) ASSERT_TRUE(index_->AddPack(part.session, PackNumber(number)).ok());
  // Opened once more meanwhile: what was added is still not the crash's.
  ASSERT_TRUE(index_->ReopenSession(part.session, SessionTerms(), kNow + kDay).ok());
  ASSERT_TRUE(index_->DropPacks(part.session).ok());
  const auto packs = *index_->SessionPacks(part.session);
  ASSERT_EQ(packs.size(), 1u);
  EXPECT_EQ(packs[0].ref, PackNumber(1).ref);
  EXPECT_EQ(index_->Contents(part.crash)->packs.size(), 1u);
}

TEST_P(IngestTest, ReopeningAnOpenSessionChangesItsTermsAlone) {
  const SessionId id = BeginWith(1, TermsOf(SessionWant::kLogOnly, "logs", 50)).id;
  ASSERT_TRUE(index_->AddPack(id, PackNumber(1)).ok());
  const auto opened = index_->ReopenSession(id, SessionTerms(), kNow + 2 * kDay);
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_TRUE(opened->crash.empty());
  EXPECT_EQ(opened->terms, SessionTerms());
  EXPECT_EQ(opened->expires_at, kNow + 2 * kDay);
  EXPECT_EQ(Account().pending, 1u);
  ASSERT_TRUE(index_->DropPacks(id).ok());
  EXPECT_TRUE(index_->SessionPacks(id)->empty());
  EXPECT_EQ(index_->ReopenSession(SessionId("0bad"), SessionTerms(), kNow).status().code(),
            absl::StatusCode::kNotFound);
}

TEST_P(IngestTest, AReopenedSessionThatEndsKeepsItsCrashAndWhatCame) {
  for (const bool expires : {false, true}) {
    const PartialCrash part = LogOnly(expires);
    ASSERT_TRUE(index_->PutFacts(part.crash, FactsOf("aaaa", "", 0)).ok());
    ASSERT_TRUE(index_->ReopenSession(part.session, SessionTerms(), kNow + kDay).ok());
    ASSERT_TRUE(index_->AddPack(part.session, PackNumber(2)).ok());
    const IngestAccount before = Account();
    if (expires) {
      EXPECT_EQ(*index_->ExpireSessions(kNow + 2 * kDay, 10, "never_sent"), 0) << "nothing was forgotten";
    } else {
      ASSERT_TRUE(index_->AbandonSession(part.session, "abandoned").ok());
    }
    EXPECT_EQ(index_->GetSession(part.session)->state, SessionState::kComplete);
    const StoredCrash crash = *index_->GetCrash(part.crash);
    EXPECT_EQ(crash.revision, 1u);
    EXPECT_EQ(crash.stored_bytes, SizeOf(ManifestNumber(1), index_->Contents(part.crash)->packs).stored);
    EXPECT_EQ(index_->Contents(part.crash)->packs.size(), 2u);
    EXPECT_TRUE(AwaitsAnalysis(part.crash));
    const IngestAccount after = Account();
    EXPECT_EQ(after.accepted, before.accepted);
    EXPECT_EQ(after.expired, before.expired);
    EXPECT_EQ(index_->AbandonSession(part.session, "abandoned").code(),
              absl::StatusCode::kFailedPrecondition);
  }
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

TEST_P(IngestTest, OneThatCannotBeDoneDoesNotStopTheOthers) {
  const SessionId complete = Begin(100)->session.id;
  const CrashId known = *index_->FinishSession(complete, FreshCrash(), 1, 1);
  std::vector<SessionId> good;
  for (int i = 0; i < 8; ++i) good.push_back(Begin(i)->session.id);
  std::vector<std::thread> threads;
  const auto at_once = [&](std::function<void()> work) { threads.emplace_back(std::move(work)); };
  for (int i = 0; i < 8; ++i) {
    const CrashId fresh = FreshCrash();
    at_once([&, i, fresh] {
      for (int pack = 0; pack < 4; ++pack) {
        EXPECT_TRUE(index_->AddPacks(good[i], {PackNumber(i * 4 + pack)}, kNow, kNow + kDay).ok());
      }
      EXPECT_EQ(*index_->FinishSession(good[i], fresh, 100, 50), fresh);
    });
    const CrashId other = FreshCrash();
    at_once([&, i, other] {
      const SessionId none(absl::StrCat("none-", i));
      for (int pack = 0; pack < 4; ++pack) {
        EXPECT_EQ(index_->AddPack(none, PackNumber(pack)).code(), absl::StatusCode::kNotFound);
        EXPECT_EQ(index_->AddPack(complete, PackNumber(pack)).code(), absl::StatusCode::kFailedPrecondition);
      }
      EXPECT_EQ(*index_->FinishSession(complete, other, 1, 1), known);
      EXPECT_EQ(index_->FinishSession(none, other, 1, 1).status().code(), absl::StatusCode::kNotFound);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int i = 0; i < 8; ++i) {
    const auto packs = index_->SessionPacks(good[i]);
    ASSERT_EQ(packs->size(), 4u);
    for (int pack = 0; pack < 4; ++pack) EXPECT_EQ((*packs)[pack].entries, PackNumber(i * 4 + pack).entries);
  }
  EXPECT_TRUE(index_->SessionPacks(complete)->empty());
  EXPECT_EQ(Account().accepted, 9u);
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

TEST_P(IngestTest, PacksAreFoundByTheirPlace) {
  EXPECT_TRUE(index_->PackKeys()->empty());
  const SessionId a = Begin(1)->session.id;
  const SessionId b = Begin(2)->session.id;
  // Two packs a key: 2 and 3 are under "key-1".
  for (const int number : {3, 5}) ASSERT_TRUE(index_->AddPack(a, PackNumber(number)).ok());
  for (const int number : {2, 8}) ASSERT_TRUE(index_->AddPack(b, PackNumber(number)).ok());
  EXPECT_EQ(*index_->PackKeys(), (std::vector<std::string>{"key-1", "key-2", "key-4"}));
  const auto under = *index_->PacksUnder("key-1");
  ASSERT_EQ(under.size(), 2u);
  EXPECT_EQ(under[0].ref, PackNumber(2).ref);
  EXPECT_EQ(under[0].session, b);
  EXPECT_EQ(under[1].ref, PackNumber(3).ref);
  EXPECT_EQ(under[1].session, a);
  EXPECT_TRUE(index_->PacksUnder("key-")->empty());
  ASSERT_TRUE(index_->FinishSession(a, FreshCrash(), 1, 1).ok());
  EXPECT_EQ(index_->PacksUnder("key-2")->size(), 1u) << "a crash's packs are named, too";
  ASSERT_TRUE(index_->AbandonSession(b, "abandoned").ok());
  EXPECT_EQ(*index_->PackKeys(), (std::vector<std::string>{"key-1", "key-2"}));
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

TEST(CrashBytesTest, AChunkThatTwoPacksHoldIsHereOnce) {
  Manifest manifest;
  manifest.regions.push_back({.size = 2 * kChunkBytes + 5});
  const auto pack = [](std::vector<std::pair<uint64_t, uint32_t>> chunks) {
    StoredPack made{.ref = {"k", 0, 1000}};
    for (const auto& [chunk, size] : chunks) made.entries.push_back({.chunk = chunk, .raw_size = size});
    return made;
  };
  EXPECT_EQ(SizeOf(manifest, {}), (CrashBytes{.raw = 2 * kChunkBytes + 5}));
  EXPECT_EQ(SizeOf(manifest, {pack({{2, 5}, {0, kChunkBytes}}), pack({{0, kChunkBytes}})}),
            (CrashBytes{.raw = 2 * kChunkBytes + 5, .here = kChunkBytes + 5, .stored = 2000}));
}

}  // namespace
}  // namespace corefleet
