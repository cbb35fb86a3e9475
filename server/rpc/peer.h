#ifndef COREFLEET_SERVER_RPC_PEER_H_
#define COREFLEET_SERVER_RPC_PEER_H_

#include <grpcpp/grpcpp.h>

#include <initializer_list>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/identity/caller.h"
#include "server/rpc/call_owner.h"

namespace corefleet {

// Who calls, by the connection's certificate; a connection without TLS is anyone. Cheap; call it once a call.
//   UNAUTHENTICATED  the certificate names nobody; with google.rpc.ErrorInfo, reason NOT_AUTHENTICATED
absl::StatusOr<DeviceCaller> DeviceCallerOf(const grpc::CallbackServerContext& context);

// Who answers for a call on the devices' port, and how many calls it may have under way: a device by its
// certificate, whatever connections it comes on; of a gateway, or without TLS, each connection, as many as
// gRPC's limit of streams gives to whoever keeps to it. A client that never acknowledges that limit is held
// to this one.
CallOwner CallOwnerOf(const grpc::CallbackServerContext& context);

// DeviceCallerOf of the engineers' port, where a connection without TLS is anyone, with every right.
//   UNAUTHENTICATED  there is no certificate, or it names no engineer
absl::StatusOr<EngineerCaller> EngineerByConnection(const grpc::CallbackServerContext& context);

// True when the connection came with a certificate, whatever is in it.
bool HasCertificate(const grpc::CallbackServerContext& context);

// `status` with google.rpc.ErrorInfo of the domain "corefleet", for clients that act on reasons and not on
// texts.
absl::Status WithReason(absl::Status status, absl::string_view reason,
                        std::initializer_list<std::pair<absl::string_view, std::string>> metadata = {});

}  // namespace corefleet

#endif  // COREFLEET_SERVER_RPC_PEER_H_
