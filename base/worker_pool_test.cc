#include "base/worker_pool.h"

#include <atomic>

#include "gtest/gtest.h"

namespace corefleet {
namespace {

TEST(WorkerPoolTest, RunsEverythingBeforeItStops) {
  std::atomic<int> done{0};
  {
    WorkerPool pool(3);
    for (int i = 0; i < 1000; ++i) pool.Run([&done] { ++done; });
  }
  EXPECT_EQ(done, 1000);
}

TEST(WorkerPoolTest, ATaskMayPostAnother) {
  std::atomic<int> done{0};
  {
    WorkerPool pool(1);
    pool.Run([&] { pool.Run([&done] { ++done; }); });
  }
  EXPECT_EQ(done, 1);
}

TEST(WorkerPoolTest, OneThreadKeepsOrder) {
  std::vector<int> order;
  {
    WorkerPool pool(1);
    for (int i = 0; i < 100; ++i) pool.Run([&order, i] { order.push_back(i); });
  }
  for (int i = 0; i < 100; ++i) EXPECT_EQ(order[i], i);
}

}  // namespace
}  // namespace corefleet
