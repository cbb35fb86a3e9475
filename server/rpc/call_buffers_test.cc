#include "server/rpc/call_buffers.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace corefleet {
namespace {

constexpr CallBuffers::Sizes kSizes = {.few = 4, .few_bytes = 800, .many_bytes = 100};

class CallBuffersTest : public testing::Test {
 protected:
  void Enter(int calls) {
    for (int i = 0; i < calls; ++i) buffers_.Enter();
  }
  void Leave(int calls) {
    for (int i = 0; i < calls; ++i) buffers_.Leave();
  }

  CallBuffers buffers_{kSizes};
};

TEST_F(CallBuffersTest, FewCallsHaveMuch) {
  EXPECT_EQ(buffers_.bytes(), 800u);
  Enter(4);
  EXPECT_EQ(buffers_.bytes(), 800u);
}

TEST_F(CallBuffersTest, OneMoreThanFewShareTheBoundOfMany) {
  Enter(5);
  EXPECT_EQ(buffers_.bytes(), 100u);
  Enter(50);
  EXPECT_EQ(buffers_.bytes(), 100u);
}

TEST_F(CallBuffersTest, CallsThatComeAndGoAtTheLimitChangeNothing) {
  Enter(5);
  for (int i = 0; i < 3; ++i) {
    Leave(2);
    EXPECT_EQ(buffers_.bytes(), 100u);
    Enter(2);
  }
  Leave(3);
  EXPECT_EQ(buffers_.bytes(), 800u);
  Enter(2);
  EXPECT_EQ(buffers_.bytes(), 800u);
}

TEST_F(CallBuffersTest, ManyThreadsEndWithWhatTheirCallsNeed) {
  const auto together = [](int threads, auto what) {
    std::vector<std::thread> all;
    for (int i = 0; i < threads; ++i) all.emplace_back(what);
    for (std::thread& thread : all) thread.join();
  };
  for (int round = 0; round < 200; ++round) {
    together(6, [&] { buffers_.Enter(); });
    ASSERT_EQ(buffers_.bytes(), 100u);
    together(6, [&] { buffers_.Leave(); });
    ASSERT_EQ(buffers_.bytes(), 800u);
  }
}

}  // namespace
}  // namespace corefleet
