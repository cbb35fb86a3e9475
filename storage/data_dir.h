#ifndef COREFLEET_STORAGE_DATA_DIR_H_
#define COREFLEET_STORAGE_DATA_DIR_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace corefleet {

// The directory that one server keeps everything in, held by one process at a time. The lock (flock on
// D/lock) goes with the process, however it ends. Thread-compatible.
class DataDirLock {
 public:
  // Creates `path` (mode 0711, so that the database's own user can pass through) with its parents if it is
  // not there, and takes the lock.
  //   FAILED_PRECONDITION  another process holds it; the message names its pid
  //   INVALID_ARGUMENT     `path` is empty, or no directory
  //   INTERNAL             it cannot be made or written
  static absl::StatusOr<std::unique_ptr<DataDirLock>> Acquire(const std::string& path);
  ~DataDirLock();
  DataDirLock(const DataDirLock&) = delete;
  DataDirLock& operator=(const DataDirLock&) = delete;

  const std::string& path() const { return path_; }
  // path()/name, created (mode 0700) if it is not there. `name` is a plain name, such as "segments".
  //   INTERNAL  it cannot be made
  absl::StatusOr<std::string> Subdirectory(absl::string_view name) const;

 private:
  DataDirLock(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}

  std::string path_;
  int fd_;
};

}  // namespace corefleet

#endif  // COREFLEET_STORAGE_DATA_DIR_H_
