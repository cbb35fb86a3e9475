#include "server/identity/caller.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace corefleet {

absl::StatusOr<DeviceId> DeviceCaller::Speaking(absl::string_view named) const {
  if (named.empty() && certified_) return *certified_;
  ASSIGN_OR_RETURN(DeviceId device, ParseDeviceId(named));
  if (!MayAct(device)) {
    return absl::PermissionDeniedError(
        absl::StrCat("the certificate is that of ", certified_->value(), " and not of ", device.value()));
  }
  return device;
}

bool DeviceCaller::MayAct(const DeviceId& device) const { return for_others_ || device == certified_; }

absl::string_view EngineerRoleName(EngineerRole role) {
  switch (role) {
    case EngineerRole::kViewer:
      return "viewer";
    case EngineerRole::kEngineer:
      return "engineer";
    case EngineerRole::kAdmin:
      return "admin";
    case EngineerRole::kNone:
      break;
  }
  return "none";
}

absl::StatusOr<EngineerRole> ParseEngineerRole(absl::string_view word) {
  for (const EngineerRole role :
       {EngineerRole::kNone, EngineerRole::kViewer, EngineerRole::kEngineer, EngineerRole::kAdmin}) {
    if (word == EngineerRoleName(role)) return role;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("\"", word, "\" is no role; there are viewer, engineer and admin"));
}

}  // namespace corefleet
