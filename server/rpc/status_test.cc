#include "server/rpc/status.h"

#include <google/protobuf/any.pb.h>
#include <gtest/gtest.h>

#include "absl/strings/cord.h"

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

TEST(ToGrpcStatusTest, DetailsThatNoTrailerHoldsAreLeftOut) {
  absl::Status status = absl::FailedPreconditionError("m");
  status.SetPayload("t/x", absl::Cord(std::string(100'000, 'x')));
  EXPECT_TRUE(ToGrpcStatus(status).error_details().empty());
}

}  // namespace
}  // namespace corefleet
