#ifndef COREFLEET_STORAGE_POSTGRES_CLUSTER_PROCESS_H_
#define COREFLEET_STORAGE_POSTGRES_CLUSTER_PROCESS_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/postgres/cluster_directory.h"

namespace corefleet {

// How to start a program of the database's. All descriptors must be open; the child has no others.
struct ChildProcess {
  std::string program;                 // absolute path
  std::vector<std::string> arguments;  // without the program
  ClusterUser user;                    // whom it runs as
  int directory_fd = -1;               // becomes descriptor 3, so that "/proc/self/fd/3" names the directory
  int log_fd = -1;                     // becomes standard output and error
  int death_signal = 0;                // sent to it when the calling thread ends
};

// Starts it. Safe in a process with threads: between fork and exec the child makes system calls only.
//   INTERNAL  it cannot be started
absl::StatusOr<pid_t> Spawn(const ChildProcess& child);

// Waits until the process ends, and leaves it to be reaped. OK if it exited with 0, else INTERNAL says how it
// ended.
absl::Status AwaitExit(pid_t pid);
void Reap(pid_t pid);

// initdb into the directory that `fd` names.
absl::Status RunInitdb(const ClusterDirectory& directory, int fd);
// The server on the directory. Ends (SIGINT: fast shutdown) with the calling thread.
absl::StatusOr<pid_t> SpawnServer(const ClusterDirectory& directory,
                                  const std::vector<std::string>& arguments);

}  // namespace corefleet

#endif  // COREFLEET_STORAGE_POSTGRES_CLUSTER_PROCESS_H_
