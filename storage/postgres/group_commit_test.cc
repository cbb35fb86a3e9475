#include "storage/postgres/group_commit.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "absl/synchronization/notification.h"

namespace corefleet {
namespace {

struct Op {
  int number = 0;
  size_t size = 1;
  int ran = 0;
  size_t bytes() const { return size; }
};

class GroupCommitTest : public testing::Test {
 protected:
  // Runs `ops` while the first one is held up until all others wait.
  void RunTogether(std::vector<Op>* ops) {
    absl::Notification first_runs, go_on;
    std::atomic<bool> first = true;
    GroupCommit<Op> group(4, 100, [&](const std::vector<Op*>& batch) {
      if (first.exchange(false)) {
        first_runs.Notify();
        go_on.WaitForNotification();
      }
      EXPECT_FALSE(running_.exchange(true)) << "one at a time";
      batches_.push_back({});
      for (Op* op : batch) {
        ++op->ran;
        batches_.back().push_back(op->number);
      }
      running_ = false;
    });
    std::vector<std::thread> threads;
    std::atomic<size_t> started = 0;
    for (Op& op : *ops) {
      if (&op != &ops->front()) first_runs.WaitForNotification();
      threads.emplace_back([&] {
        ++started;
        group.Run(&op);
      });
    }
    while (started < ops->size()) std::this_thread::yield();
    go_on.Notify();
    for (std::thread& thread : threads) thread.join();
    for (const Op& op : *ops) EXPECT_EQ(op.ran, 1);
  }

  std::atomic<bool> running_ = false;
  std::vector<std::vector<int>> batches_;
};

TEST_F(GroupCommitTest, EachRunsOnceInBatchesOfAtMostFour) {
  std::vector<Op> ops(14);
  for (int i = 0; i < 14; ++i) ops[i].number = i;
  RunTogether(&ops);
  EXPECT_EQ(batches_.front(), std::vector<int>{0}) << "the first one waits for nobody";
  size_t all = 0;
  for (const auto& batch : batches_) {
    EXPECT_LE(batch.size(), 4u);
    all += batch.size();
  }
  EXPECT_EQ(all, 14u);
}

TEST_F(GroupCommitTest, LargeOnesGoAlone) {
  std::vector<Op> ops(5);
  for (int i = 0; i < 5; ++i) ops[i] = {.number = i, .size = 1000};
  RunTogether(&ops);
  EXPECT_EQ(batches_.size(), 5u);
}

TEST_F(GroupCommitTest, ManyThreadsManyTimes) {
  std::atomic<int> sum = 0;
  GroupCommit<Op> group(8, 100, [&](const std::vector<Op*>& batch) {
    for (Op* op : batch) {
      ++op->ran;
      sum += op->number;
    }
  });
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      for (int i = 1; i <= 200; ++i) {
        Op op{.number = i};
        group.Run(&op);
        EXPECT_EQ(op.ran, 1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(sum, 8 * 201 * 100);
}

}  // namespace
}  // namespace corefleet
