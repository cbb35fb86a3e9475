#include "storage/postgres/pqxx_status.h"

#include <gtest/gtest.h>

#include <new>
#include <pqxx/pqxx>

namespace corefleet {
namespace {

template <typename Exception>
absl::StatusCode CodeOf(const Exception& exception) {
  return CatchPqxx([&]() -> absl::Status { throw exception; }).code();
}

TEST(PqxxStatusTest, EachExceptionHasItsCode) {
  using absl::StatusCode;
  EXPECT_EQ(CodeOf(pqxx::in_doubt_error("x")), StatusCode::kUnknown);
  EXPECT_EQ(CodeOf(pqxx::statement_completion_unknown("x")), StatusCode::kUnknown);
  EXPECT_EQ(CodeOf(pqxx::serialization_failure("x")), StatusCode::kAborted);
  EXPECT_EQ(CodeOf(pqxx::deadlock_detected("x")), StatusCode::kAborted);
  EXPECT_EQ(CodeOf(pqxx::broken_connection("x")), StatusCode::kUnavailable);
  EXPECT_EQ(CodeOf(pqxx::too_many_connections("x")), StatusCode::kUnavailable);
  EXPECT_EQ(CodeOf(pqxx::unique_violation("x")), StatusCode::kAlreadyExists);
  EXPECT_EQ(CodeOf(pqxx::foreign_key_violation("x")), StatusCode::kFailedPrecondition);
  EXPECT_EQ(CodeOf(pqxx::disk_full("x")), StatusCode::kResourceExhausted);
  EXPECT_EQ(CodeOf(pqxx::usage_error("x")), StatusCode::kInternal);
  EXPECT_EQ(CodeOf(std::bad_alloc()), StatusCode::kInternal);
}

TEST(PqxxStatusTest, SqlStatesThatMeanLaterAreUnavailable) {
  for (const char* state : {"57P01", "57P02", "57P03", "57014", "25006", "08006"}) {
    EXPECT_EQ(CodeOf(pqxx::sql_error("x", "", state)), absl::StatusCode::kUnavailable) << state;
  }
  EXPECT_EQ(CodeOf(pqxx::sql_error("x", "", "55P03")), absl::StatusCode::kAborted);
  EXPECT_EQ(CodeOf(pqxx::sql_error("x", "", "42P01")), absl::StatusCode::kInternal);
}

TEST(PqxxStatusTest, WhatThrowsNothingPassesThrough) {
  EXPECT_TRUE(CatchPqxx([] { return absl::OkStatus(); }).ok());
  EXPECT_EQ(CatchPqxx([] { return absl::NotFoundError("x"); }).code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace corefleet
