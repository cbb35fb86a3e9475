// A fleet on a fake clock: whoever is turned away comes back when he was told to.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <queue>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/admission/admission.h"

namespace corefleet {
namespace {

constexpr double kRate = 100;  // crashes a second
constexpr uint64_t kBytes = 64 << 10;

struct Visit {
  absl::Time when;
  int device;
  bool operator>(const Visit& other) const { return when > other.when; }
};

class Fleet {
 public:
  Fleet() : admission_(Limits(), &clock_, 1) {}

  static AdmissionLimits Limits() {
    AdmissionLimits limits;
    limits.fleet_crashes_per_second = kRate;
    limits.fleet_bytes_per_second = 0;
    limits.fleet_burst = absl::Seconds(2);
    limits.in_flight.work = {
        .least = uint64_t{1} << 50, .first = uint64_t{1} << 50, .most = uint64_t{1} << 50};
    return limits;
  }

  void Offer(int device, absl::Time when) {
    visits_.push({when, device});
    first_.emplace(device, when);
  }
  // Until nobody waits any more.
  void Run() {
    while (!visits_.empty()) {
      const Visit visit = visits_.top();
      visits_.pop();
      if (visit.when > clock_.Now()) clock_.Advance(visit.when - clock_.Now());
      Ask(visit.device);
    }
  }

  absl::Time start() const { return start_; }
  const std::map<int, absl::Time>& admitted() const { return admitted_; }
  int most_visits() const { return most_visits_; }
  // Visits and admissions in each second since the start.
  const std::map<int64_t, int>& visits_each_second() const { return visits_each_second_; }
  const std::map<int64_t, int>& admitted_each_second() const { return admitted_each_second_; }
  absl::Duration longest_wait() const {
    absl::Duration longest;
    for (const auto& [device, when] : admitted_) longest = std::max(longest, when - first_.at(device));
    return longest;
  }

 private:
  void Ask(int device) {
    const int64_t second = absl::ToInt64Seconds(clock_.Now() - start_);
    ++visits_each_second_[second];
    most_visits_ = std::max(most_visits_, ++visits_of_[device]);
    const DeviceId id(absl::StrCat("device-", device));
    const CrashUid uid(absl::StrCat("0123456789abcdef", device));
    const CrashHints hints;
    const auto grant = admission_.Decide(
        {.device = &id, .uid = &uid, .hints = &hints, .bytes = kBytes, .all_to_bring = kBytes},
        SessionId(absl::StrCat(device)), uint64_t{1} << 50);
    if (grant.ok()) {
      admitted_[device] = clock_.Now();
      ++admitted_each_second_[second];
      admission_.in_flight()->End(SessionId(absl::StrCat(device)), clock_.Now());
      return;
    }
    const auto refused = RefusedBy(grant.status());
    ASSERT_TRUE(refused && refused->delay);
    visits_.push({clock_.Now() + *refused->delay, device});
  }

  const absl::Time start_ = absl::FromUnixSeconds(1'800'000'000);
  FakeClock clock_{start_};
  Admission admission_;
  std::priority_queue<Visit, std::vector<Visit>, std::greater<Visit>> visits_;
  std::map<int, absl::Time> first_, admitted_;
  std::map<int, int> visits_of_;
  std::map<int64_t, int> visits_each_second_, admitted_each_second_;
  int most_visits_ = 0;
};

int Most(const std::map<int64_t, int>& each_second, int64_t from) {
  int most = 0;
  for (const auto& [second, count] : each_second) most = second >= from ? std::max(most, count) : most;
  return most;
}

// A power cut ends: 20,000 devices offer a crash within a second.
TEST(FleetSimulationTest, EverybodyGetsInAtTheRateAndNoSecondWaveComes) {
  constexpr int kDevices = 20'000;
  Fleet fleet;
  for (int i = 0; i < kDevices; ++i) fleet.Offer(i, fleet.start() + absl::Microseconds(50) * i);
  fleet.Run();
  ASSERT_EQ(fleet.admitted().size(), kDevices);
  // The work itself takes 20,000 / 100 = 200 s.
  EXPECT_LT(fleet.longest_wait(), absl::Seconds(200 * 1.15));
  EXPECT_LE(Most(fleet.admitted_each_second(), 1), kRate * 1.5) << "after the burst";
  EXPECT_LE(Most(fleet.visits_each_second(), 2), kRate * 1.5) << "a second wave";
  EXPECT_LE(fleet.most_visits(), 4);
}

// Four times what the server takes, for a minute.
TEST(FleetSimulationTest, UnderOverloadTheRateIsUsedAndTheQueueDrains) {
  constexpr int kSeconds = 60;
  constexpr int kDevices = 4 * kSeconds * static_cast<int>(kRate);
  Fleet fleet;
  for (int i = 0; i < kDevices; ++i) fleet.Offer(i, fleet.start() + absl::Seconds(1 / (4 * kRate)) * i);
  fleet.Run();
  ASSERT_EQ(fleet.admitted().size(), kDevices);
  for (int64_t begin = 0; begin + 10 <= 4 * kSeconds * 9 / 10; begin += 10) {
    int admitted = 0;
    for (int64_t second = begin; second < begin + 10; ++second)
      admitted += fleet.admitted_each_second().at(second);
    EXPECT_GE(admitted, 10 * kRate * 0.85) << "from second " << begin;
  }
  // 24,000 crashes at 100 a second are done after 240 s; who came last waits for three quarters of them.
  EXPECT_LT(fleet.longest_wait(), absl::Seconds(180 * 1.2));
  EXPECT_LE(Most(fleet.visits_each_second(), kSeconds + 1), kRate * 1.5);
  EXPECT_LE(fleet.most_visits(), 5);
}

// Half of those who were told to come back never do: what was kept for them is not lost.
TEST(FleetSimulationTest, WhatNobodyFetchesGoesToOthers) {
  FakeClock clock(absl::FromUnixSeconds(1'800'000'000));
  Admission admission(Fleet::Limits(), &clock, 1);
  const CrashHints hints;
  int admitted = 0;
  const auto ask = [&](int device) {
    const DeviceId id(absl::StrCat("d", device));
    const CrashUid uid("00");
    const bool in = admission
                        .Decide({.device = &id, .uid = &uid, .hints = &hints, .bytes = 1, .all_to_bring = 1},
                                SessionId("s"), uint64_t{1} << 50)
                        .ok();
    admitted += in;
    return in;
  };
  for (int i = 0; i < 10'000; ++i) ask(i);  // and they are never seen again
  EXPECT_LE(admitted, 201);
  admitted = 0;
  for (int i = 0; i < 3000; ++i) {
    clock.Advance(absl::Milliseconds(5));  // twice the rate
    ask(10'000 + i);
  }
  EXPECT_GE(admitted, 1200) << "of the 1500 that 15 s have room for";
}

TEST(FleetSimulationTest, WhoAsksTooEarlyHearsTheSameAndDelaysNobody) {
  FakeClock clock(absl::FromUnixSeconds(1'800'000'000));
  Admission admission(Fleet::Limits(), &clock, 1);
  const CrashHints hints;
  const CrashUid uid("00");
  const auto delay = [&](const std::string& name) {
    const DeviceId id(name);
    const auto grant =
        admission.Decide({.device = &id, .uid = &uid, .hints = &hints, .bytes = 1, .all_to_bring = 1},
                         SessionId("s"), uint64_t{1} << 50);
    return grant.ok() ? absl::ZeroDuration() : *RefusedBy(grant.status())->delay;
  };
  for (int i = 0; i < 1000; ++i) delay(absl::StrCat(i));
  const absl::Duration first = delay("eager");
  ASSERT_GT(first, absl::Seconds(1));
  const absl::Duration queue = admission.standing().queue;
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(delay("eager"), absl::Trunc(first, absl::Milliseconds(1)));
  EXPECT_EQ(admission.standing().queue, queue);
}

}  // namespace
}  // namespace corefleet
