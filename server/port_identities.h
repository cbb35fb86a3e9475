#ifndef COREFLEET_SERVER_PORT_IDENTITIES_H_
#define COREFLEET_SERVER_PORT_IDENTITIES_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "server/identity/engineer_tokens.h"
#include "server/identity/exchanged.h"
#include "server/identity/file_reload.h"
#include "server/identity/tls_material.h"
#include "server/options.h"

namespace corefleet {

// What each port shows and whom it believes, as the operator's files say, now and whenever they change. What
// is null was not asked for: such a port speaks plaintext, and without tokens nobody comes with one.
// Immutable but for what the files change; thread-safe.
class PortIdentities {
 public:
  // Reads every file that the options name, and watches them from then on. `own_client` is the certificate,
  // in PEM, with which this process connects to its own ports; the devices' port believes it beside the
  // devices' roots.
  //   INVALID_ARGUMENT, NOT_FOUND, PERMISSION_DENIED, UNAVAILABLE  which file is wrong, and how
  static absl::StatusOr<std::unique_ptr<PortIdentities>> Read(const ServerOptions& options,
                                                              const std::string& own_client,
                                                              const Clock* clock, IdentityMetrics* metrics);

  std::shared_ptr<TlsIdentity> ingest;
  std::shared_ptr<TlsIdentity> archive;
  std::shared_ptr<TlsIdentity> http;
  std::shared_ptr<Exchanged<EngineerTokens>> tokens;

 private:
  PortIdentities(const Clock* clock, IdentityMetrics* metrics)
      : clock_(clock), metrics_(metrics), reload_(metrics) {}
  absl::Status Watch(absl::string_view port, absl::string_view what, const TlsFiles& files,
                     const std::string& own_client, std::shared_ptr<TlsIdentity>* identity);
  absl::Status WatchTokens(const std::string& path);

  const Clock* const clock_;
  IdentityMetrics* const metrics_;
  FileReload reload_;  // last: its thread ends before what it changes does
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_PORT_IDENTITIES_H_
