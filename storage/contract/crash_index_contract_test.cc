// What every CrashIndex keeps, whatever it is made of.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "storage/contract/crash_index_fixture.h"

namespace corefleet {
namespace {

TEST_P(CrashIndexTest, Answers) { EXPECT_TRUE(index_->Ping().ok()); }

TEST_P(CrashIndexTest, ASessionIsBegunOnce) {
  const auto first = Begin(1);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_TRUE(first->created);
  EXPECT_EQ(first->session.state, SessionState::kOpen);
  EXPECT_EQ(first->session.device, DeviceId("lab-1"));
  EXPECT_EQ(first->session.uid, UidOf(ManifestNumber(1)));
  EXPECT_EQ(first->session.manifest, ManifestNumber(1));
  EXPECT_EQ(first->session.note, "note");
  EXPECT_EQ(first->session.expires_at, kNow + kDay);
  EXPECT_TRUE(first->session.crash.empty());

  const auto second = Begin(1);
  ASSERT_TRUE(second.ok());
  EXPECT_FALSE(second->created);
  EXPECT_EQ(second->session.id, first->session.id);
  EXPECT_TRUE(Begin(1, "lab-2")->created);  // another device's is another crash
  EXPECT_TRUE(Begin(2)->created);
}

TEST_P(CrashIndexTest, TheOrderOfRegionsMakesNoSecondSessionAndIsKept) {
  const auto first = Begin(1);
  Manifest turned = ManifestNumber(1);
  std::swap(turned.regions[0], turned.regions[1]);
  const auto second = index_->BeginSession(DeviceId("lab-1"), turned, "other", SessionTerms(), FreshSession(),
                                           kNow, kNow + kDay);
  ASSERT_TRUE(second.ok());
  EXPECT_FALSE(second->created);
  EXPECT_EQ(second->session.manifest, ManifestNumber(1));
  EXPECT_EQ(second->session.note, "note");
}

TEST_P(CrashIndexTest, AnExpiredSessionGoesOnWithWhatItHas) {
  const auto first = Begin(1);
  ASSERT_TRUE(index_->AddPack(first->session.id, PackNumber(1)).ok());
  const auto begin_at = [&](absl::Time now) {
    return *index_->BeginSession(DeviceId("lab-1"), ManifestNumber(1), "", SessionTerms(), FreshSession(),
                                 now, now + kDay);
  };
  EXPECT_EQ(begin_at(kNow + kDay - absl::Seconds(1)).session.expires_at, kNow + kDay);
  const BeginResult late = begin_at(kNow + kDay);
  EXPECT_FALSE(late.created);
  EXPECT_EQ(late.session.expires_at, kNow + 2 * kDay);
  EXPECT_EQ(index_->SessionPacks(first->session.id)->size(), 1u);
}

TEST_P(CrashIndexTest, PacksAreKeptInOrderAndOnce) {
  const SessionId id = Begin(1)->session.id;
  EXPECT_TRUE(index_->SessionPacks(id)->empty());
  for (const int number : {3, 1, 2, 1, 3}) ASSERT_TRUE(index_->AddPack(id, PackNumber(number)).ok());
  const auto packs = index_->SessionPacks(id);
  ASSERT_TRUE(packs.ok()) << packs.status();
  ASSERT_EQ(packs->size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    const StoredPack expected = PackNumber(std::vector<int>{3, 1, 2}[i]);
    EXPECT_EQ((*packs)[i].ref, expected.ref);
    EXPECT_EQ((*packs)[i].entries, expected.entries);
  }
  ASSERT_TRUE(index_->DropPacks(id).ok());
  EXPECT_TRUE(index_->SessionPacks(id)->empty());
}

TEST_P(CrashIndexTest, NoSessionIsNotFound) {
  const SessionId none("00000000000000000000000000000bad");
  EXPECT_EQ(index_->GetSession(none).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(index_->AddPack(none, PackNumber(1)).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(index_->SessionPacks(none).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(index_->DropPacks(none).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(index_->FinishSession(none, FreshCrash(), 1, 1).status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(index_->AbandonSession(none, "abandoned").ok());
}

TEST_P(CrashIndexTest, NoCrashIsNotFound) {
  const CrashId none = FreshCrash();
  EXPECT_EQ(index_->GetCrash(none).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(index_->Contents(none).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(index_->PutFacts(none, FactsOf("", "", 0)).code(), absl::StatusCode::kNotFound);
}

TEST_P(CrashIndexTest, FinishingTwiceIsOneCrash) {
  const SessionId id = Begin(1)->session.id;
  ASSERT_TRUE(index_->AddPack(id, PackNumber(1)).ok());
  const CrashId first = *index_->FinishSession(id, FreshCrash(), 100, 50);
  EXPECT_EQ(*index_->FinishSession(id, FreshCrash(kNow + kDay), 7, 7), first);
  EXPECT_EQ(List({}), std::vector<CrashId>{first});

  const auto crash = index_->GetCrash(first);
  ASSERT_TRUE(crash.ok()) << crash.status();
  EXPECT_EQ(crash->device, DeviceId("lab-1"));
  EXPECT_EQ(crash->received_at, kNow);
  EXPECT_EQ(crash->note, "note");
  EXPECT_EQ(crash->state, CrashState::kReceived);
  EXPECT_EQ(crash->raw_bytes, 100u);
  EXPECT_EQ(crash->stored_bytes, 50u);
  EXPECT_FALSE(crash->facts.has_value());
  EXPECT_EQ(index_->Contents(first)->manifest, ManifestNumber(1));
  EXPECT_EQ(index_->Contents(first)->packs.size(), 1u);
}

TEST_P(CrashIndexTest, ACompleteSessionTakesNoMoreAndIsStillThere) {
  const SessionId id = Begin(1)->session.id;
  ASSERT_TRUE(index_->AddPack(id, PackNumber(1)).ok());
  const CrashId crash = *index_->FinishSession(id, FreshCrash(), 100, 50);
  EXPECT_EQ(index_->AddPack(id, PackNumber(2)).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(index_->DropPacks(id).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(index_->AbandonSession(id, "abandoned").code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(index_->SessionPacks(id)->size(), 1u);
  const auto session = index_->GetSession(id);
  ASSERT_TRUE(session.ok()) << session.status();
  EXPECT_EQ(session->state, SessionState::kComplete);
  EXPECT_EQ(session->crash, crash);
  EXPECT_EQ(session->manifest, ManifestNumber(1));
  const auto again = Begin(1);
  EXPECT_FALSE(again->created);
  EXPECT_EQ(again->session.crash, crash);
}

TEST_P(CrashIndexTest, AnAbandonedSessionIsForgotten) {
  const SessionId id = Begin(1)->session.id;
  ASSERT_TRUE(index_->AddPack(id, PackNumber(1)).ok());
  ASSERT_TRUE(index_->AbandonSession(id, "abandoned").ok());
  EXPECT_TRUE(index_->AbandonSession(id, "abandoned").ok());
  EXPECT_EQ(index_->GetSession(id).status().code(), absl::StatusCode::kNotFound);
  const auto again = Begin(1);
  EXPECT_TRUE(again->created);
  EXPECT_TRUE(index_->SessionPacks(again->session.id)->empty());
}

TEST_P(CrashIndexTest, ExpiredOpenSessionsAreForgottenAndCompleteOnesStay) {
  const SessionId open = Begin(1)->session.id;
  const SessionId complete = Begin(2)->session.id;
  ASSERT_TRUE(index_->AddPack(complete, PackNumber(2)).ok());
  const CrashId crash = *index_->FinishSession(complete, FreshCrash(), 1, 1);
  const SessionId later = index_
                              ->BeginSession(DeviceId("lab-1"), ManifestNumber(3), "", SessionTerms(),
                                             FreshSession(), kNow, kNow + 2 * kDay)
                              ->session.id;

  EXPECT_EQ(*index_->ExpireSessions(kNow + kDay, 100, "never_sent"), 0) << "not yet";
  EXPECT_EQ(*index_->ExpireSessions(kNow + kDay + absl::Seconds(1), 100, "never_sent"), 1);
  EXPECT_EQ(*index_->ExpireSessions(kNow + kDay + absl::Seconds(1), 100, "never_sent"), 0);
  EXPECT_EQ(index_->GetSession(open).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(index_->SessionPacks(open).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(index_->AddPack(open, PackNumber(3)).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(index_->GetSession(complete)->crash, crash);
  EXPECT_EQ(index_->Contents(crash)->packs.size(), 1u);
  EXPECT_TRUE(index_->GetSession(later).ok());
  const auto again = Begin(1);
  EXPECT_TRUE(again->created);
  EXPECT_TRUE(index_->SessionPacks(again->session.id)->empty());
}

TEST_P(CrashIndexTest, TheFirstToExpireAreForgottenFirst) {
  std::vector<SessionId> ids;
  for (const int days : {3, 1, 2}) {
    ids.push_back(index_
                      ->BeginSession(DeviceId("lab-1"), ManifestNumber(days), "", SessionTerms(),
                                     FreshSession(), kNow, kNow + days * kDay)
                      ->session.id);
  }
  const absl::Time late = kNow + 10 * kDay;
  EXPECT_EQ(*index_->ExpireSessions(late, 0, "never_sent"), 0);
  EXPECT_EQ(*index_->ExpireSessions(late, 2, "never_sent"), 2);
  EXPECT_TRUE(index_->GetSession(ids[0]).ok()) << "the last to expire";
  EXPECT_EQ(*index_->ExpireSessions(late, 2, "never_sent"), 1);
}

TEST_P(CrashIndexTest, ASessionBegunAgainDoesNotExpire) {
  const SessionId id = Begin(1)->session.id;
  const absl::Time late = kNow + 2 * kDay;
  ASSERT_TRUE(index_
                  ->BeginSession(DeviceId("lab-1"), ManifestNumber(1), "", SessionTerms(), FreshSession(),
                                 late, late + kDay)
                  .ok());
  EXPECT_EQ(*index_->ExpireSessions(late, 100, "never_sent"), 0);
  EXPECT_TRUE(index_->GetSession(id).ok());
}

TEST_P(CrashIndexTest, ManyThatUploadOneCrashAtOnceMakeOne) {
  std::vector<std::thread> threads;
  std::vector<absl::StatusOr<CrashId>> crashes(8);
  for (int i = 0; i < 8; ++i) {
    const SessionId session = FreshSession();
    const CrashId fresh = FreshCrash();
    threads.emplace_back([this, i, session, fresh, &crashes] {
      const auto begun = index_->BeginSession(DeviceId("lab-1"), ManifestNumber(1), "", SessionTerms(),
                                              session, kNow, kNow + kDay);
      if (!begun.ok()) {
        crashes[i] = begun.status();
        return;
      }
      index_->AddPack(begun->session.id, PackNumber(i)).IgnoreError();  // refused once somebody has finished
      crashes[i] = index_->FinishSession(begun->session.id, fresh, 1, 1);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& crash : crashes) {
    ASSERT_TRUE(crash.ok()) << crash.status();
    EXPECT_EQ(*crash, *crashes[0]);
  }
  EXPECT_EQ(List({}).size(), 1u);
  EXPECT_EQ(index_->Stats(10)->crashes, 1u);
}

TEST_P(CrashIndexTest, TimesFromTwentyTwentyToTwentyForty) {
  std::vector<CrashId> expected;
  int number = 0;
  for (const int year : {2020, 2024, 2026, 2033, 2040}) {
    const absl::Time when = absl::FromCivil(absl::CivilSecond(year, 2, 29, 23, 59, 59), absl::UTCTimeZone());
    expected.insert(expected.begin(), Crash(++number, when));
  }
  EXPECT_EQ(List({}), expected);
  for (const CrashId& id : expected) EXPECT_EQ(index_->GetCrash(id)->received_at, id.time());
}

TEST_P(CrashIndexTest, ADeviceWithoutAClockIsNoProblem) {
  const CrashId epoch = Crash(1, absl::UnixEpoch() + absl::Seconds(1));
  const CrashId far = Crash(2, absl::FromCivil(absl::CivilYear(2999), absl::UTCTimeZone()));
  EXPECT_EQ(List({}), (std::vector<CrashId>{far, epoch}));
}

TEST_P(CrashIndexTest, FactsComeBack) {
  const CrashId id = Crash(1);
  CrashFacts facts = FactsOf("abcdef0123", "6.1.0", uint64_t{1} << 63 | 0x200);
  facts.state = CrashState::kPartial;
  facts.taint.before_mask = {{UINT64_MAX, Provenance::kLogText}};
  facts.panic_reason = {{std::string(100000, 'x'), Provenance::kLogText}};
  facts.release = {{std::string(100000, 'r'), Provenance::kLogText}};
  facts.uptime_seconds = {{0.1, Provenance::kDerived}};
  ASSERT_TRUE(index_->PutFacts(id, facts).ok());
  const auto crash = index_->GetCrash(id);
  ASSERT_TRUE(crash.ok()) << crash.status();
  EXPECT_EQ(crash->state, CrashState::kPartial);
  ASSERT_TRUE(crash->facts.has_value());
  EXPECT_EQ(crash->facts->taint.mask->value, uint64_t{1} << 63 | 0x200);
  EXPECT_EQ(crash->facts->taint.before_mask->value, UINT64_MAX);
  EXPECT_EQ(crash->facts->panic_reason->value.size(), 100000u);
  EXPECT_EQ(crash->facts->release->value.size(), 100000u);
  EXPECT_EQ(crash->facts->uptime_seconds->value, 0.1);
  EXPECT_EQ(crash->facts->regions.size(), 1u);
  EXPECT_EQ(crash->facts->defects.size(), 1u);
  // A list has the summary.
  const auto page = index_->ListCrashes({}, CrashId(), 10);
  ASSERT_EQ(page->crashes.size(), 1u);
  EXPECT_EQ(page->crashes[0].facts->build_id->value, "abcdef0123");
  EXPECT_EQ(page->crashes[0].state, CrashState::kPartial);
  EXPECT_EQ(page->crashes[0].raw_bytes, 100u);
}

TEST_P(CrashIndexTest, ListsByBuild) {
  const std::string a(40, 'a');
  const std::string ab = "aaaab" + std::string(35, '0');
  const std::vector<CrashId> ids =
      Crashes({FactsOf(a, "6.1.0", 0), FactsOf(ab, "6.1.0", 1), FactsOf(a, "", 0), FactsOf("", "6.1.0", 0),
               FactsOf("", "", 0), FactsOf(a, "6.2.0", 0)});
  using Ids = std::vector<CrashId>;
  EXPECT_EQ(List({.build = a}), (Ids{ids[5], ids[2], ids[0]}));
  EXPECT_EQ(List({.build = ab}), (Ids{ids[1]}));
  EXPECT_EQ(List({.build = "aaaa"}), (Ids{ids[5], ids[2], ids[1], ids[0]}));
  EXPECT_EQ(List({.build = "AAAAB"}), (Ids{ids[1]}));
  EXPECT_EQ(List({.build = "6.1.0"}), (Ids{ids[3], ids[1], ids[0]}));
  EXPECT_EQ(List({.build = "6.1.0", .taint_all = 1}), (Ids{ids[1]}));
  EXPECT_EQ(List({.build = "6.1"}), Ids{});
  EXPECT_EQ(List({.build = "aaa"}), Ids{});  // too short to be a prefix
  EXPECT_EQ(List({.build = "' OR 1=1 --"}), Ids{});
}

TEST_P(CrashIndexTest, ListsByTaint) {
  const std::string a(40, 'a');
  constexpr uint64_t kTop = uint64_t{1} << 63;
  const std::vector<CrashId> ids =
      Crashes({FactsOf(a, "", 0), FactsOf(a, "", 0x200), FactsOf(a, "", 0x201), FactsOf("", "", 0x201),
               FactsOf(a, "", kTop), FactsOf(a, "", kTop | 0x200), FactsOf(a, "", {})});
  using Ids = std::vector<CrashId>;
  EXPECT_EQ(List({.taint_all = 0x200}), (Ids{ids[5], ids[3], ids[2], ids[1]}));
  EXPECT_EQ(List({.taint_all = 0x201}), (Ids{ids[3], ids[2]}));
  EXPECT_EQ(List({.build = a, .taint_all = 0x201}), (Ids{ids[2]}));
  EXPECT_EQ(List({.taint_all = kTop}), (Ids{ids[5], ids[4]}));
  EXPECT_EQ(List({.taint_all = kTop | 0x200}), (Ids{ids[5]}));
  EXPECT_EQ(List({.untainted = true}), (Ids{ids[0]}));
  EXPECT_EQ(List({.build = a, .untainted = true}), (Ids{ids[0]}));
  EXPECT_EQ(List({.taint_all = 1, .untainted = true}), Ids{});
}

TEST_P(CrashIndexTest, ListsByDeviceStateAndTime) {
  const CrashId a = Crash(1, kNow, "lab-a");
  const CrashId b = Crash(2, kNow + absl::Milliseconds(1), "lab-b");
  const CrashId c = Crash(3, kNow + absl::Milliseconds(2), "lab-a");
  ASSERT_TRUE(index_->PutFacts(b, FactsOf("", "", 0)).ok());
  using Ids = std::vector<CrashId>;
  EXPECT_EQ(List({.device = DeviceId("lab-a")}), (Ids{c, a}));
  EXPECT_EQ(List({.device = DeviceId("lab-")}), Ids{});
  EXPECT_EQ(List({.state = CrashState::kReceived}), (Ids{c, a}));
  EXPECT_EQ(List({.state = CrashState::kComplete}), (Ids{b}));
  EXPECT_EQ(List({.since = kNow + absl::Milliseconds(1)}), (Ids{c, b}));
  EXPECT_EQ(List({.since = kNow + absl::Microseconds(1)}), (Ids{c, b}));
  EXPECT_EQ(List({.until = kNow + absl::Milliseconds(1)}), (Ids{a}));
  EXPECT_EQ(List({.until = kNow + absl::Microseconds(1)}), (Ids{a}));
  EXPECT_EQ(List({.since = absl::InfinitePast(), .until = absl::InfiniteFuture()}), (Ids{c, b, a}));
  EXPECT_EQ(List({.since = kNow, .until = kNow}), Ids{});
}

TEST_P(CrashIndexTest, PagesJoinWithoutGapOrRepeat) {
  std::vector<CrashId> expected;
  for (int i = 0; i < 25; ++i) {
    // Over several months, and several in one millisecond.
    const absl::Time when = kNow + absl::Hours(24 * 15) * (i / 3);
    expected.insert(expected.begin(), Crash(i, when));
  }
  std::sort(expected.rbegin(), expected.rend());
  for (const int limit : {1, 7, 25, 1000}) {
    std::vector<CrashId> all;
    CrashId before;
    do {
      const auto page = index_->ListCrashes({}, before, limit);
      ASSERT_TRUE(page.ok()) << page.status();
      ASSERT_LE(page->crashes.size(), static_cast<size_t>(limit));
      for (const StoredCrash& crash : page->crashes) all.push_back(crash.id);
      before = page->next;
    } while (!before.empty());
    EXPECT_EQ(all, expected) << limit;
  }
}

TEST_P(CrashIndexTest, ShortenedIdsAreFound) {
  const CrashId a = Crash(1);
  const CrashId b = Crash(2, kNow + 400 * kDay);
  const std::string text = b.ToString();
  for (const size_t size : {size_t{20}, size_t{24}, size_t{32}}) {
    const auto found = index_->FindByPrefix(text.substr(0, size), 10);
    ASSERT_TRUE(found.ok());
    EXPECT_EQ(std::count(found->begin(), found->end(), b), 1) << size;
  }
  EXPECT_EQ(*index_->FindByPrefix(text, 10), std::vector<CrashId>{b});
  EXPECT_EQ(*index_->FindByPrefix(a.ToString(), 10), std::vector<CrashId>{a});
  EXPECT_TRUE(index_->FindByPrefix("fffffffffffff", 10)->empty());
  EXPECT_EQ(index_->FindByPrefix(text.substr(0, 1), 1)->size(), 1u);
}

TEST_P(CrashIndexTest, AnalysisIsLentOnceUntilTheLeaseRunsOut) {
  const CrashId a = Crash(1);
  const CrashId b = Crash(2, kNow + absl::Seconds(1));
  const auto claim = [&](absl::Time now, int limit) {
    return *index_->ClaimAnalysis(limit, now, now + absl::Minutes(1));
  };
  auto leases = claim(kNow, 1);
  ASSERT_EQ(leases.size(), 1u);
  EXPECT_EQ(leases[0].crash, a);
  EXPECT_EQ(leases[0].attempts, 1);
  leases = claim(kNow, 10);
  ASSERT_EQ(leases.size(), 1u);
  EXPECT_EQ(leases[0].crash, b);
  EXPECT_TRUE(claim(kNow + absl::Seconds(59), 10).empty());
  ASSERT_TRUE(index_->PutFacts(b, FactsOf("", "", 0)).ok());
  leases = claim(kNow + absl::Minutes(1), 10);
  ASSERT_EQ(leases.size(), 1u);
  EXPECT_EQ(leases[0].crash, a);
  EXPECT_EQ(leases[0].attempts, 2);
  ASSERT_TRUE(index_->PutFacts(a, FactsOf("", "", 0)).ok());
  EXPECT_TRUE(claim(kNow + kDay, 10).empty());
}

TEST_P(CrashIndexTest, AnalyzersThatClaimAtOnceGetDifferentCrashes) {
  for (int i = 0; i < 24; ++i) Crash(i);
  std::atomic<int> claimed = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      while (true) {
        const auto leases = index_->ClaimAnalysis(3, kNow, kNow + kDay);
        if (!leases.ok() || leases->empty()) return;
        claimed += static_cast<int>(leases->size());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(claimed, 24);
}

TEST_P(CrashIndexTest, CountsWhatIsThere) {
  ASSERT_TRUE(Begin(100).ok());
  const std::vector<CrashId> ids = Crashes({FactsOf("aaaa", "6.1", 0x201), FactsOf("aaaa", "6.1", 0x200),
                                            FactsOf("bbbb", "6.1", 0), FactsOf("", "", {})});
  Crash(50);
  auto stats = index_->Stats(1);
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_EQ(stats->crashes, 5u);
  EXPECT_EQ(stats->analysis_backlog, 1u);
  EXPECT_EQ(stats->open_sessions, 1u);
  ASSERT_EQ(stats->builds.size(), 1u);
  EXPECT_EQ(stats->builds[0].build, BuildId("aaaa"));
  EXPECT_EQ(stats->builds[0].release, "6.1");
  EXPECT_EQ(stats->builds[0].crashes, 2u);
  EXPECT_EQ(stats->other_builds, 1u);
  ASSERT_EQ(stats->crashes_by_taint.size(), 64u);
  EXPECT_EQ(stats->crashes_by_taint[0], 1u);
  EXPECT_EQ(stats->crashes_by_taint[9], 2u);
  EXPECT_EQ(stats->untainted, 1u);
  EXPECT_EQ(stats->crashes_by_state, (std::vector<uint64_t>{1, 4, 0, 0, 0}));
}

TEST_P(CrashIndexTest, AnalysedAgainACrashCountsOnce) {
  const CrashId id = Crash(1);
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(index_->PutFacts(id, FactsOf("aaaa", "6.1", 0x201)).ok());
  EXPECT_EQ(index_->Stats(5)->builds[0].crashes, 1u);
  CrashFacts facts = FactsOf("bbbb", "6.1", uint64_t{1} << 63);
  facts.state = CrashState::kLogOnly;
  ASSERT_TRUE(index_->PutFacts(id, facts).ok());
  const IndexStats stats = *index_->Stats(5);
  EXPECT_EQ(stats.crashes, 1u);
  ASSERT_EQ(stats.builds.size(), 1u);
  EXPECT_EQ(stats.builds[0].build, BuildId("bbbb"));
  EXPECT_EQ(stats.crashes_by_taint[0], 0u);
  EXPECT_EQ(stats.crashes_by_taint[63], 1u);
  EXPECT_EQ(stats.crashes_by_state, (std::vector<uint64_t>{0, 0, 0, 1, 0}));
  EXPECT_EQ(List({.build = "aaaa"}).size(), 0u);
  EXPECT_EQ(List({.build = "bbbb"}).size(), 1u);
}

TEST_P(CrashIndexTest, CountsAreRightWhenManyAnalyseAtOnce) {
  std::vector<CrashId> ids;
  for (int i = 0; i < 8; ++i) ids.push_back(Crash(i));
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 8; ++i) {
        // All of them all of the time, in different orders and with different facts.
        const CrashId& id = ids[(i * 3 + t) % 8];
        const uint64_t mask = (t % 2 == 0) ? 0x3 : 0x6;
        EXPECT_TRUE(index_->PutFacts(id, FactsOf(t % 2 == 0 ? "aaaa" : "bbbb", "", mask)).ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const IndexStats stats = *index_->Stats(5);
  EXPECT_EQ(stats.crashes_by_taint[1], 8u);
  EXPECT_EQ(stats.crashes_by_taint[0] + stats.crashes_by_taint[2], 8u);
  uint64_t crashes = 0;
  for (const BuildCount& build : stats.builds) crashes += build.crashes;
  EXPECT_EQ(crashes, 8u);
  EXPECT_EQ(List({.taint_all = 1}).size(), stats.crashes_by_taint[0]);
}

TEST_P(CrashIndexTest, WhenItIsDownItSaysUnavailableAndComesBack) {
  const CrashId id = Crash(1);
  under_test_->GoDown();
  EXPECT_EQ(index_->Ping().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Begin(2).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(index_->GetCrash(id).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(index_->Stats(1).status().code(), absl::StatusCode::kUnavailable);
  under_test_->ComeBack();
  EXPECT_TRUE(index_->Ping().ok());
  EXPECT_EQ(List({}), std::vector<CrashId>{id});
  EXPECT_TRUE(Begin(2)->created);
}

INSTANTIATE_TEST_SUITE_P(Engines, CrashIndexTest, testing::ValuesIn(IndexFactories()),
                         [](const auto& info) { return info.index == 0 ? "Memory" : "Postgres"; });

}  // namespace
}  // namespace corefleet
