#ifndef COREFLEET_COLLECTOR_SPOOL_SENT_CRASHES_H_
#define COREFLEET_COLLECTOR_SPOOL_SENT_CRASHES_H_

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/crash/ids.h"

namespace corefleet {

// Remembers over restarts which crashes a server has, so that it need not even be asked. One small file a
// crash, named by the crash's uid. Forgetting costs one question, so old entries go when there are many. One
// thread at a time.
class SentCrashes {
 public:
  // Whom a crash was sent to, and as whose. The same crash is another one elsewhere.
  struct Journey {
    std::string ingest;
    DeviceId device;
  };

  // Uses `folder`, which is made if need be. An empty name: remembers nothing. PERMISSION_DENIED or
  // UNAVAILABLE if the folder cannot be made or read.
  static absl::StatusOr<SentCrashes> Open(const std::string& folder, Journey journey);

  bool Has(const CrashUid& uid) const;
  // Durable when it returns OK. `crash` is the id that the server gave.
  absl::Status Add(const CrashUid& uid, const std::string& crash);

 private:
  SentCrashes(std::string folder, Journey journey)
      : folder_(std::move(folder)), journey_(std::move(journey)) {}
  std::string PathOf(const CrashUid& uid) const;
  std::string Heading() const;

  std::string folder_;
  Journey journey_;
};

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_SPOOL_SENT_CRASHES_H_
