#include "server/ingest/ingestor.h"

#include <gmock/gmock.h>

#include "server/ingest/ingestor_fixture.h"

namespace corefleet {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const DeviceCaller kAnyone = DeviceCaller::Anyone();

TEST_F(IngestorTest, TakesACrashFromBeginToFinish) {
  const auto begun =
      ingestor_.Begin(kAnyone, {.device = "pixel-7", .manifest = crash_.manifest, .note = "lab 3"});
  ASSERT_TRUE(begun.ok()) << begun.status();
  EXPECT_TRUE(begun->created);
  EXPECT_THAT(begun->missing, ElementsAre(ChunkRange{0, 0, 3}, ChunkRange{1, 0, 1}));
  EXPECT_EQ(begun->expires_at, clock_.Now() + limits_.session_ttl);
  const std::string session = begun->session.value();

  ASSERT_TRUE(Send(session, crash_).ok());
  const auto finished = ingestor_.Finish(kAnyone, session);
  ASSERT_TRUE(finished.ok()) << finished.status();
  EXPECT_FALSE(finished->already_stored);
  EXPECT_EQ(received_, 1);
  EXPECT_EQ(metrics_.crashes, 1);
  EXPECT_EQ(metrics_.packs, 1);

  const auto stored = index_.GetCrash(finished->crash);
  ASSERT_TRUE(stored.ok());
  EXPECT_EQ(stored->raw_bytes, 150'005u);
  EXPECT_EQ(stored->note, "lab 3");
}

TEST_F(IngestorTest, ASessionThatIsGoneIsNotBelievedBecauseItWasRemembered) {
  const std::string session = Begin();
  ASSERT_TRUE(ingestor_.Abandon(kAnyone, session).ok());
  auto writer = ingestor_.OpenWriter(kAnyone, session);
  if (!writer.ok()) return;
  ASSERT_TRUE((*writer)->Add(OwnedChunk(crash_, 1, 0).view()).ok());
  EXPECT_TRUE(absl::IsNotFound((*writer)->Flush()));
  EXPECT_THAT((*writer)->TakeAcks(), IsEmpty());
}

TEST_F(IngestorTest, ResumesWithWhatIsMissing) {
  const std::string session = Begin();
  auto writer = Open(session);
  ASSERT_TRUE(writer->Add(OwnedChunk(crash_, 0, 1).view()).ok());
  ASSERT_TRUE(writer->Flush().ok());
  const auto again = ingestor_.Begin(kAnyone, {.device = "pixel-7", .manifest = crash_.manifest});
  ASSERT_TRUE(again.ok());
  EXPECT_FALSE(again->created);
  EXPECT_EQ(again->session.value(), session);
  EXPECT_THAT(again->missing, ElementsAre(ChunkRange{0, 0, 1}, ChunkRange{0, 2, 1}, ChunkRange{1, 0, 1}));
  EXPECT_EQ(ingestor_.GetSession(kAnyone, session)->missing, again->missing);
}

TEST_F(IngestorTest, FinishNeedsAllChunks) {
  const std::string session = Begin();
  const auto early = ingestor_.Finish(kAnyone, session);
  EXPECT_TRUE(absl::IsFailedPrecondition(early.status()));
  EXPECT_THAT(std::string(early.status().message()), HasSubstr("4 chunks"));
  EXPECT_EQ(received_, 0);
}

TEST_F(IngestorTest, FinishTwiceGivesTheSameCrash) {
  const std::string session = Begin();
  ASSERT_TRUE(Send(session, crash_).ok());
  const auto first = ingestor_.Finish(kAnyone, session);
  const auto second = ingestor_.Finish(kAnyone, session);
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(first->crash, second->crash);
  EXPECT_TRUE(second->already_stored);
  EXPECT_EQ(metrics_.crashes, 1);
  const auto again = ingestor_.Begin(kAnyone, {.device = "pixel-7", .manifest = crash_.manifest});
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->crash, first->crash);
  EXPECT_THAT(again->missing, IsEmpty());
}

TEST_F(IngestorTest, AWrongRootForgetsTheChunks) {
  AnnouncedCrash liar({"honest bytes"});
  liar.manifest.regions[0].root[5] ^= 1;
  const std::string session = Begin(liar);
  ASSERT_TRUE(Send(session, liar).ok());
  EXPECT_TRUE(absl::IsDataLoss(ingestor_.Finish(kAnyone, session).status()));
  EXPECT_THAT(ingestor_.GetSession(kAnyone, session)->missing, ElementsAre(ChunkRange{0, 0, 1}));
}

TEST_F(IngestorTest, AbandonForgetsAnOpenSessionOnly) {
  const std::string session = Begin();
  EXPECT_TRUE(ingestor_.Abandon(kAnyone, session).ok());
  EXPECT_TRUE(ingestor_.Abandon(kAnyone, session).ok());
  EXPECT_TRUE(ingestor_.Abandon(kAnyone, "no session at all").ok());
  EXPECT_TRUE(absl::IsNotFound(ingestor_.GetSession(kAnyone, session).status()));
  const std::string finished = Begin();
  ASSERT_TRUE(Send(finished, crash_).ok());
  ASSERT_TRUE(ingestor_.Finish(kAnyone, finished).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(ingestor_.Abandon(kAnyone, finished)));
}

TEST_F(IngestorTest, TheSameRegionsInAnotherOrderStartOver) {
  const std::string session = Begin();
  ASSERT_TRUE(Send(session, crash_).ok());
  const AnnouncedCrash turned({"hello", AnnouncedCrash::Noise(150'000, 1), ""});
  Manifest manifest = turned.manifest;
  for (size_t i = 0; i < 2; ++i) {
    manifest.regions[i].name = crash_.manifest.regions[1 - i].name;
    manifest.regions[i].file_name = crash_.manifest.regions[1 - i].file_name;
  }
  ASSERT_EQ(UidOf(manifest), UidOf(crash_.manifest));
  const auto begun = ingestor_.Begin(kAnyone, {.device = "pixel-7", .manifest = manifest});
  ASSERT_TRUE(begun.ok()) << begun.status();
  EXPECT_NE(begun->session.value(), session);
  EXPECT_THAT(begun->missing, ElementsAre(ChunkRange{0, 0, 1}, ChunkRange{1, 0, 3}));
}

TEST_F(IngestorTest, RefusesAnnouncementsThatBreakARule) {
  const auto code = [&](absl::string_view device, const Manifest& manifest, const std::string& note) {
    return ingestor_.Begin(kAnyone, {.device = std::string(device), .manifest = manifest, .note = note})
        .status()
        .code();
  };
  constexpr auto kRefused = absl::StatusCode::kInvalidArgument;
  EXPECT_EQ(code("", crash_.manifest, ""), kRefused);
  EXPECT_EQ(code("two words", crash_.manifest, ""), kRefused);
  EXPECT_EQ(code("d", Manifest(), ""), kRefused);
  EXPECT_EQ(code("d", crash_.manifest, std::string(1025, 'x')), kRefused);
  EXPECT_EQ(code("d", crash_.manifest, "\xff"), kRefused);
  Manifest huge = crash_.manifest;
  huge.regions[0].size = limits_.crash_bytes;
  EXPECT_EQ(code("d", huge, ""), kRefused);
  Manifest hollow = crash_.manifest;
  hollow.regions[2].root[0] ^= 1;
  EXPECT_EQ(code("d", hollow, ""), kRefused);
  EXPECT_EQ(metrics_.begun[static_cast<int>(BeginOutcome::kRefused)], 7);
}

TEST_F(IngestorTest, AFullStoreIsSaidBeforeBytesTravel) {
  store_.SetFreeBytes(1000);
  EXPECT_EQ(
      RefusedBy(ingestor_.Begin(kAnyone, {.device = "d", .manifest = crash_.manifest}).status())->reason,
      RefusalReason::kStoreFull);
  EXPECT_TRUE(absl::IsResourceExhausted(
      ingestor_.Begin(kAnyone, {.device = "d", .manifest = crash_.manifest}).status()));
}

// A log, what leads to it, and memory that it can be read without.
AnnouncedCrash WithLog() {
  AnnouncedCrash crash({AnnouncedCrash::Noise(70'000, 1), "banner", AnnouncedCrash::Noise(150'000, 2)});
  crash.manifest.regions[0].name = "Kprb_data";
  crash.manifest.regions[1].name = "Klinux_ba";
  crash.manifest.regions[2].name = "Kunknown";
  return crash;
}

AdmissionRules LogOnly(std::optional<absl::Duration> ask_again) {
  return {.rules = {{.name = "log", .action = RuleAction::kLogOnly, .ask_again = ask_again}}};
}

TEST_F(IngestorTest, LogOnlyIsFinishedWithThatAndMayBecomeWhole) {
  const AnnouncedCrash crash = WithLog();
  const CrashOffer offer{.device = "d", .manifest = crash.manifest, .hints = {.panic = "p"}};
  admission_.SetRules(LogOnly(absl::Hours(3)));
  const auto begun = ingestor_.Begin(kAnyone, offer);
  ASSERT_TRUE(begun.ok()) << begun.status();
  EXPECT_EQ(begun->want, Want::kLogOnly);
  EXPECT_EQ(begun->rule, "log");
  EXPECT_EQ(begun->ask_again, absl::Hours(3));
  EXPECT_THAT(begun->missing, ElementsAre(ChunkRange{0, 0, 2}, ChunkRange{1, 0, 1}));
  EXPECT_EQ(admission_.in_flight()->remaining(), 70'006u);
  const std::string session = begun->session.value();
  const auto resumed = ingestor_.Begin(kAnyone, offer);
  EXPECT_EQ(resumed->want, Want::kLogOnly);
  EXPECT_EQ(resumed->ask_again, absl::Hours(3));
  EXPECT_EQ(resumed->missing, begun->missing);

  ASSERT_TRUE(Send(session, crash, begun->missing).ok());
  EXPECT_EQ(admission_.in_flight()->remaining(), 0u);
  const auto part = ingestor_.Finish(kAnyone, session);
  ASSERT_TRUE(part.ok()) << part.status();
  EXPECT_EQ(index_.GetCrash(part->crash)->here_bytes, 70'006u);
  EXPECT_EQ(index_.GetCrash(part->crash)->want, SessionWant::kLogOnly);

  const auto still = ingestor_.Begin(kAnyone, offer);
  EXPECT_EQ(still->state, SessionState::kComplete);
  EXPECT_EQ(still->want, Want::kLogOnly);
  EXPECT_EQ(still->ask_again, absl::Hours(3));
  EXPECT_THAT(still->missing, IsEmpty());

  admission_.SetRules({});
  const auto more = ingestor_.Begin(kAnyone, offer);
  ASSERT_TRUE(more.ok()) << more.status();
  EXPECT_EQ(more->state, SessionState::kOpen);
  EXPECT_EQ(more->want, Want::kAll);
  EXPECT_EQ(more->session.value(), session);
  EXPECT_EQ(more->crash, part->crash);
  EXPECT_THAT(more->missing, ElementsAre(ChunkRange{2, 0, 3}));
  EXPECT_TRUE(absl::IsFailedPrecondition(ingestor_.Finish(kAnyone, session).status()));
  ASSERT_TRUE(Send(session, crash, more->missing).ok());
  const auto whole = ingestor_.Finish(kAnyone, session);
  ASSERT_TRUE(whole.ok()) << whole.status();
  EXPECT_EQ(whole->crash, part->crash);
  EXPECT_EQ(index_.GetCrash(part->crash)->here_bytes, 220'006u);
  EXPECT_EQ(ingestor_.Begin(kAnyone, offer)->want, Want::kNone);
  EXPECT_EQ(metrics_.crashes, 1) << "one crash, in two parts";
  EXPECT_EQ(received_, 2);
  const auto account = index_.Account();
  EXPECT_EQ(account->offered, 1u);
  EXPECT_EQ(account->accepted, 1u);
  EXPECT_EQ(account->Difference(), 0);
}

TEST_F(IngestorTest, WhatIsStoredInPartIsNeverCalledLost) {
  const AnnouncedCrash crash = WithLog();
  const CrashOffer offer{.device = "d", .manifest = crash.manifest};
  admission_.SetRules(LogOnly(std::nullopt));
  const auto begun = ingestor_.Begin(kAnyone, offer);
  ASSERT_TRUE(Send(begun->session.value(), crash, begun->missing).ok());
  const auto part = ingestor_.Finish(kAnyone, begun->session.value());
  ASSERT_TRUE(part.ok());
  admission_.SetRules({.rules = {{.name = "no", .action = RuleAction::kRefuse}}});
  const auto again = ingestor_.Begin(kAnyone, offer);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->state, SessionState::kComplete);
  EXPECT_EQ(again->want, Want::kNone) << "the rest is not wanted at all by now";
  EXPECT_EQ(again->crash, part->crash);
}

TEST_F(IngestorTest, ADamagedPartIsForgotten) {
  AnnouncedCrash liar({"honest bytes", "more"});
  liar.manifest.regions[0].root[5] ^= 1;
  const std::string session = Begin(liar);
  ASSERT_TRUE(Send(session, liar, {{0, 0, 1}}).ok());
  EXPECT_TRUE(ingestor_.FinishPart(SessionId(session)).ok());
  EXPECT_TRUE(absl::IsNotFound(ingestor_.GetSession(kAnyone, session).status()));
  EXPECT_THAT(index_.Account()->expired, ElementsAre(ReasonCount{"damaged", 1}));
  EXPECT_TRUE(ingestor_.FinishPart(SessionId(session)).ok());
}

TEST_F(IngestorTest, OpenSessionsAndStoredCrashesAreNotShed) {
  const std::string session = Begin();
  const AnnouncedCrash stored({"stored"});
  const std::string finished = Begin(stored);
  ASSERT_TRUE(Send(finished, stored).ok());
  ASSERT_TRUE(ingestor_.Finish(kAnyone, finished).ok());
  admission_.SetRules({.kill_switch = {.on = true}});
  EXPECT_EQ(Begin(), session);
  EXPECT_EQ(ingestor_.Begin(kAnyone, {.device = "pixel-7", .manifest = stored.manifest})->want, Want::kNone);
  const AnnouncedCrash other({"other"});
  const auto refused = ingestor_.Begin(kAnyone, {.device = "pixel-7", .manifest = other.manifest});
  EXPECT_EQ(RefusedBy(refused.status())->reason, RefusalReason::kKillSwitch);
}

class BusyIngestorTest : public IngestorTest {
 protected:
  // Others bring as much as the server may have in flight, and one was turned away already.
  void SetUp() override {
    for (int i = 0; i < 100; ++i) {
      admission_.in_flight()->Expect(SessionId("s" + std::to_string(i)), DeviceId("o" + std::to_string(i)),
                                     64 << 20, clock_.Now());
    }
    admission_.in_flight()->RoomFor(DeviceId("first"), 1, clock_.Now(), /*in_turn=*/false);
  }
  std::optional<Refused> AtOnce(const AnnouncedCrash& crash) {
    const auto status = ingestor_.RefuseAtOnce(kAnyone, {.device = "pixel-7", .manifest = crash.manifest});
    return status ? RefusedBy(*status) : std::nullopt;
  }
};

TEST_F(BusyIngestorTest, RefusesWithoutTheDatabaseAndCountsIt) {
  index_.SetStatus(absl::UnavailableError("no answer"));
  const auto refused = AtOnce(crash_);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->reason, RefusalReason::kServerBusy);
  ASSERT_TRUE(refused->delay);
  EXPECT_EQ(metrics_.begun[static_cast<int>(BeginOutcome::kRefused)], 1);
  index_.SetStatus(absl::OkStatus());
  refusals_.reset();
  EXPECT_THAT(index_.Account()->refused, ElementsAre(ReasonCount{"server_busy", 1}));
  EXPECT_EQ(index_.Account()->Difference(), 0);
}

TEST_F(BusyIngestorTest, OpenSessionsFromBeforeTheStartAreRecalled) {
  const auto begun = index_.BeginSession(DeviceId("pixel-7"), crash_.manifest, "", SessionTerms(),
                                         SessionId("before"), clock_.Now(), clock_.Now() + absl::Hours(1));
  ASSERT_TRUE(begun.ok()) << begun.status();
  EXPECT_TRUE(AtOnce(crash_)) << "nothing is known of it";
  index_.SetStatus(absl::UnavailableError("no answer"));
  EXPECT_TRUE(absl::IsUnavailable(ingestor_.Recall()));
  index_.SetStatus(absl::OkStatus());
  ASSERT_TRUE(ingestor_.Recall().ok());
  EXPECT_FALSE(AtOnce(crash_));
  EXPECT_TRUE(AtOnce(AnnouncedCrash({"another"})));
}

TEST_F(BusyIngestorTest, WhoComesInTurnIsLookedUp) {
  const auto refused = AtOnce(crash_);
  ASSERT_TRUE(refused && refused->delay);
  EXPECT_EQ(AtOnce(crash_)->delay, refused->delay) << "too early";
  clock_.Advance(*refused->delay);
  admission_.in_flight()->RoomFor(DeviceId("first"), 1, clock_.Now(), /*in_turn=*/false);
  EXPECT_FALSE(AtOnce(crash_));
}

TEST_F(BusyIngestorTest, WhatBreaksARuleOrIsRuledOutHearsThat) {
  AnnouncedCrash bad({"bad"});
  bad.manifest.regions.clear();
  EXPECT_FALSE(AtOnce(bad));
  admission_.SetRules({.kill_switch = {.on = true}});
  EXPECT_FALSE(AtOnce(crash_));
}

TEST_F(IngestorTest, NobodyIsRefusedAtOnceWhileThereIsRoom) {
  EXPECT_FALSE(ingestor_.busy());
  EXPECT_FALSE(ingestor_.RefuseAtOnce(kAnyone, {.device = "d", .manifest = crash_.manifest}));
}

TEST_F(IngestorTest, KnownSessionsAreNotShedHoweverBusyTheServerIs) {
  const std::string session = Begin();
  for (int i = 0; i < 100; ++i) {
    admission_.in_flight()->Expect(SessionId("s" + std::to_string(i)), DeviceId("o" + std::to_string(i)),
                                   64 << 20, clock_.Now());
  }
  admission_.in_flight()->RoomFor(DeviceId("first"), 1, clock_.Now(), /*in_turn=*/false);
  ASSERT_TRUE(ingestor_.busy());
  EXPECT_FALSE(ingestor_.RefuseAtOnce(kAnyone, {.device = "pixel-7", .manifest = crash_.manifest}));
  EXPECT_EQ(Begin(), session);
  EXPECT_TRUE(ingestor_.RefuseAtOnce(kAnyone, {.device = "pixel-8", .manifest = crash_.manifest}));
}

TEST_F(IngestorTest, EveryOfferIsAccountedFor) {
  Begin();
  admission_.SetRules({.kill_switch = {.on = true}});
  const AnnouncedCrash other({"other"});
  const CrashOffer offer{.device = "d", .manifest = other.manifest};
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(ingestor_.Begin(kAnyone, offer).ok());
  EXPECT_FALSE(ingestor_.Begin(kAnyone, {.device = "d"}).ok());
  Manifest huge = other.manifest;
  huge.regions[0].size = limits_.crash_bytes + 1;
  EXPECT_FALSE(ingestor_.Begin(kAnyone, {.device = "d", .manifest = huge}).ok());
  EXPECT_FALSE(ingestor_.Begin(DeviceCaller::Device(DeviceId("e")), offer).ok());
  refusals_.reset();
  const auto account = index_.Account();
  EXPECT_THAT(account->refused, ElementsAre(ReasonCount{"crash_too_large", 1}, ReasonCount{"kill_switch", 3},
                                            ReasonCount{"malformed", 1}, ReasonCount{"wrong_device", 1}));
  EXPECT_EQ(account->offered, 7u);
  EXPECT_EQ(account->pending, 1u);
  EXPECT_EQ(account->Difference(), 0);
}

TEST_F(IngestorTest, DevicesLossesAreTakenOnceAndBounded) {
  CrashOffer offer{.device = "d", .manifest = crash_.manifest};
  offer.account = DeviceAccount{.epoch = "e1", .lost = {{"spool_age", 3}, {"made up", 2}, {"odd", 1}}};
  ASSERT_TRUE(ingestor_.Begin(kAnyone, offer).ok());
  ASSERT_TRUE(ingestor_.Begin(kAnyone, offer).ok());
  EXPECT_THAT(index_.Account()->expired,
              ElementsAre(ReasonCount{"device_other", 3}, ReasonCount{"device_spool_age", 3}));
  offer.account->lost[0].count = 5;
  ASSERT_TRUE(ingestor_.Begin(kAnyone, offer).ok()) << "too early";
  clock_.Advance(absl::Minutes(1));
  offer.account->lost[1].count = ~uint64_t{0};
  ASSERT_TRUE(ingestor_.Begin(kAnyone, offer).ok());
  EXPECT_THAT(index_.Account()->expired, ElementsAre(ReasonCount{"device_other", CrashIndex::kMaxLoss},
                                                     ReasonCount{"device_spool_age", 5}));
  for (const std::string& epoch : {std::string(), std::string("two words"), std::string(65, 'x')}) {
    offer.device = "other";
    offer.account->epoch = epoch;
    EXPECT_TRUE(ingestor_.Begin(kAnyone, offer).ok()) << "a crash is not refused for it";
  }
  EXPECT_EQ(index_.Account()->Difference(), 0);
}

TEST_F(IngestorTest, AnotherDevicesSessionDoesNotExist) {
  const DeviceCaller owner = DeviceCaller::Device(DeviceId("pixel-7"));
  const DeviceCaller other = DeviceCaller::Device(DeviceId("pixel-8"));
  const auto begun = ingestor_.Begin(owner, {.manifest = crash_.manifest});
  ASSERT_TRUE(begun.ok()) << begun.status();
  const std::string session = begun->session.value();
  EXPECT_TRUE(absl::IsPermissionDenied(
      ingestor_.Begin(other, {.device = "pixel-7", .manifest = crash_.manifest}).status()));
  EXPECT_NE(ingestor_.Begin(other, {.manifest = crash_.manifest})->session.value(), session);
  EXPECT_TRUE(absl::IsNotFound(ingestor_.GetSession(other, session).status()));
  EXPECT_TRUE(absl::IsNotFound(ingestor_.OpenWriter(other, session).status()));
  EXPECT_TRUE(absl::IsNotFound(ingestor_.Finish(other, session).status()));
  EXPECT_TRUE(ingestor_.Abandon(other, session).ok()) << "as if there were none";
  EXPECT_TRUE(ingestor_.GetSession(owner, session).ok()) << "and there is";
  EXPECT_TRUE(ingestor_.GetSession(DeviceCaller::Gateway(DeviceId("lab")), session).ok());
}

TEST_F(IngestorTest, SessionsCannotBeGuessed) {
  EXPECT_TRUE(IsSessionId(Begin()));
  EXPECT_TRUE(absl::IsNotFound(ingestor_.GetSession(kAnyone, "00000000000000000000000000000000").status()));
  EXPECT_TRUE(absl::IsNotFound(ingestor_.OpenWriter(kAnyone, "'; drop table").status()));
}

}  // namespace
}  // namespace corefleet
