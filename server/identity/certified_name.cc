#include "server/identity/certified_name.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"

namespace corefleet {
namespace {

constexpr absl::string_view kScheme = "corefleet:";
// As much of a hostile name as a log line needs.
constexpr size_t kShown = 64;

struct CertifiedName {
  std::string kind;
  DeviceId name;
};

std::string Shown(absl::string_view uri) { return absl::CHexEscape(uri.substr(0, kShown)); }

// The one URI that is ours. Two would leave it to the order of the names who somebody is.
absl::StatusOr<absl::string_view> OurUri(absl::Span<const absl::string_view> uris) {
  absl::string_view ours;
  for (const absl::string_view uri : uris) {
    if (uri.substr(0, kScheme.size()) != kScheme) continue;
    if (!ours.empty())
      return absl::UnauthenticatedError("the certificate has several names corefleet:KIND:NAME");
    ours = uri;
  }
  if (ours.empty()) {
    return absl::UnauthenticatedError("the certificate has no name corefleet:KIND:NAME among its URIs");
  }
  return ours;
}

absl::StatusOr<CertifiedName> NameOf(absl::Span<const absl::string_view> uris) {
  ASSIGN_OR_RETURN(const absl::string_view uri, OurUri(uris));
  const absl::string_view rest = absl::StripPrefix(uri, kScheme);
  const size_t colon = rest.find(':');
  if (colon == absl::string_view::npos) {
    return absl::UnauthenticatedError(
        absl::StrCat("the certificate's name '", Shown(uri), "' is not corefleet:KIND:NAME"));
  }
  auto name = ParseDeviceId(rest.substr(colon + 1));
  if (!name.ok()) {
    return absl::UnauthenticatedError(absl::StrCat("in the certificate's name, ", name.status().message()));
  }
  return CertifiedName{.kind = std::string(rest.substr(0, colon)), .name = *std::move(name)};
}

absl::Status NoBusinessHere(const std::string& kind, absl::string_view port) {
  return absl::UnauthenticatedError(
      absl::StrCat("a certificate of kind '", Shown(kind), "' is no ", port, "'s"));
}

}  // namespace

absl::StatusOr<DeviceCaller> DeviceOfCertificate(absl::Span<const absl::string_view> uris) {
  ASSIGN_OR_RETURN(CertifiedName certified, NameOf(uris));
  if (certified.kind == "device") return DeviceCaller::Device(std::move(certified.name));
  if (certified.kind == "gateway") return DeviceCaller::Gateway(std::move(certified.name));
  return NoBusinessHere(certified.kind, "device");
}

absl::StatusOr<EngineerCaller> EngineerOfCertificate(absl::Span<const absl::string_view> uris) {
  ASSIGN_OR_RETURN(const CertifiedName certified, NameOf(uris));
  const auto role = ParseEngineerRole(certified.kind);
  if (!role.ok() || *role == EngineerRole::kNone) return NoBusinessHere(certified.kind, "engineer");
  return EngineerCaller{.name = certified.name.value(), .role = *role};
}

}  // namespace corefleet
