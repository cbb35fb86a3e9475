#ifndef COREFLEET_STORAGE_SEGMENT_FILE_SYSTEM_H_
#define COREFLEET_STORAGE_SEGMENT_FILE_SYSTEM_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "core/bytes/byte_view.h"

namespace corefleet {

// A file that only grows. Not thread-safe, but Sync may run beside Append.
class AppendFile {
 public:
  virtual ~AppendFile() = default;
  // Writes the parts one behind the other. After an error the file's tail is unknown.
  //   RESOURCE_EXHAUSTED  no space, or over quota
  //   UNAVAILABLE         any other error
  virtual absl::Status Append(absl::Span<const ByteView> parts) = 0;
  // Makes everything appended before the call durable. After an error nothing can be said about what was not
  // yet durable, ever: Linux reports a lost page once and marks it clean.
  virtual absl::Status Sync() = 0;
  // Gives back the space of what lies behind the first `size` bytes, as well as it can.
  virtual void Truncate(uint64_t size) = 0;
};

// A file that is read at random. Thread-safe.
class ReadFile {
 public:
  virtual ~ReadFile() = default;
  // Fills all of `out` from `offset`.
  //   DATA_LOSS    the file ends before
  //   UNAVAILABLE  any other error
  virtual absl::Status ReadAt(uint64_t offset, absl::Span<uint8_t> out) = 0;
};

// A file that is changed where it is. Not thread-safe.
class PatchFile {
 public:
  virtual ~PatchFile() = default;
  // Overwrites bytes that are there. Codes: AppendFile::Append's.
  virtual absl::Status WriteAt(uint64_t offset, ByteView bytes) = 0;
  // Gives back the room of these bytes, which read as zeros from then on. A power cut may undo it.
  //   UNIMPLEMENTED  this file system cannot
  //   UNAVAILABLE    any other error
  virtual absl::Status Punch(uint64_t offset, uint64_t size) = 0;
  // As AppendFile::Sync.
  virtual absl::Status Sync() = 0;
};

// Everything that the segment store asks of the operating system, so that a test can lose power. Thread-safe.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  struct Entry {
    std::string name;
    uint64_t size = 0;  // bytes from its start to its end
    uint64_t occupied =
        0;  // bytes of the disk that it takes: fewer where there are holes; never more than size
    absl::Time changed_at;  // when it was last written to
  };
  // The plain files in `dir`. INTERNAL when it cannot be read.
  virtual absl::StatusOr<std::vector<Entry>> List(const std::string& dir) = 0;
  //   NOT_FOUND    no such file
  //   UNAVAILABLE  any other error
  virtual absl::StatusOr<Entry> Find(const std::string& path) = 0;
  // Creates a file that must not exist yet. Its name is durable only after SyncDirectory. Codes: Append's.
  virtual absl::StatusOr<std::unique_ptr<AppendFile>> Create(const std::string& path) = 0;
  //   NOT_FOUND    no such file
  //   UNAVAILABLE  any other error
  virtual absl::StatusOr<std::unique_ptr<ReadFile>> OpenForReading(const std::string& path) = 0;
  // Codes: OpenForReading's.
  virtual absl::StatusOr<std::unique_ptr<PatchFile>> OpenForPatching(const std::string& path) = 0;
  // Makes the names in `dir` durable. Codes: Append's.
  virtual absl::Status SyncDirectory(const std::string& dir) = 0;
  // Removes a file, as well as it can. Until SyncDirectory a power cut may bring it back.
  virtual void Remove(const std::string& path) = 0;
  // Says that nobody will read the file soon, so that its pages need not be kept in memory. What is not
  // durable stays.
  virtual void DropCache(const std::string& path) {}
  // Bytes that can still be written below `dir`; 0 when that cannot be told.
  virtual uint64_t FreeBytes(const std::string& dir) = 0;

  // The system's own; lives for ever.
  static FileSystem* Real();
};

}  // namespace corefleet

#endif  // COREFLEET_STORAGE_SEGMENT_FILE_SYSTEM_H_
