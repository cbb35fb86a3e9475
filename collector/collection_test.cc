#include "collector/collection.h"

#include <memory>

#include "collector/upload/fake_ingest_server.h"
#include "gtest/gtest.h"

namespace corefleet {
namespace {

FoundCrash Crash() {
  FoundCrash crash{.path = "memory"};
  crash.regions.regions.resize(1);
  crash.regions.regions[0].file_name = "md_Kprb22.BIN";
  crash.regions.regions[0].bytes = std::make_shared<MemorySource>(absl::string_view("12345678"));
  return crash;
}

class UploadSinkTest : public testing::Test {
 protected:
  UploadSink Sink(RetryPolicy retry = RetryPolicy::Interactive()) {
    return UploadSink({.device = DeviceId("edge-1"), .retry = retry}, &server_, &clock_, &sent_);
  }
  UploadSink Sink(SentCrashes* sent) {
    return UploadSink({.device = DeviceId("edge-1")}, &server_, &clock_, sent);
  }

  FakeIngestServer server_;
  FakeClock clock_{absl::FromUnixSeconds(1000)};
  SentCrashes sent_ = *SentCrashes::Open("", {});
};

TEST_F(UploadSinkTest, DoesNotEvenAskForWhatWasSent) {
  SentCrashes sent =
      *SentCrashes::Open(testing::TempDir() + "/state", {.ingest = "a", .device = DeviceId("b")});
  EXPECT_EQ(*Sink(&sent).Accept(Crash()), Fate::kSafe);
  EXPECT_EQ(server_.begins, 1);
  EXPECT_EQ(*Sink(&sent).Accept(Crash()), Fate::kSafe);
  EXPECT_EQ(server_.begins, 1);
}

TEST_F(UploadSinkTest, ARefusedCrashIsNotOfferedAgainAndCounts) {
  server_.begin_faults = {absl::InvalidArgumentError("never")};
  UploadSink sink = Sink();
  EXPECT_EQ(*sink.Accept(Crash()), Fate::kRefused);
  EXPECT_EQ(sink.refused(), 1);
}

TEST_F(UploadSinkTest, WhatTheServerDidNotAnswerForIsOfferedAgain) {
  server_.begin_faults.assign(1000, absl::UnavailableError("down"));
  UploadSink sink = Sink();
  EXPECT_TRUE(absl::IsUnavailable(sink.Accept(Crash()).status()));
  EXPECT_TRUE(sink.unreachable());
  server_.begin_faults.clear();
  EXPECT_TRUE(sink.Accept(Crash()).ok());
  EXPECT_TRUE(server_.crash_stored);
}

}  // namespace
}  // namespace corefleet
