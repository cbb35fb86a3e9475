#include "server/storage_setup.h"

#include <signal.h>

#include <algorithm>
#include <string>

#include "base/log.h"
#include "base/status_macros.h"
#include "server/address_file.h"
#include "storage/postgres/postgres_crash_index.h"
#include "storage/segment/segment_pack_store.h"

namespace corefleet {
namespace {

// Of the workers, who mostly share transactions: more connections would only compete, and cost memory.
constexpr int kConnections = 8;
constexpr int kTries = 30;
constexpr absl::Duration kBetweenTries = absl::Seconds(1);

// main keeps the stop signals blocked until it waits for them: one that came meanwhile is pending.
bool StopIsPending() {
  sigset_t pending;
  sigemptyset(&pending);
  sigpending(&pending);
  return sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1;
}

absl::StatusOr<std::unique_ptr<CrashIndex>> OpenIndex(const std::string& connection, int workers,
                                                      Clock* clock) {
  const PostgresCrashIndexOptions options{.max_connections = std::min(workers, kConnections) + 4};
  for (int left = kTries - 1;; --left) {
    auto index = PostgresCrashIndex::Open(connection, options);
    if (index.ok()) return std::unique_ptr<CrashIndex>(*std::move(index));
    if (!absl::IsUnavailable(index.status()) || left == 0 || StopIsPending()) return index.status();
    Log(LogLevel::kWarning, "the database does not answer, trying again",
        {{"why", std::string(index.status().message())}, {"tries_left", std::to_string(left)}});
    clock->Sleep(kBetweenTries);
  }
}

}  // namespace

absl::StatusOr<ServerStorage> OpenStorage(const ServerOptions& options, Clock* clock) {
  ServerStorage storage;
  ASSIGN_OR_RETURN(storage.data_dir, DataDirLock::Acquire(options.data_dir));
  AddressFile::RemoveStale(storage.data_dir->path());
  std::string connection = options.database;
  if (connection.empty()) {
    EmbeddedClusterOptions cluster;
    cluster.user = options.postgres_user;
    ASSIGN_OR_RETURN(storage.cluster, EmbeddedCluster::Start(storage.data_dir->path(), cluster));
    connection = storage.cluster->connection_string();
  }
  ASSIGN_OR_RETURN(storage.index, OpenIndex(connection, options.workers, clock));
  ASSIGN_OR_RETURN(const std::string segments, storage.data_dir->Subdirectory("segments"));
  ASSIGN_OR_RETURN(storage.store, SegmentPackStore::Open(segments));
  return storage;
}

}  // namespace corefleet
