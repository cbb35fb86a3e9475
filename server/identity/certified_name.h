#ifndef COREFLEET_SERVER_IDENTITY_CERTIFIED_NAME_H_
#define COREFLEET_SERVER_IDENTITY_CERTIFIED_NAME_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "server/identity/caller.h"

namespace corefleet {

// Whom a certificate names. Its subject alternative names hold one URI
//
//   corefleet:KIND:NAME        KIND: device, gateway, viewer, engineer, admin
//
// and NAME is what a device may be called (ParseDeviceId). Nothing else of the certificate names anybody:
// common names and DNS names are given out by too many hands, for other purposes. URIs of other schemes may
// stand beside.

// `uris` are the certificate's URI names, bytes as they stand in it. A certificate of the devices' root.
//   UNAUTHENTICATED  no corefleet URI, several, one that cannot be read, or an engineer's; the text says
//   which
absl::StatusOr<DeviceCaller> DeviceOfCertificate(absl::Span<const absl::string_view> uris);

// The same for a certificate of the engineers' root; its KIND is the role.
//   UNAUTHENTICATED  as above, or a device's
absl::StatusOr<EngineerCaller> EngineerOfCertificate(absl::Span<const absl::string_view> uris);

}  // namespace corefleet

#endif  // COREFLEET_SERVER_IDENTITY_CERTIFIED_NAME_H_
