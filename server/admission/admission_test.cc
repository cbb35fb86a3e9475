#include "server/admission/admission.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace corefleet {
namespace {

constexpr uint64_t kPlenty = uint64_t{1} << 40;

class AdmissionTest : public testing::Test {
 protected:
  struct Asking {
    std::string device = "d";
    uint64_t uid = 0;
    CrashHints hints = {};
    LogPart log_part = LogPart::kSome;
    uint64_t bytes = 1000;
    bool stored = false;
    uint64_t free_bytes = kPlenty;
  };
  absl::StatusOr<Grant> Ask(const Asking& asking) {
    const DeviceId device(asking.device);
    const CrashUid uid(absl::StrFormat("%016x", asking.uid));
    last_session_ = SessionId(absl::StrCat(++sessions_));
    return admission_.Decide({.device = &device,
                              .uid = &uid,
                              .hints = &asking.hints,
                              .bytes = asking.bytes,
                              .all_to_bring = asking.bytes,
                              .stored = asking.stored,
                              .log =
                                  [&] {
                                    return LogShare{asking.log_part, asking.stored ? 0 : asking.bytes / 10};
                                  }},
                             last_session_, asking.free_bytes);
  }
  // The reason of a refusal; "" for a grant.
  std::string Reason(const Asking& asking) {
    const auto grant = Ask(asking);
    const auto refused = RefusedBy(grant.status());
    last_ = refused.value_or(Refused());
    return refused ? std::string(RefusalReasonName(refused->reason)) : "";
  }
  void Use(std::vector<AdmissionRule> rules) { admission_.SetRules({.rules = std::move(rules)}); }
  static AdmissionLimits Limits() {
    AdmissionLimits limits;
    limits.device_crashes_per_hour = 60;
    limits.device_burst = 5;
    limits.fleet_crashes_per_second = 100;
    limits.fleet_bytes_per_second = 0;
    limits.in_flight.work = {.least = 10 << 20, .first = 10 << 20, .most = 40 << 20};
    limits.min_free_bytes = 1000;
    limits.free_bytes_again = 2000;
    return limits;
  }

  FakeClock clock_{absl::FromUnixSeconds(1'800'000'000)};
  Admission admission_{Limits(), &clock_, 1};
  Refused last_;
  SessionId last_session_;
  int sessions_ = 0;
};

TEST_F(AdmissionTest, WithoutRulesEverythingIsWanted) {
  const auto grant = Ask({.hints = {.panic = "p"}});
  ASSERT_TRUE(grant.ok()) << grant.status();
  EXPECT_EQ(grant->terms, (SessionTerms{.hints = {.panic = "p"}}));
  EXPECT_EQ(admission_.in_flight()->remaining(), 1000u);
}

TEST_F(AdmissionTest, TheKillSwitchComesBeforeEverything) {
  admission_.SetRules({.kill_switch = {.on = true, .delay = absl::Minutes(20), .message = "maintenance"},
                       .rules = {{.name = "all"}}});
  EXPECT_EQ(Reason({}), "KILL_SWITCH");
  EXPECT_GE(*last_.delay, absl::Minutes(20));
  EXPECT_LE(*last_.delay, absl::Minutes(30));
  EXPECT_EQ(Ask({}).status().message(), "maintenance");
  EXPECT_TRUE(admission_.standing().kill_switch);
  Use({});
  EXPECT_EQ(Reason({}), "");
}

TEST_F(AdmissionTest, TheFirstRuleThatFitsDecides) {
  Use({{.name = "lab", .match = {.device = {"lab-*"}}},
       {.name = "no", .action = RuleAction::kRefuse, .message = "not wanted"}});
  EXPECT_EQ(Ask({.device = "lab-1"})->terms.rule, "lab");
  EXPECT_EQ(Reason({.device = "x"}), "RULE");
  EXPECT_EQ(last_.rule, "no");
  EXPECT_EQ(last_.delay, std::nullopt);
  EXPECT_TRUE(absl::IsPermissionDenied(Ask({.device = "x"}).status()));
}

TEST_F(AdmissionTest, ARefusalMayEnd) {
  Use({{.name = "later", .action = RuleAction::kRefuse, .retry_after = absl::Hours(2)}});
  EXPECT_EQ(Reason({}), "RULE");
  EXPECT_GE(*last_.delay, absl::Hours(2));
  EXPECT_LE(*last_.delay, absl::Hours(3));
}

TEST_F(AdmissionTest, ASampleIsDrawnByTheCrashAlone) {
  Use({{.name = "tenth", .action = RuleAction::kSample, .one_in = 10}});
  EXPECT_EQ(Ask({.uid = 20})->terms.weight, 10u);
  for (const char* device : {"a", "b"}) {
    EXPECT_EQ(Reason({.device = device, .uid = 30}), "");
    EXPECT_EQ(Reason({.device = device, .uid = 31}), "SAMPLED_OUT");
  }
  EXPECT_EQ(last_.rule, "tenth");
  EXPECT_EQ(last_.delay, std::nullopt);
}

TEST_F(AdmissionTest, LogOnlyKeepsWhatCannotBeSplit) {
  Use({{.name = "log", .action = RuleAction::kLogOnly, .ask_again = absl::Hours(5)}});
  const auto some = Ask({.bytes = 1000});
  ASSERT_TRUE(some.ok());
  EXPECT_EQ(some->terms.want, SessionWant::kLogOnly);
  EXPECT_EQ(some->ask_again, absl::Hours(5));
  EXPECT_EQ(admission_.in_flight()->remaining(), 100u) << "the log's bytes alone are on their way";
  EXPECT_EQ(Ask({.log_part = LogPart::kUnknown})->terms.want, SessionWant::kAll);
  EXPECT_EQ(Ask({.log_part = LogPart::kAll})->terms.want, SessionWant::kAll);
  EXPECT_EQ(admission_.AskAgainOf("log"), absl::Hours(5));
  EXPECT_EQ(admission_.AskAgainOf("other"), std::nullopt);
  Use({{.name = "log", .action = RuleAction::kLogOnly, .refuse_whole = true}});
  EXPECT_EQ(Reason({.log_part = LogPart::kUnknown}), "RULE");
  EXPECT_EQ(Reason({.log_part = LogPart::kAll}), "");
}

TEST_F(AdmissionTest, AQuotaCountsBuildAndPanicWithoutItsNumbers) {
  Use({{.name = "q", .action = RuleAction::kQuota, .full_per_day = 2}});
  const auto want = [&](const std::string& device, const std::string& build, const std::string& panic) {
    return Ask({.device = device, .hints = {.build_id = build, .panic = panic}})->terms.want;
  };
  EXPECT_EQ(want("a", "b1", "fault at ffff800012345678"), SessionWant::kAll);
  EXPECT_EQ(want("b", "b1", "fault at ffff8000deadbee0"), SessionWant::kAll);
  EXPECT_EQ(want("c", "b1", "fault at 0000000000000010"), SessionWant::kLogOnly);
  EXPECT_EQ(want("c", "b2", "fault at 0000000000000010"), SessionWant::kAll);
  EXPECT_EQ(want("c", "b1", "hung task"), SessionWant::kAll);
  clock_.Advance(absl::Hours(24));
  EXPECT_EQ(want("c", "b1", "fault at 0000000000000010"), SessionWant::kAll) << "another day";
}

TEST_F(AdmissionTest, AFullQuotaMayRefuse) {
  Use({{.name = "q", .action = RuleAction::kQuota, .full_per_day = 0, .then_refuse = true}});
  EXPECT_EQ(Reason({}), "QUOTA");
  EXPECT_EQ(last_.rule, "q");
}

TEST_F(AdmissionTest, WhatALimitTurnsAwayCountsInNoQuota) {
  Use({{.name = "q", .action = RuleAction::kQuota, .full_per_day = 1}});
  EXPECT_EQ(Reason({.free_bytes = 10}), "STORE_FULL");
  EXPECT_EQ(Ask({.free_bytes = kPlenty})->terms.want, SessionWant::kAll);
}

TEST_F(AdmissionTest, ADeviceHasItsOwnRate) {
  for (int i = 0; i < 5; ++i) EXPECT_EQ(Reason({}), "");
  EXPECT_EQ(Reason({}), "DEVICE_RATE");
  EXPECT_GE(*last_.delay, absl::Seconds(60));
  EXPECT_LE(*last_.delay, absl::Seconds(66));
  EXPECT_EQ(last_.limit, "device_crashes_per_hour");
  clock_.Advance(*last_.delay + absl::Seconds(61));
  EXPECT_EQ(Reason({.device = "other"}), "");
  EXPECT_EQ(Reason({}), "");
  EXPECT_EQ(Reason({}), "");
  EXPECT_EQ(Reason({}), "DEVICE_RATE");
}

TEST_F(AdmissionTest, AClockThatIsSetBackGivesNoCrashesAndTakesNone) {
  for (int i = 0; i < 4; ++i) EXPECT_EQ(Reason({}), "");
  clock_.Advance(-absl::Hours(5));
  EXPECT_EQ(Reason({}), "");
  EXPECT_EQ(Reason({}), "DEVICE_RATE");
  clock_.Advance(absl::Minutes(2));
  EXPECT_EQ(Reason({}), "");
}

TEST_F(AdmissionTest, AServerWithEnoughInFlightGivesPlacesAway) {
  EXPECT_EQ(Reason({.device = "a", .bytes = 4 << 20}), "");
  const SessionId first = last_session_;
  EXPECT_EQ(Reason({.device = "b", .bytes = 4 << 20}), "");
  EXPECT_EQ(Reason({.device = "c", .bytes = 4 << 20}), "SERVER_BUSY");
  EXPECT_EQ(last_.limit, "long_wait");
  EXPECT_GT(*last_.delay, absl::Milliseconds(50));
  EXPECT_LE(*last_.delay, absl::Seconds(2));
  const absl::Duration told = *last_.delay;
  EXPECT_EQ(Reason({.device = "d", .bytes = 4 << 20}), "SERVER_BUSY");
  EXPECT_GT(*last_.delay, told) << "behind the other";
  EXPECT_TRUE(admission_.standing().in_flight.binding);
  EXPECT_GT(admission_.standing().queue, told);
  clock_.Advance(told);
  admission_.in_flight()->End(first, clock_.Now());
  EXPECT_EQ(Reason({.device = "c", .bytes = 4 << 20}), "");
}

TEST_F(AdmissionTest, WhoseTurnHasComeAndFindsNoRoomIsNotSentToTheEnd) {
  for (const char* device : {"a", "b"}) EXPECT_EQ(Reason({.device = device, .bytes = 4 << 20}), "");
  EXPECT_EQ(Reason({.device = "c", .bytes = 4 << 20}), "SERVER_BUSY");
  const absl::Duration told = *last_.delay;
  for (int i = 0; i < 20; ++i) Reason({.device = absl::StrCat("x", i), .bytes = 4 << 20});
  EXPECT_GT(*last_.delay, 10 * told);
  clock_.Advance(told);
  EXPECT_EQ(Reason({.device = "c", .bytes = 4 << 20}), "SERVER_BUSY");
  EXPECT_LE(*last_.delay, 2 * told);
}

TEST_F(AdmissionTest, ASessionThatGoesOnIsExpectedWhateverIsInFlight) {
  for (const char* device : {"a", "b"}) EXPECT_EQ(Reason({.device = device, .bytes = 4 << 20}), "");
  admission_.in_flight()->Expect(SessionId("resumed"), DeviceId("c"), 4 << 20, clock_.Now());
  EXPECT_EQ(Reason({.device = "d", .bytes = 4 << 20}), "SERVER_BUSY");
}

TEST_F(AdmissionTest, TheOperatorsLimitHasItsOwnReason) {
  AdmissionLimits limits = Limits();
  limits.in_flight.work.most = 1 << 20;
  Admission admission(limits, &clock_, 1);
  const CrashUid uid("00");
  const CrashHints hints;
  const auto ask = [&](const char* name) {
    const DeviceId device(name);
    return RefusedBy(admission
                         .Decide({.device = &device, .uid = &uid, .hints = &hints, .all_to_bring = 1 << 20},
                                 SessionId(name), kPlenty)
                         .status());
  };
  EXPECT_EQ(ask("a"), std::nullopt) << "a server with nothing to do takes anything";
  const auto refused = ask("b");
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->reason, RefusalReason::kBytesInFlight);
  EXPECT_EQ(refused->limit, "bytes_in_flight");
}

TEST_F(AdmissionTest, OneDeviceCannotTakeAllTheRoom) {
  EXPECT_EQ(Reason({.device = "a", .bytes = 4 << 20}), "");
  EXPECT_EQ(Reason({.device = "a", .bytes = 4 << 20}), "BYTES_IN_FLIGHT");
  EXPECT_GE(*last_.delay, absl::Seconds(1));
  EXPECT_LE(*last_.delay, absl::Seconds(4)) << "who brings nothing counts for nothing by then";
  EXPECT_EQ(Reason({.device = "b", .bytes = 4 << 20}), "");
}

TEST_F(AdmissionTest, TheDisksMarkLeavesRoomForWhatIsOnItsWay) {
  EXPECT_EQ(Reason({.device = "a", .bytes = 5000, .free_bytes = 10'000}), "");
  EXPECT_EQ(Reason({.device = "b", .bytes = 5000, .free_bytes = 10'000}), "STORE_FULL");
  EXPECT_GE(*last_.delay, absl::Minutes(5));
  EXPECT_FALSE(admission_.standing().store_full) << "smaller ones still fit";
  EXPECT_EQ(Reason({.device = "b", .bytes = 10, .free_bytes = 5900}), "STORE_FULL");
  EXPECT_TRUE(admission_.standing().store_full);
}

TEST_F(AdmissionTest, ABusyDatabaseSendsNewCrashesAway) {
  for (int i = 0; i < 50; ++i) admission_.database()->Answered(absl::Seconds(5), clock_.Now());
  EXPECT_EQ(Reason({}), "DATABASE_BUSY");
  EXPECT_GE(*last_.delay, absl::Seconds(5));
  clock_.Advance(absl::Minutes(1));
  EXPECT_EQ(Reason({}), "");
}

TEST_F(AdmissionTest, WhatNeedNotTravelIsNotShed) {
  Use({{.name = "log", .action = RuleAction::kLogOnly}});
  for (int i = 0; i < 5; ++i) EXPECT_EQ(Reason({}), "");
  EXPECT_EQ(Reason({}), "DEVICE_RATE");
  const auto asked = Ask({.stored = true});
  ASSERT_TRUE(asked.ok()) << asked.status();
  EXPECT_EQ(asked->terms.want, SessionWant::kLogOnly);
  Use({});
  EXPECT_EQ(Reason({.stored = true}), "DEVICE_RATE") << "the rest is wanted by now, and has to travel";
}

TEST_F(AdmissionTest, AccountsAreTakenOncePerMinute) {
  const DeviceId device("d");
  EXPECT_TRUE(admission_.TakesAccount(device, 7));
  EXPECT_FALSE(admission_.TakesAccount(device, 8));
  clock_.Advance(absl::Minutes(1));
  EXPECT_FALSE(admission_.TakesAccount(device, 7)) << "it is the same";
  EXPECT_TRUE(admission_.TakesAccount(device, 8));
  EXPECT_TRUE(admission_.TakesAccount(DeviceId("e"), 8));
}

TEST(DeviceTableTest, ForgetsWhoWasSilentForLongest) {
  DeviceTable table(2, {.crashes = 5});
  table.Touch(DeviceId("a"))->crashes = 1;
  table.Touch(DeviceId("b"))->crashes = 2;
  EXPECT_EQ(table.Touch(DeviceId("a"))->crashes, 1);
  table.Touch(DeviceId("c"));
  EXPECT_EQ(table.size(), 2u);
  EXPECT_EQ(table.Touch(DeviceId("a"))->crashes, 1);
  EXPECT_EQ(table.Touch(DeviceId("b"))->crashes, 5) << "as good as new";
}

TEST(QuotaTableTest, ForgetsTheKindThatCameLeastLately) {
  const absl::Time now = absl::FromUnixSeconds(1'800'000'000);
  QuotaTable table(2);
  table.Add("a", now);
  table.Add("b", now);
  table.Add("a", now);
  table.Add("c", now);
  EXPECT_EQ(table.size(), 2u);
  EXPECT_EQ(table.Count("a", now), 2u);
  EXPECT_EQ(table.Count("b", now), 0u);
  EXPECT_EQ(table.Count("a", now + absl::Hours(24)), 0u);
}

}  // namespace
}  // namespace corefleet
