#ifndef COREFLEET_SERVER_IDENTITY_IDENTITY_METRICS_H_
#define COREFLEET_SERVER_IDENTITY_IDENTITY_METRICS_H_

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace corefleet {

// What certificates and tokens have to say to whoever counts. Does nothing by itself. Called from one thread
// at a time.
class IdentityMetrics {
 public:
  virtual ~IdentityMetrics() = default;
  // Files changed and were read. `what` is one of "ingest_tls", "archive_tls", "http_tls", "archive_tokens".
  virtual void FilesReloaded(absl::string_view what, bool loaded) {}
  // The certificate that a port shows from now on ends then. `port` is "ingest", "archive" or "http".
  virtual void CertificateShown(absl::string_view port, absl::Time not_after) {}
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_IDENTITY_IDENTITY_METRICS_H_
