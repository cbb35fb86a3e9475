#ifndef COREFLEET_SERVER_WATCHDOG_OWN_CERTIFICATE_H_
#define COREFLEET_SERVER_WATCHDOG_OWN_CERTIFICATE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace corefleet {

// The certificate with which this process connects to its own ports. Signed by itself, can sign nothing else,
// names nobody, and its key never leaves the memory of this process.
struct OwnCertificate {
  std::string certificate;  // PEM
  std::string key;          // PEM
};

// INTERNAL: OpenSSL cannot make one.
absl::StatusOr<OwnCertificate> MakeOwnCertificate(absl::Time now);

}  // namespace corefleet

#endif  // COREFLEET_SERVER_WATCHDOG_OWN_CERTIFICATE_H_
