#ifndef COREFLEET_COLLECTOR_SPOOL_SPOOL_FOLDER_H_
#define COREFLEET_COLLECTOR_SPOOL_SPOOL_FOLDER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/bytes/byte_view.h"

namespace corefleet {

// A file of the spool that is written. One thread at a time.
//
// Codes of everything that writes:
//   RESOURCE_EXHAUSTED   no space, no inode, over quota
//   FAILED_PRECONDITION  the file system is read-only
//   UNAVAILABLE          any other error
class SpoolFile {
 public:
  virtual ~SpoolFile() = default;
  // Fills from `offset`, growing the file if need be. After an error what is there is unknown.
  virtual absl::Status WriteAt(uint64_t offset, ByteView bytes) = 0;
  // Makes all that was written durable. After an error nothing can be said about it, ever.
  virtual absl::Status Sync() = 0;
  // Gives back what lies behind the first `size` bytes.
  virtual absl::Status Truncate(uint64_t size) = 0;
};

// A file of the spool that is read; it may be removed meanwhile. Thread-safe.
class SpoolBytes {
 public:
  virtual ~SpoolBytes() = default;
  virtual uint64_t size() const = 0;  // bytes, when it was opened
  // To hand on to another process, still owned by this object; -1 if there is none.
  virtual int descriptor() const { return -1; }
  // Fills all of `out`.
  //   DATA_LOSS    the file ends before, or the medium cannot give it
  //   UNAVAILABLE  any other error
  virtual absl::Status ReadAt(uint64_t offset, absl::Span<uint8_t> out) const = 0;
};

// Everything that the spool asks of the operating system, all in one folder, so that a test can lose power.
// Names have no slashes. Thread-safe.
class SpoolFolder {
 public:
  virtual ~SpoolFolder() = default;

  struct Listed {
    std::string name;
    uint64_t size = 0;  // bytes
  };
  struct Room {
    uint64_t free_bytes = 0;
    uint64_t free_inodes = 0;  // UINT64_MAX where the file system does not count them
  };

  // The plain files. UNAVAILABLE if the folder cannot be read.
  virtual absl::StatusOr<std::vector<Listed>> List() = 0;
  // A new file. UNAVAILABLE if the name is taken.
  virtual absl::StatusOr<std::unique_ptr<SpoolFile>> Create(const std::string& name) = 0;
  // A file that is there, to be changed. NOT_FOUND if there is none.
  virtual absl::StatusOr<std::unique_ptr<SpoolFile>> Change(const std::string& name) = 0;
  //   NOT_FOUND    no such file
  //   UNAVAILABLE  any other error
  virtual absl::StatusOr<std::unique_ptr<SpoolBytes>> Read(const std::string& name) = 0;
  // Takes the place of what `to` named. Durable after SyncNames, as is Remove.
  virtual absl::Status Rename(const std::string& from, const std::string& to) = 0;
  // OK if there is none.
  virtual absl::Status Remove(const std::string& name) = 0;
  virtual absl::Status SyncNames() = 0;
  // UNAVAILABLE if the system does not say.
  virtual absl::StatusOr<Room> FreeRoom() = 0;

  // The folder at `path`, which is made if need be, for this process alone as long as the object lives.
  //   UNAVAILABLE        another process has it, or it cannot be opened
  //   PERMISSION_DENIED  as the system said
  // The others: as above.
  static absl::StatusOr<std::unique_ptr<SpoolFolder>> Open(const std::string& path);
  // The same for whoever only reads while its owner goes on: no lock is taken, and nothing can be written.
  static absl::StatusOr<std::unique_ptr<SpoolFolder>> OpenToRead(const std::string& path);
  // The same of a folder that others write into as well: a stick. NOT_FOUND if there is none.
  static absl::StatusOr<std::unique_ptr<SpoolFolder>> OpenShared(const std::string& path);
};

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_SPOOL_SPOOL_FOLDER_H_
