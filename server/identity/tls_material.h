#ifndef COREFLEET_SERVER_IDENTITY_TLS_MATERIAL_H_
#define COREFLEET_SERVER_IDENTITY_TLS_MATERIAL_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/identity/exchanged.h"

namespace corefleet {

// What one port shows and whom it believes: PEM texts that were checked. Immutable.
struct TlsMaterial {
  std::string certificate_chain;  // the port's own first
  std::string private_key;
  std::string client_roots;  // whose certificates are believed; empty: nobody's
  absl::Time not_after;      // of the port's own certificate
};

// Checks that the texts make sense together. `client_roots` may be empty.
//   INVALID_ARGUMENT  no certificate, no key, a key that is not the certificate's, a certificate whose time
//   has not
//                     come or has passed at `now`, or roots without a certificate; the text says which
absl::StatusOr<TlsMaterial> CheckTlsMaterial(std::string certificate_chain, std::string private_key,
                                             std::string client_roots, absl::Time now);

// A port's material, which changes under its connections: those that are there go on, new ones get the new.
using TlsIdentity = Exchanged<TlsMaterial>;

}  // namespace corefleet

#endif  // COREFLEET_SERVER_IDENTITY_TLS_MATERIAL_H_
