#ifndef COREFLEET_SERVER_IDENTITY_TLS_MATERIAL_H_
#define COREFLEET_SERVER_IDENTITY_TLS_MATERIAL_H_

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace corefleet {

// What one port shows and whom it believes: PEM texts that were checked. Immutable.
struct TlsMaterial {
  std::string certificate_chain;  // the port's own first
  std::string private_key;
  std::string client_roots;  // whose certificates are believed; empty: nobody's
  absl::Time not_after;      // of the port's own certificate
};

// Checks that the texts make sense together. `client_roots` may be empty.
//   INVALID_ARGUMENT  no certificate, no key, a key that is not the certificate's, a certificate whose time has not
//                     come or has passed at `now`, or roots without a certificate; the text says which
absl::StatusOr<TlsMaterial> CheckTlsMaterial(std::string certificate_chain, std::string private_key,
                                             std::string client_roots, absl::Time now);

// The material of a port, which changes under its connections: those that are there go on, new ones get the new.
// Thread-safe.
class TlsIdentity {
 public:
  explicit TlsIdentity(TlsMaterial first) : current_(std::make_shared<const TlsMaterial>(std::move(first))) {}

  std::shared_ptr<const TlsMaterial> current() const {
    absl::MutexLock lock(&mutex_);
    return current_;
  }
  void Replace(TlsMaterial next) {
    auto replacement = std::make_shared<const TlsMaterial>(std::move(next));
    absl::MutexLock lock(&mutex_);
    current_ = std::move(replacement);
  }

 private:
  mutable absl::Mutex mutex_;
  std::shared_ptr<const TlsMaterial> current_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_IDENTITY_TLS_MATERIAL_H_
