#ifndef COREFLEET_COLLECTOR_SOURCE_FOLDER_H_
#define COREFLEET_COLLECTOR_SOURCE_FOLDER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "collector/source/file_bytes.h"
#include "core/bytes/byte_source.h"
#include "core/unpack/pieces.h"

namespace corefleet {

struct FolderEntry {
  std::string name;     // untrusted bytes
  std::string version;  // changes when the file does
  uint64_t size = 0;
  int64_t seconds = 0;   // when it was last written, since 1970
  bool is_file = false;  // a regular one
  bool is_folder = false;
  bool is_link = false;
};

// An open folder and what was in it when it was opened. One thread at a time.
class Folder {
 public:
  // Links are followed in `root` only.
  //   FAILED_PRECONDITION  it is no folder, or one below is a link
  //   NOT_FOUND, PERMISSION_DENIED, RESOURCE_EXHAUSTED, UNAVAILABLE  as the system said
  static absl::StatusOr<Folder> Open(const std::string& root, const std::vector<std::string>& below);

  int fd() const { return fd_.get(); }
  const std::string& root() const { return root_; }
  const std::vector<std::string>& below() const { return below_; }
  // Sorted by name; entries that vanish meanwhile are of no kind.
  const std::vector<FolderEntry>& entries() const { return entries_; }
  // More is in it than was read: see kMaxEntries.
  bool cut() const { return cut_; }

  // What a file is by its content, looked at once. kUnknown for what is no regular file or cannot be read,
  // for all files of /proc and /sys, and after many files, so that a huge folder costs a bounded time.
  Format FormatOf(size_t entry);

  bool claimed(size_t entry) const { return claimed_[entry]; }
  void Claim(size_t entry) { claimed_[entry] = true; }
  void ClaimAll() { claimed_.assign(entries_.size(), true); }

  // True when it belongs to the kernel's file system of that magic number (statfs).
  bool IsOn(long file_system) const;

 private:
  Folder(OwnedFd fd, std::string root, std::vector<std::string> below)
      : fd_(std::move(fd)), root_(std::move(root)), below_(std::move(below)) {}
  absl::Status List();

  OwnedFd fd_;
  std::string root_;
  std::vector<std::string> below_;
  std::vector<FolderEntry> entries_;
  std::vector<std::optional<Format>> formats_;
  std::vector<bool> claimed_;
  int looks_ = 0;
  bool cut_ = false;
};

// A folder with more entries than this is no folder of crashes, and is not worth a device's time.
inline constexpr size_t kMaxEntries = 65536;

// The first kArtifactHeadBytes, or all there are; empty when they cannot be read.
std::vector<uint8_t> HeadOf(const ByteSource& bytes);

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_SOURCE_FOLDER_H_
