#include "server/watchdog/watchdog.h"

#include <gtest/gtest.h>

#include <atomic>

#include "absl/synchronization/notification.h"

namespace corefleet {
namespace {

constexpr Watchdog::Options kQuick = {
    .every = absl::Milliseconds(1), .timeout = absl::Milliseconds(50), .misses = 3};

TEST(WatchdogTest, ThreeMissesInARowAreTheEnd) {
  std::atomic<int> asked{0};
  absl::Notification gave_up;
  Watchdog watchdog(kQuick,
                    {{.name = "ingest",
                      .ask =
                          [&](absl::Duration) {
                            ++asked;
                            return absl::UnavailableError("nobody");
                          }}},
                    [&] { gave_up.Notify(); });
  gave_up.WaitForNotification();
  EXPECT_EQ(asked, 3);
}

TEST(WatchdogTest, AnAnswerForgivesWhatWasBefore) {
  std::atomic<int> asked{0};
  std::atomic<bool> gave_up{false};
  absl::Notification enough;
  {
    Watchdog watchdog(kQuick,
                      {{.name = "ingest",
                        .ask =
                            [&](absl::Duration) {
                              const int number = ++asked;
                              if (number == 30) enough.Notify();
                              return number % 3 == 0 ? absl::OkStatus() : absl::UnavailableError("nobody");
                            }}},
                      [&] { gave_up = true; });
    enough.WaitForNotification();
  }
  EXPECT_FALSE(gave_up);
}

TEST(WatchdogTest, AQuestionThatNeverComesBackIsAMiss) {
  absl::Notification gave_up, let_go;
  Watchdog watchdog(kQuick,
                    {{.name = "ingest",
                      .ask =
                          [&](absl::Duration) {
                            let_go.WaitForNotification();
                            return absl::OkStatus();
                          }}},
                    [&] { gave_up.Notify(); });
  gave_up.WaitForNotification();
  let_go.Notify();
}

TEST(WatchdogTest, OnePortIsEnough) {
  absl::Notification gave_up;
  Watchdog watchdog(
      kQuick,
      {{.name = "ingest", .ask = [](absl::Duration) { return absl::OkStatus(); }},
       {.name = "archive", .ask = [](absl::Duration) { return absl::DeadlineExceededError("slow"); }}},
      [&] { gave_up.Notify(); });
  gave_up.WaitForNotification();
}

}  // namespace
}  // namespace corefleet
