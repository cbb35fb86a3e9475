#ifndef COREFLEET_CLI_PART_FILE_H_
#define COREFLEET_CLI_PART_FILE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/bytes/byte_view.h"

namespace corefleet {

// A file that is being fetched: it grows beside its target, under a name that says what it is, and takes the
// target's place only when it is whole. What an earlier, broken fetch of the same thing left is gone on with.
// One thread at a time.
class PartFile {
 public:
  // `key` tells apart what may be fetched to the same target: a crash's id and an artifact. NOT_FOUND or
  // PERMISSION_DENIED as the system said, ALREADY_EXISTS while another fetch of the same is under way.
  static absl::StatusOr<PartFile> Open(const std::string& target, const std::string& key);
  PartFile(PartFile&& other) noexcept;
  PartFile& operator=(PartFile&&) = delete;
  ~PartFile();

  // Bytes there already, from which to go on.
  uint64_t size() const { return size_; }
  // Forgets everything from `size` on.
  absl::Status Truncate(uint64_t size);
  absl::Status Append(ByteView bytes);
  // Makes it durable and gives it the target's name.
  absl::Status Commit();
  // True when `target` has exactly these bytes.
  bool EqualsTarget() const;
  // Removes it.
  void Discard();

 private:
  PartFile(std::string target, std::string path, int fd, uint64_t size)
      : target_(std::move(target)), path_(std::move(path)), fd_(fd), size_(size) {}

  std::string target_;
  std::string path_;
  int fd_;
  uint64_t size_;
};

}  // namespace corefleet

#endif  // COREFLEET_CLI_PART_FILE_H_
