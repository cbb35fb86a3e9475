#include "server/rpc/status.h"

#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "core/bytes/escape.h"
#include "google/rpc/error_details.pb.h"
#include "server/admission/refusal.h"

namespace corefleet {
namespace {

constexpr size_t kMaxMessage = 1024;
constexpr size_t kMaxDetails = 4096;
constexpr char kDomain[] = "corefleet";

void SetDuration(absl::Duration duration, google::protobuf::Duration* out) {
  const int64_t seconds = absl::ToInt64Seconds(duration);
  out->set_seconds(seconds);
  out->set_nanos(absl::ToInt64Nanoseconds(duration - absl::Seconds(seconds)));
}

void AddRefusal(const Refused& refused, google::rpc::Status* out) {
  google::rpc::ErrorInfo info;
  info.set_reason(std::string(RefusalReasonName(refused.reason)));
  info.set_domain(kDomain);
  if (!refused.rule.empty()) (*info.mutable_metadata())["rule"] = refused.rule;
  if (!refused.limit.empty()) (*info.mutable_metadata())["limit"] = refused.limit;
  out->add_details()->PackFrom(info);
  if (!refused.delay) return;
  google::rpc::RetryInfo retry;
  SetDuration(*refused.delay, retry.mutable_retry_delay());
  out->add_details()->PackFrom(retry);
}

void AddPayloads(const absl::Status& status, google::rpc::Status* out) {
  status.ForEachPayload([&](absl::string_view type, const absl::Cord& payload) {
    google::protobuf::Any* detail = out->add_details();
    detail->set_type_url(std::string(type));
    detail->set_value(std::string(payload));
  });
}

}  // namespace

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  google::rpc::Status details;
  details.set_code(static_cast<int>(status.code()));
  details.set_message(Utf8OrHex(status.message().substr(0, kMaxMessage)));
  if (const auto refused = RefusedBy(status)) {
    AddRefusal(*refused, &details);
  } else {
    AddPayloads(status, &details);
  }
  const bool fits = details.details_size() > 0 && details.ByteSizeLong() <= kMaxDetails;
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), details.message(),
                      fits ? details.SerializeAsString() : "");
}

void AddPushback(const absl::Status& status, grpc::CallbackServerContext* context) {
  const auto refused = RefusedBy(status);
  if (!refused || !refused->delay) return;
  context->AddTrailingMetadata("grpc-retry-pushback-ms",
                               absl::StrCat(absl::ToInt64Milliseconds(*refused->delay)));
}

}  // namespace corefleet
