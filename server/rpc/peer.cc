#include "server/rpc/peer.h"

#include <grpc/grpc_security_constants.h>

#include <vector>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "server/identity/certified_name.h"

namespace corefleet {
namespace {

// A device needs a stream and a call; after it lost its network a few more hang for a while.
constexpr int kCallsOfDevice = 16;
constexpr int kCallsOfConnection = 256;

// The bytes live as long as the context, in which gRPC keeps them.
std::vector<absl::string_view> UrisOf(const grpc::AuthContext& peer) {
  std::vector<absl::string_view> uris;
  for (const grpc::string_ref& uri : peer.FindPropertyValues(GRPC_PEER_URI_PROPERTY_NAME)) {
    uris.emplace_back(uri.data(), uri.size());
  }
  return uris;
}

// gRPC says "insecure" of plaintext, or nothing. Whatever else it says has to come with a name.
bool IsPlaintext(const grpc::AuthContext& peer) {
  const auto types = peer.FindPropertyValues(GRPC_TRANSPORT_SECURITY_TYPE_PROPERTY_NAME);
  return types.empty() || (types.size() == 1 && types[0] == "insecure");
}

}  // namespace

absl::StatusOr<DeviceCaller> DeviceCallerOf(const grpc::CallbackServerContext& context) {
  const auto peer = context.auth_context();
  if (peer == nullptr || IsPlaintext(*peer)) return DeviceCaller::Anyone();
  auto caller = DeviceOfCertificate(UrisOf(*peer));
  if (!caller.ok()) return WithReason(caller.status(), "NOT_AUTHENTICATED");
  return caller;
}

CallOwner CallOwnerOf(const grpc::CallbackServerContext& context) {
  const auto caller = DeviceCallerOf(context);
  if (caller.ok() && caller->only() != nullptr) {
    return {.name = absl::StrCat("device ", caller->only()->value()), .most = kCallsOfDevice};
  }
  return {.name = absl::StrCat("connection ", context.peer()), .most = kCallsOfConnection};
}

absl::StatusOr<EngineerCaller> EngineerByConnection(const grpc::CallbackServerContext& context) {
  const auto peer = context.auth_context();
  if (peer == nullptr || IsPlaintext(*peer))
    return EngineerCaller{.name = "anyone", .role = EngineerRole::kAdmin};
  if (!HasCertificate(context)) return absl::UnauthenticatedError("no certificate says who is calling");
  return EngineerOfCertificate(UrisOf(*peer));
}

bool HasCertificate(const grpc::CallbackServerContext& context) {
  const auto peer = context.auth_context();
  return peer != nullptr && !peer->FindPropertyValues(GRPC_X509_PEM_CERT_PROPERTY_NAME).empty();
}

absl::Status WithReason(absl::Status status, absl::string_view reason,
                        std::initializer_list<std::pair<absl::string_view, std::string>> metadata) {
  google::rpc::ErrorInfo info;
  info.set_domain("corefleet");
  info.set_reason(std::string(reason));
  for (const auto& [key, value] : metadata) (*info.mutable_metadata())[std::string(key)] = value;
  status.SetPayload(absl::StrCat("type.googleapis.com/", info.GetTypeName()),
                    absl::Cord(info.SerializeAsString()));
  return status;
}

}  // namespace corefleet
