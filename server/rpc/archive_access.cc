#include "server/rpc/archive_access.h"

#include <algorithm>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "server/rpc/peer.h"

namespace corefleet {
namespace {

constexpr MethodAccess kMethods[] = {
    {"ListCrashes", EngineerRole::kViewer},  {"GetCrash", EngineerRole::kViewer},
    {"GetLog", EngineerRole::kViewer},       {"ReadArtifact", EngineerRole::kViewer},  // and RoleToRead
    {"ReadRegion", EngineerRole::kEngineer}, {"ReadMemory", EngineerRole::kEngineer},
};

// The token that came with the call. Several would leave it to their order who somebody is.
absl::StatusOr<std::optional<absl::string_view>> TokenOf(const grpc::CallbackServerContext& context) {
  const auto [first, last] = context.client_metadata().equal_range("authorization");
  if (first == last) return std::nullopt;
  if (std::next(first) != last) return absl::UnauthenticatedError("several tokens came with the call");
  absl::string_view value(first->second.data(), first->second.size());
  if (!absl::ConsumePrefix(&value, "Bearer ")) {
    return absl::UnauthenticatedError("the authorization that came with the call is no Bearer token");
  }
  return value;
}

absl::Status Refused(const grpc::CallbackServerContext& context, absl::string_view method,
                     absl::Status status) {
  Log(LogLevel::kWarning, "call refused",
      {{"method", std::string(method)}, {"peer", context.peer()}, {"why", std::string(status.message())}});
  return status;
}

}  // namespace

absl::Span<const MethodAccess> ArchiveMethods() { return kMethods; }

EngineerRole RoleToRead(ArtifactKind kind) {
  switch (kind) {
    case ArtifactKind::kVmcoreinfo:
    case ArtifactKind::kConfig:
    case ArtifactKind::kLog:
      return EngineerRole::kViewer;
    case ArtifactKind::kCore:
    case ArtifactKind::kZero:
    case ArtifactKind::kConcat:
    case ArtifactKind::kRaw:
    case ArtifactKind::kKdump:
      return EngineerRole::kEngineer;
  }
  return EngineerRole::kEngineer;
}

absl::Status DemandRole(const EngineerCaller& caller, EngineerRole role, absl::string_view what) {
  if (caller.role >= role) return absl::OkStatus();
  return WithReason(
      absl::PermissionDeniedError(absl::StrCat(what, " needs the role ", EngineerRoleName(role), "; ",
                                               caller.name, " is ", EngineerRoleName(caller.role))),
      "ROLE_MISSING", {{"role", std::string(EngineerRoleName(role))}});
}

absl::StatusOr<EngineerCaller> ArchiveAccess::CallerOf(const grpc::CallbackServerContext& context) const {
  ASSIGN_OR_RETURN(const std::optional<absl::string_view> token, TokenOf(context));
  if (tokens_ != nullptr && token) return tokens_->current()->Find(*token);
  if (tokens_ != nullptr && !HasCertificate(context)) {
    return absl::UnauthenticatedError("neither a certificate nor a token says who is calling");
  }
  return EngineerByConnection(context);
}

absl::StatusOr<EngineerCaller> ArchiveAccess::Admit(const grpc::CallbackServerContext& context,
                                                    absl::string_view method) const {
  const absl::StatusOr<EngineerCaller> caller = CallerOf(context);
  if (!caller.ok()) return Refused(context, method, WithReason(caller.status(), "NOT_AUTHENTICATED"));
  const auto row = std::find_if(std::begin(kMethods), std::end(kMethods),
                                [&](const MethodAccess& access) { return access.method == method; });
  const absl::Status status = row == std::end(kMethods) ? absl::PermissionDeniedError("nobody may call this")
                                                        : DemandRole(*caller, row->role, method);
  if (!status.ok()) return Refused(context, method, status);
  return caller;
}

}  // namespace corefleet
