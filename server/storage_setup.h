#ifndef COREFLEET_SERVER_STORAGE_SETUP_H_
#define COREFLEET_SERVER_STORAGE_SETUP_H_

#include <memory>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "server/options.h"
#include "storage/crash_index.h"
#include "storage/data_dir.h"
#include "storage/pack_store.h"
#include "storage/postgres/embedded_cluster.h"

namespace corefleet {

// The concrete storage that the options ask for. Members end in the reverse of their order: the database
// last.
struct ServerStorage {
  std::unique_ptr<DataDirLock> data_dir;
  std::unique_ptr<EmbeddedCluster> cluster;  // null with --database
  std::unique_ptr<CrashIndex> index;
  std::unique_ptr<PackStore> store;
};

// Locks the directory, starts or reaches the database and opens the segments. A database of the operator's
// that is still starting gets half a minute.
//   FAILED_PRECONDITION  another server has the directory, or the database does not fit
//   UNAVAILABLE          the database does not come up
//   INTERNAL             the directory cannot be used
absl::StatusOr<ServerStorage> OpenStorage(const ServerOptions& options, Clock* clock);

}  // namespace corefleet

#endif  // COREFLEET_SERVER_STORAGE_SETUP_H_
