// What every CrashIndex keeps of a session's packs: in order, once, and in the crash that their writer meant.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/contract/ingest_fixture.h"
#include "storage/crash_bytes.h"

namespace corefleet {
namespace {

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
