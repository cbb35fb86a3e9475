#ifndef COREFLEET_STORAGE_POSTGRES_EMBEDDED_CLUSTER_H_
#define COREFLEET_STORAGE_POSTGRES_EMBEDDED_CLUSTER_H_

#include <sys/types.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace corefleet {

struct EmbeddedClusterOptions {
  // Whom the database runs as when this process is root, because PostgreSQL refuses root; `nobody` when there
  // is no such user. Otherwise it runs as ourselves.
  std::string user = "postgres";
  // Where initdb and postgres are. Empty: the newest of /usr/lib/postgresql/*/bin that fits the data, else
  // $PATH.
  std::string bin_dir;
  absl::Duration start_timeout = absl::Seconds(60);
  absl::Duration stop_timeout = absl::Seconds(20);
};

// A private PostgreSQL below a data directory: made at the first start, reached over a socket only, ended
// with this process however that ends, and started again when it dies alone. The caller holds the
// DataDirLock. Thread-safe.
class EmbeddedCluster {
 public:
  // Starts the cluster in `data_dir`/postgres and waits until it answers. What an interrupted first start
  // left is removed; a database process that outlived its server is ended first.
  //   FAILED_PRECONDITION  no PostgreSQL is installed, or the data needs another major version
  //   UNAVAILABLE          it did not come up in time; the message quotes the end of `data_dir`/postgres.log
  //   INTERNAL             the directory cannot be made or given to the user
  static absl::StatusOr<std::unique_ptr<EmbeddedCluster>> Start(const std::string& data_dir,
                                                                EmbeddedClusterOptions options = {});
  // Stops it.
  ~EmbeddedCluster();
  EmbeddedCluster(const EmbeddedCluster&) = delete;
  EmbeddedCluster& operator=(const EmbeddedCluster&) = delete;

  // libpq's, for this process only: it names a descriptor of ours. Does not change over restarts.
  std::string connection_string() const;
  // Ends it: fast (clients are cut off, data is safe), by force after stop_timeout. OK when it has ended.
  absl::Status Stop();
  // Starts it again after Stop. Codes: Start's.
  absl::Status Restart();
  // The process, for a test that kills it; 0 when there is none.
  pid_t pid() const;

 private:
  class Impl;
  explicit EmbeddedCluster(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace corefleet

#endif  // COREFLEET_STORAGE_POSTGRES_EMBEDDED_CLUSTER_H_
