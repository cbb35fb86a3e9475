// A fleet, and a server that shares itself evenly among all that it has let in, on a fake clock.

#include <gtest/gtest.h>

#include <algorithm>
#include <list>
#include <map>
#include <queue>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/admission/admission.h"

namespace corefleet {
namespace {

constexpr absl::Duration kTick = absl::Milliseconds(5);
constexpr uint64_t kMiB = 1 << 20;
constexpr uint64_t kCrashBytes = 2 * kMiB;
constexpr double kCrashWork = kCrashBytes + BytesInFlight::kCrashWork;

class OverloadTest : public testing::Test {
 protected:
  struct Upload {
    SessionId session;
    double work;  // left
    double link;  // bytes a second
  };
  struct Visit {
    absl::Time when;
    int device;
    bool operator>(const Visit& other) const { return when > other.when; }
  };

  static AdmissionLimits Limits() {
    AdmissionLimits limits;
    limits.fleet_crashes_per_second = 0;
    limits.fleet_bytes_per_second = 0;
    return limits;
  }

  // Crashes a second that the server can do.
  void SetCapacity(double crashes_per_second) { capacity_ = crashes_per_second * kCrashWork; }

  // Lets time pass while so many crashes a second happen, each to a device of its own.
  void Run(absl::Duration time, double crashes_per_second, double link = 100.0 * kMiB) {
    const absl::Time end = clock_.Now() + time;
    link_ = link;
    while (clock_.Now() < end) {
      due_ += crashes_per_second * absl::ToDoubleSeconds(kTick);
      for (; due_ >= 1; due_ -= 1) Ask(next_device_++);
      while (!returning_.empty() && returning_.top().when <= clock_.Now()) {
        const int device = returning_.top().device;
        returning_.pop();
        Ask(device);
      }
      Work();
      clock_.Advance(kTick);
    }
  }
  // Stored a second since the last call.
  double Goodput() {
    const double seconds = absl::ToDoubleSeconds(clock_.Now() - counted_since_);
    counted_since_ = clock_.Now();
    return std::exchange(stored_, 0) / seconds;
  }
  // Starts a crash that its device never brings. False when it was refused.
  bool Announce(const std::string& device, uint64_t bytes) {
    return Decide(device, absl::StrCat("greedy-", ++announced_), bytes).ok();
  }
  double RefusalsOfEach() const {
    double all = 0;
    for (const int refusals : refusals_of_stored_) all += refusals;
    return refusals_of_stored_.empty() ? 0 : all / static_cast<double>(refusals_of_stored_.size());
  }
  void ResetRefusals() { refusals_of_stored_.clear(); }
  // Those who were told to come back never do.
  void ForgetReturning() { returning_ = {}; }
  uint64_t limit() { return admission_.standing().in_flight.limit; }

  FakeClock clock_{absl::FromUnixSeconds(1'800'000'000)};
  Admission admission_{Limits(), &clock_, 1};

 private:
  absl::StatusOr<Grant> Decide(const std::string& device, const std::string& session, uint64_t bytes) {
    const DeviceId id(device);
    const CrashUid uid("0123456789abcdef");
    const CrashHints hints;
    return admission_.Decide(
        {.device = &id, .uid = &uid, .hints = &hints, .bytes = bytes, .all_to_bring = bytes},
        SessionId(session), uint64_t{1} << 50);
  }

  void Ask(int device) {
    const auto grant = Decide(absl::StrCat("device-", device), absl::StrCat(device), kCrashBytes);
    if (grant.ok()) {
      uploads_.push_back({SessionId(absl::StrCat(device)), kCrashWork, link_});
      refusals_of_stored_.push_back(refusals_[device]);
      refusals_.erase(device);
      return;
    }
    ++refusals_[device];
    const auto refused = RefusedBy(grant.status());
    ASSERT_TRUE(refused && refused->delay);
    returning_.push({clock_.Now() + *refused->delay, device});
  }

  // Everybody gets the same part, and no more than his link brings.
  void Work() {
    const double seconds = absl::ToDoubleSeconds(kTick);
    double left = capacity_ * seconds;
    double waiting = 0;  // what is at the server already
    size_t sharing = uploads_.size();
    for (auto upload = uploads_.begin(); upload != uploads_.end(); --sharing) {
      const double part =
          std::min({upload->work, upload->link * seconds, left / static_cast<double>(sharing)});
      waiting += std::min(upload->work, upload->link * seconds * 20) - part;
      left -= part;
      upload->work -= part;
      admission_.in_flight()->Brought(upload->session, static_cast<uint64_t>(part), clock_.Now());
      if (upload->work < 1) {
        admission_.in_flight()->End(upload->session, clock_.Now());
        upload = uploads_.erase(upload);
        ++stored_;
      } else {
        ++upload;
      }
    }
    // A step waits for those before it.
    admission_.in_flight()->Took(ServerPart::kWorker,
                                 absl::Seconds(left > 1 ? 0.002 : std::max(0.0, waiting) / capacity_),
                                 clock_.Now());
  }

  double capacity_ = 100 * kCrashWork;
  double link_ = 0;
  double due_ = 0;
  int next_device_ = 0;
  int announced_ = 0;
  int stored_ = 0;
  absl::Time counted_since_ = clock_.Now();
  std::list<Upload> uploads_;
  std::priority_queue<Visit, std::vector<Visit>, std::greater<Visit>> returning_;
  std::map<int, int> refusals_;
  std::vector<int> refusals_of_stored_;
};

TEST_F(OverloadTest, GoodputIsFlatHoweverMuchIsOffered) {
  for (const double times : {0.5, 1.0, 2.0, 4.0, 10.0}) {
    Run(absl::Seconds(3), times * 100);
    Goodput();
    Run(absl::Seconds(10), times * 100);
    EXPECT_GE(Goodput(), 0.95 * std::min(times, 1.0) * 100) << times;
  }
  EXPECT_LT(RefusalsOfEach(), 2);
}

TEST_F(OverloadTest, TheLimitFindsASlowServerAndAFastOne) {
  for (const double capacity : {50, 10, 200, 100}) {
    SetCapacity(capacity);
    Run(absl::Seconds(15), 4 * capacity);
    Goodput();
    Run(absl::Seconds(10), 4 * capacity);
    EXPECT_GE(Goodput(), 0.9 * capacity) << capacity;
    EXPECT_GE(static_cast<double>(limit()), 0.05 * capacity * kCrashWork) << capacity;
    EXPECT_LE(static_cast<double>(limit()), std::max(32.0 * kMiB, capacity * kCrashWork)) << capacity;
  }
}

TEST_F(OverloadTest, AfterItEverythingIsLetInAtOnce) {
  Run(absl::Seconds(10), 400);
  // Nobody comes back: the queue's places are given away, and nobody is there to take them.
  ForgetReturning();
  Run(absl::Seconds(2), 30);
  Goodput();
  Run(absl::Seconds(5), 30);
  EXPECT_GE(Goodput(), 29);
}

TEST_F(OverloadTest, SlowDevicesDoNotKeepFastOnesOut) {
  Run(absl::Seconds(5), 40, /*link=*/64 << 10);  // 200 of them, each for 40 s
  ResetRefusals();
  Goodput();
  Run(absl::Seconds(10), 80);
  EXPECT_GE(Goodput(), 75);
  EXPECT_LT(RefusalsOfEach(), 0.1);
}

TEST_F(OverloadTest, AFleetOfSlowDevicesUsesTheWholeServer) {
  // Each needs two seconds; the server could do a hundred of them in one.
  Run(absl::Seconds(10), 200, /*link=*/1.25 * kMiB);
  Goodput();
  Run(absl::Seconds(20), 200, /*link=*/1.25 * kMiB);
  EXPECT_GE(Goodput(), 90);
}

TEST_F(OverloadTest, WhoAnnouncesAndBringsNothingKeepsNobodyOut) {
  for (int second = 0; second < 20; ++second) {
    for (int device = 0; device < 12; ++device) {
      for (int i = 0; i < 2; ++i) Announce(absl::StrCat("hostile-", device), 1024 * kMiB);
    }
    Run(absl::Seconds(1), 25);
  }
  EXPECT_GE(Goodput(), 22);
  EXPECT_LT(RefusalsOfEach(), 2);
}

TEST_F(OverloadTest, AfterAnIdleHourNothingIsForgottenAndNothingIsInTheWay) {
  Run(absl::Seconds(10), 400);
  ForgetReturning();
  Run(absl::Seconds(5), 0);
  clock_.Advance(absl::Hours(1));
  Goodput();
  Run(absl::Seconds(5), 400);
  EXPECT_GE(Goodput(), 90);
}

}  // namespace
}  // namespace corefleet
