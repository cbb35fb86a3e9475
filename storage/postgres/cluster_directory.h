#ifndef COREFLEET_STORAGE_POSTGRES_CLUSTER_DIRECTORY_H_
#define COREFLEET_STORAGE_POSTGRES_CLUSTER_DIRECTORY_H_

#include <sys/types.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace corefleet {

// Whom the database runs as.
struct ClusterUser {
  uid_t uid = 0;
  gid_t gid = 0;
  std::string name;
};

// The directory of a private cluster, by descriptor: the database reaches it as /proc/self/fd/N, so it may
// lie below directories that its user cannot enter, and deeper than the 107 bytes of a socket's address.
// Movable, not thread-safe.
class ClusterDirectory {
 public:
  // Opens `data_dir`/postgres, and makes the cluster (initdb, then a rename) if it is not there. What an
  // interrupted start left is removed. Codes: EmbeddedCluster::Start's.
  static absl::StatusOr<ClusterDirectory> Open(const std::string& data_dir, const std::string& user,
                                               const std::string& bin_dir);
  ~ClusterDirectory();
  ClusterDirectory(ClusterDirectory&& other) noexcept;
  ClusterDirectory& operator=(ClusterDirectory&&) = delete;

  int fd() const { return fd_; }
  int log_fd() const { return log_fd_; }
  const ClusterUser& user() const { return user_; }
  // The program of that name ("postgres").
  std::string Program(const char* name) const;

  // Ends a server that still runs on this directory, its parent being gone: fast, then at once. Removes the
  // pid file of a dead one whose number another process has by now, over which PostgreSQL would refuse to
  // start.
  //   UNAVAILABLE  it does not end
  absl::Status EndStaleServer(absl::Duration timeout) const;
  // The last lines of the log, for an error message.
  std::string EndOfLog() const;

 private:
  ClusterDirectory() = default;

  absl::Status ChooseUser(const std::string& wanted);
  absl::Status ChoosePrograms(const std::string& bin_dir);
  absl::Status OpenLog();
  absl::Status Make();
  absl::Status WriteAccessRules(int fd) const;
  std::string path() const;
  // The process in the pid file; 0 when there is none or it has ended.
  pid_t RecordedServer() const;
  bool RunsHere(pid_t pid) const;
  bool AwaitEnd(pid_t pid, absl::Duration timeout) const;

  std::string data_dir_;
  ClusterUser user_;
  std::string bin_dir_;
  int fd_ = -1;
  int log_fd_ = -1;
};

}  // namespace corefleet

#endif  // COREFLEET_STORAGE_POSTGRES_CLUSTER_DIRECTORY_H_
