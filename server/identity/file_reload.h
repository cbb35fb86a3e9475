#ifndef COREFLEET_SERVER_IDENTITY_FILE_RELOAD_H_
#define COREFLEET_SERVER_IDENTITY_FILE_RELOAD_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/identity/identity_metrics.h"

namespace corefleet {

// Reads files, and reads them again when they change: certificates, roots and tokens are exchanged under a
// server that runs. They are looked at by their names every few seconds, so writing, renaming and swapping of
// symbolic links are all seen. What does not make sense is logged and counted, and what was read before stays
// in force.
//
// Add everything, then Start. Thread-safe from then on.
class FileReload {
 public:
  // The contents, in the order of the paths. Anything but OK: they are not taken, and why.
  using Apply = std::function<absl::Status(std::vector<std::string> contents)>;

  explicit FileReload(IdentityMetrics* metrics) : metrics_(metrics) {}
  // Stops.
  ~FileReload();
  FileReload(const FileReload&) = delete;
  FileReload& operator=(const FileReload&) = delete;

  // Reads `paths` and calls `apply` with what is in them, now, and again whenever one of them changed. `what`
  // says in logs and metrics what they are, and must live for ever.
  //   INVALID_ARGUMENT  `apply` did not take them, or a file is larger than 1 MiB
  //   NOT_FOUND, PERMISSION_DENIED, UNAVAILABLE  a file cannot be read
  absl::Status Add(absl::string_view what, std::vector<std::string> paths, Apply apply);

  // Looks every `every` from now on, in a thread of its own.
  void Start(absl::Duration every);

  // Looks once.
  void Look();

 private:
  // What tells a file from what it was before.
  struct Stamp {
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = -1;
    int64_t changed_ns = 0;
    friend bool operator==(const Stamp&, const Stamp&) = default;
  };
  struct Watched {
    absl::string_view what;
    std::vector<std::string> paths;
    Apply apply;
    std::vector<Stamp> stamps;
  };

  static std::vector<Stamp> StampsOf(const std::vector<std::string>& paths);
  static absl::Status Load(Watched* watched);
  void Run(absl::Duration every);

  IdentityMetrics* const metrics_;
  absl::Mutex looking_;
  std::vector<Watched> watched_ ABSL_GUARDED_BY(looking_);
  absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_IDENTITY_FILE_RELOAD_H_
