#include "server/rpc/status.h"

#include <google/protobuf/any.pb.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <string>

#include "core/bytes/escape.h"

namespace corefleet {
namespace {

using google::protobuf::io::CodedOutputStream;

constexpr size_t kMaxMessage = 1024;
constexpr size_t kMaxDetails = 4096;

// google.rpc.Status {int32 code = 1; string message = 2; repeated google.protobuf.Any details = 3;}, written
// by hand: Debian has no generated code for it.
constexpr uint32_t kCodeTag = 1 << 3 | 0;
constexpr uint32_t kMessageTag = 2 << 3 | 2;
constexpr uint32_t kDetailsTag = 3 << 3 | 2;

void WriteBytes(uint32_t tag, const std::string& bytes, CodedOutputStream* out) {
  out->WriteTag(tag);
  out->WriteVarint32(bytes.size());
  out->WriteString(bytes);
}

std::string DetailsOf(const absl::Status& status, const std::string& message) {
  std::string details;
  google::protobuf::io::StringOutputStream sink(&details);
  CodedOutputStream out(&sink);
  bool any = false;
  status.ForEachPayload([&](absl::string_view type, const absl::Cord& payload) {
    if (!any) {
      out.WriteTag(kCodeTag);
      out.WriteVarint32(static_cast<uint32_t>(status.code()));
      WriteBytes(kMessageTag, message, &out);
      any = true;
    }
    google::protobuf::Any detail;
    detail.set_type_url(std::string(type));
    detail.set_value(std::string(payload));
    WriteBytes(kDetailsTag, detail.SerializeAsString(), &out);
  });
  out.Trim();
  return details;
}

}  // namespace

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const std::string message = Utf8OrHex(status.message().substr(0, kMaxMessage));
  std::string details = DetailsOf(status, message);
  if (details.size() > kMaxDetails) details.clear();
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), message, details);
}

}  // namespace corefleet
