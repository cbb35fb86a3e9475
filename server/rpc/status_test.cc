#include "server/rpc/status.h"

#include <google/protobuf/any.pb.h>
#include <gtest/gtest.h>

#include "absl/strings/cord.h"
#include "absl/time/time.h"
#include "google/rpc/error_details.pb.h"
#include "server/admission/refusal.h"

namespace corefleet {
namespace {

TEST(ToGrpcStatusTest, CodesAgree) {
  for (int code = 1; code <= 16; ++code) {
    const grpc::Status status = ToGrpcStatus(absl::Status(static_cast<absl::StatusCode>(code), "why"));
    EXPECT_EQ(status.error_code(), code);
    EXPECT_EQ(status.error_message(), "why");
    EXPECT_TRUE(status.error_details().empty());
  }
  EXPECT_TRUE(ToGrpcStatus(absl::OkStatus()).ok());
}

TEST(ToGrpcStatusTest, MessagesAreBoundedUtf8) {
  const grpc::Status status = ToGrpcStatus(absl::InternalError(std::string(100'000, '\xff')));
  EXPECT_LE(status.error_message().size(), 4096u);
  EXPECT_EQ(status.error_message().substr(0, 8), "\\xff\\xff");
}

TEST(ToGrpcStatusTest, PayloadsBecomeARpcStatus) {
  absl::Status status = absl::FailedPreconditionError("m");
  status.SetPayload("t/x", absl::Cord("abc"));
  // google.rpc.Status{code: 9, message: "m", details: [Any{type_url: "t/x", value: "abc"}]}
  EXPECT_EQ(ToGrpcStatus(status).error_details(), std::string("\x08\x09\x12\x01m\x1a\x0a\x0a\x03t/x\x12\x03"
                                                              "abc"));
}

TEST(ToGrpcStatusTest, ARefusalSaysWhyAndHowLong) {
  const grpc::Status status = ToGrpcStatus(RefusedStatus({.reason = RefusalReason::kFleetRate,
                                                          .message = "slow down",
                                                          .rule = "r",
                                                          .limit = "fleet_crashes_per_second",
                                                          .delay = absl::Milliseconds(1250)}));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  google::rpc::Status details;
  ASSERT_TRUE(details.ParseFromString(status.error_details()));
  EXPECT_EQ(details.code(), 8);
  EXPECT_EQ(details.message(), "slow down");
  ASSERT_EQ(details.details_size(), 2);
  google::rpc::ErrorInfo info;
  ASSERT_TRUE(details.details(0).UnpackTo(&info));
  EXPECT_EQ(info.reason(), "FLEET_RATE");
  EXPECT_EQ(info.domain(), "corefleet");
  EXPECT_EQ(info.metadata().at("rule"), "r");
  EXPECT_EQ(info.metadata().at("limit"), "fleet_crashes_per_second");
  google::rpc::RetryInfo retry;
  ASSERT_TRUE(details.details(1).UnpackTo(&retry));
  EXPECT_EQ(retry.retry_delay().seconds(), 1);
  EXPECT_EQ(retry.retry_delay().nanos(), 250'000'000);
}

TEST(ToGrpcStatusTest, ARefusalForGoodHasNoDelay) {
  const grpc::Status status =
      ToGrpcStatus(RefusedStatus({.reason = RefusalReason::kRule, .message = "never"}));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  google::rpc::Status details;
  ASSERT_TRUE(details.ParseFromString(status.error_details()));
  EXPECT_EQ(details.details_size(), 1);
}

TEST(ToGrpcStatusTest, DetailsThatNoTrailerHoldsAreLeftOut) {
  absl::Status status = absl::FailedPreconditionError("m");
  status.SetPayload("t/x", absl::Cord(std::string(100'000, 'x')));
  EXPECT_TRUE(ToGrpcStatus(status).error_details().empty());
}

}  // namespace
}  // namespace corefleet
