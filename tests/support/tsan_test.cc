// That --config=tsan finds a race, and that it takes none of absl's synchronization for one. Without this the
// whole suite could be green because ThreadSanitizer sees nothing. Built without it, only the silent half
// says anything.
#include <functional>
#include <memory>
#include <thread>
#include <utility>

#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace corefleet {
namespace {

// What ThreadSanitizer leaves a program with that it stopped.
constexpr int kRaceFound = 66;

// Not optimized into one addition, and not atomic: what two threads do with it has to be ordered by something
// else.
struct Plain {
  volatile int value = 0;
  void Add() { value = value + 1; }
};

void OnTwoThreads(std::function<void()> one, std::function<void()> other) {
  std::thread first(std::move(one));
  std::thread second(std::move(other));
  first.join();
  second.join();
}

void CountUnderTwoMutexes() {
  Plain plain;
  absl::Mutex one, other;
  const auto count = [&plain](absl::Mutex* mutex) {
    for (int i = 0; i < 1000; ++i) {
      const absl::MutexLock lock(mutex);
      plain.Add();
    }
  };
  OnTwoThreads([&] { count(&one); }, [&] { count(&other); });
}

void WriteUnderReaderLock() {
  Plain plain;
  absl::Mutex mutex;
  const auto count = [&] {
    for (int i = 0; i < 1000; ++i) {
      const absl::ReaderMutexLock lock(&mutex);
      plain.Add();
    }
  };
  OnTwoThreads(count, count);
}

void ReadWhatANotificationDoesNotCover() {
  Plain plain;
  absl::Notification written;
  OnTwoThreads(
      [&] {
        written.Notify();
        plain.Add();
      },
      [&] {
        written.WaitForNotification();
        plain.Add();
      });
}

class TsanDeathTest : public testing::Test {
 protected:
  void SetUp() override {
#ifndef __SANITIZE_THREAD__
    GTEST_SKIP() << "not a ThreadSanitizer build";
#endif
    GTEST_FLAG_SET(death_test_style, "threadsafe");
  }
};

TEST_F(TsanDeathTest, TwoMutexesGuardNothing) {
  EXPECT_EXIT(CountUnderTwoMutexes(), testing::ExitedWithCode(kRaceFound), "data race");
}

TEST_F(TsanDeathTest, AReaderLockGuardsNoWrite) {
  EXPECT_EXIT(WriteUnderReaderLock(), testing::ExitedWithCode(kRaceFound), "data race");
}

TEST_F(TsanDeathTest, AWriteAfterTheNotificationIsNotCovered) {
  EXPECT_EXIT(ReadWhatANotificationDoesNotCover(), testing::ExitedWithCode(kRaceFound), "data race");
}

// Each of these is one report per guarded access when absl's part is not seen.
TEST(TsanSilenceTest, MutexInEveryForm) {
  Plain plain;
  absl::Mutex mutex;
  int read = 0;
  const auto count = [&] {
    for (int i = 0; i < 1000; ++i) {
      {
        const absl::MutexLock lock(&mutex);
        plain.Add();
      }
      if (mutex.TryLock()) {
        plain.Add();
        plain.Add();
        mutex.Unlock();
      }
      const absl::ReaderMutexLock lock(&mutex);
      if (plain.value < 0) ADD_FAILURE();
    }
  };
  OnTwoThreads(count, count);
  read = plain.value;
  EXPECT_GE(read, 2000);
}

// The condition reads what the mutex guards, and it is the unlocking thread that evaluates it.
TEST(TsanSilenceTest, ConditionsOfWaiters) {
  struct {
    absl::Mutex mutex;
    Plain turn;
  } game;
  const auto play = [&game](int mine) {
    for (int i = 0; i < 500; ++i) {
      const auto my_turn = [&game, mine] { return game.turn.value % 2 == mine; };
      switch (i % 3) {
        case 0: {
          const absl::MutexLock lock(&game.mutex, absl::Condition(&my_turn));
          game.turn.Add();
          break;
        }
        case 1: {
          const absl::MutexLock lock(&game.mutex);
          game.mutex.Await(absl::Condition(&my_turn));
          game.turn.Add();
          break;
        }
        default: {
          const absl::MutexLock lock(&game.mutex);
          while (!game.mutex.AwaitWithTimeout(absl::Condition(&my_turn), absl::Milliseconds(1))) {
          }
          game.turn.Add();
        }
      }
    }
  };
  OnTwoThreads([&] { play(0); }, [&] { play(1); });
  EXPECT_EQ(game.turn.value, 1000);
}

TEST(TsanSilenceTest, CondVar) {
  absl::Mutex mutex;
  absl::CondVar changed;
  Plain turn;
  const auto play = [&](int mine) {
    for (int i = 0; i < 500; ++i) {
      const absl::MutexLock lock(&mutex);
      while (turn.value % 2 != mine) {
        if (i % 2 == 0) {
          changed.Wait(&mutex);
        } else {
          changed.WaitWithTimeout(&mutex, absl::Seconds(1));
        }
      }
      turn.Add();
      changed.SignalAll();
    }
  };
  OnTwoThreads([&] { play(0); }, [&] { play(1); });
  EXPECT_EQ(turn.value, 1000);
}

TEST(TsanSilenceTest, NotificationAndBlockingCounter) {
  for (int i = 0; i < 200; ++i) {
    Plain plain;
    absl::Notification written;
    absl::BlockingCounter both(2);
    OnTwoThreads(
        [&] {
          plain.Add();
          written.Notify();
          both.DecrementCount();
        },
        [&] {
          switch (i % 3) {
            case 0:
              written.WaitForNotification();
              break;
            case 1:
              while (!written.WaitForNotificationWithTimeout(absl::Milliseconds(1))) {
              }
              break;
            default:
              while (!written.HasBeenNotified()) std::this_thread::yield();
          }
          plain.Add();
          both.DecrementCount();
          both.Wait();
        });
    EXPECT_EQ(plain.value, 2);
  }
}

}  // namespace
}  // namespace corefleet
