#ifndef COREFLEET_CORE_PSTORE_GROUPING_H_
#define COREFLEET_CORE_PSTORE_GROUPING_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/types/span.h"

namespace corefleet {

// A file as a pstore folder shows it.
struct PstoreFile {
  std::string name;                // without its folder; untrusted bytes
  std::string head;                // its first 64 bytes, or all it has
  std::optional<int64_t> seconds;  // its mtime, since 1970: ramoops sets it to the time of the dump
};

// A dump whose parts are several files.
struct PstoreRecord {
  struct Part {
    size_t file = 0;                 // index of a file
    std::optional<uint32_t> number;  // 1 is the newest stretch of the log
  };

  std::string backend;
  std::string reason;             // "" when no part's header can be read
  std::optional<uint32_t> count;  // RecordHeader::count
  std::optional<int64_t> seconds;
  uint64_t id = 0;          // of its first file: what is left to order by without a time
  std::vector<Part> parts;  // oldest text first: part numbers descend
};

// Which of `files` are one dump. Files that are no dump are left out. The newest dump comes first, as far as
// times, counts and ids tell.
std::vector<PstoreRecord> JoinParts(absl::Span<const PstoreFile> files);

// Files that one death left.
struct PstoreGroup {
  std::string key;            // the name of its first file, without .enc.z
  std::vector<size_t> files;  // indexes, ascending
};

// Which of `files` belong to one crash, the newest crash first. The parts of a dump do; a panic and the
// oopses that led to it do (same backend, one count after the other, a minute apart at most where times are
// known). Console, pmsg and trace go with the newest dump, and are a group of their own when there is no
// dump. Files that are none of pstore's are in no group; every other file is in exactly one.
std::vector<PstoreGroup> GroupPstoreFiles(absl::Span<const PstoreFile> files);

}  // namespace corefleet

#endif  // COREFLEET_CORE_PSTORE_GROUPING_H_
