#ifndef COREFLEET_SERVER_RPC_ARCHIVE_ACCESS_H_
#define COREFLEET_SERVER_RPC_ARCHIVE_ACCESS_H_

#include <grpcpp/grpcpp.h>

#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/export/artifact.h"
#include "server/identity/caller.h"
#include "server/identity/engineer_tokens.h"
#include "server/identity/exchanged.h"

namespace corefleet {

// What a method of CrashArchive asks of its caller. A method without a row answers nobody.
struct MethodAccess {
  absl::string_view method;
  EngineerRole role;
};
absl::Span<const MethodAccess> ArchiveMethods();

// What ReadArtifact asks beside, by what is read: texts that are facts are a viewer's, memory is an
// engineer's.
EngineerRole RoleToRead(ArtifactKind kind);

// Decides who may call what on the engineers' port. Thread-safe.
//
// A call comes with a token (metadata "authorization: Bearer TOKEN"), or else its connection with a
// certificate. On a port without TLS and without tokens whoever reaches it may do everything: it listens on
// loopback, or the operator said --insecure.
class ArchiveAccess {
 public:
  // `tokens` null: nobody comes with one.
  explicit ArchiveAccess(std::shared_ptr<const Exchanged<EngineerTokens>> tokens = nullptr)
      : tokens_(std::move(tokens)) {}

  // Who calls `method`. Does not block. Refusals are logged, and carry google.rpc.ErrorInfo.
  //   UNAUTHENTICATED    reason NOT_AUTHENTICATED: neither certificate nor token says who it is
  //   PERMISSION_DENIED  reason ROLE_MISSING: who it is may not; the metadata has `role`, the one that is
  //   needed
  absl::StatusOr<EngineerCaller> Admit(const grpc::CallbackServerContext& context,
                                       absl::string_view method) const;

 private:
  absl::StatusOr<EngineerCaller> CallerOf(const grpc::CallbackServerContext& context) const;

  const std::shared_ptr<const Exchanged<EngineerTokens>> tokens_;
};

// The same for a role that only the request's content tells. Codes: PERMISSION_DENIED as above.
absl::Status DemandRole(const EngineerCaller& caller, EngineerRole role, absl::string_view what);

}  // namespace corefleet

#endif  // COREFLEET_SERVER_RPC_ARCHIVE_ACCESS_H_
