#include "collector/upload/grpc_status.h"

#include <algorithm>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "collector/upload/refusal.h"
#include "google/rpc/error_details.pb.h"

namespace corefleet {
namespace {

constexpr char kDomain[] = "corefleet";
constexpr int kMaxDetails = 16;

void ReadErrorInfo(const google::protobuf::Any& detail, Refusal* refusal) {
  google::rpc::ErrorInfo info;
  if (!detail.UnpackTo(&info) || info.domain() != kDomain) return;
  refusal->reason = info.reason();
  const auto rule = info.metadata().find("rule");
  if (rule != info.metadata().end()) refusal->rule = rule->second;
}

void ReadRetryInfo(const google::protobuf::Any& detail, Refusal* refusal) {
  google::rpc::RetryInfo info;
  if (!detail.UnpackTo(&info)) return;
  const absl::Duration delay =
      absl::Seconds(info.retry_delay().seconds()) + absl::Nanoseconds(info.retry_delay().nanos());
  refusal->wait = std::max(refusal->wait, std::min(delay, kMaxServerDelay));
}

Refusal ReadRefusal(const grpc::Status& status, const grpc::ClientContext& context) {
  Refusal refusal;
  google::rpc::Status said;
  if (!status.error_details().empty() && said.ParseFromString(status.error_details())) {
    const int count = std::min(said.details_size(), kMaxDetails);
    for (int i = 0; i < count; ++i) {
      if (said.details(i).Is<google::rpc::ErrorInfo>()) ReadErrorInfo(said.details(i), &refusal);
      if (said.details(i).Is<google::rpc::RetryInfo>()) ReadRetryInfo(said.details(i), &refusal);
    }
  }
  const auto& trailers = context.GetServerTrailingMetadata();
  const auto pushback = trailers.find("grpc-retry-pushback-ms");
  if (pushback != trailers.end()) {
    ApplyPushback(absl::string_view(pushback->second.data(), pushback->second.size()), &refusal);
  }
  return refusal;
}

}  // namespace

absl::Status StatusOfCall(const grpc::Status& status, const grpc::ClientContext& context) {
  if (status.ok()) return absl::OkStatus();
  // gRPC's and Abseil's codes are the same numbers.
  absl::Status out(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
  const Refusal refusal = ReadRefusal(status, context);
  return refusal == Refusal() ? out : WithRefusal(std::move(out), refusal);
}

}  // namespace corefleet
