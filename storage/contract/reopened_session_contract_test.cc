// What every CrashIndex does with a crash of which more comes later: it is one crash, counted once.
#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "storage/contract/ingest_fixture.h"
#include "storage/crash_bytes.h"

namespace corefleet {
namespace {

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

}  // namespace
}  // namespace corefleet
