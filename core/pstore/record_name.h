#ifndef COREFLEET_CORE_PSTORE_RECORD_NAME_H_
#define COREFLEET_CORE_PSTORE_RECORD_NAME_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace corefleet {

// The name of a file in /sys/fs/pstore: `<type>-<backend>-<id>[.enc.z]`. Source: docs/formats/pstore.md.
struct PstoreName {
  enum class Type { kDmesg, kConsole, kPmsg, kFtrace, kOther };

  Type type = Type::kOther;
  std::string backend;         // "ramoops", "efi", "erst": lower-case letters, digits and underscores
  std::optional<uint64_t> id;  // early kernels have `console-ramoops` without one
  bool still_packed = false;   // .enc.z: the kernel that showed the file could not decompress it
  friend bool operator==(const PstoreName&, const PstoreName&) = default;
};

// Nothing for any other name. `efi_pstore`, as newer kernels call the backend, becomes `efi`.
std::optional<PstoreName> ParsePstoreName(absl::string_view name);

// What pstore writes in front of each part of a dump: `Panic#2 Part1` and a newline.
struct RecordHeader {
  std::string reason;  // Panic, Oops, Emergency, Shutdown, Unknown, Restart, Halt or Poweroff
  uint32_t count = 0;  // how many dumps this boot had made, this one included
  uint32_t part = 0;   // 1 is the newest stretch of the log
  size_t size = 0;     // bytes of the line, with its newline
  friend bool operator==(const RecordHeader&, const RecordHeader&) = default;
};

// The header line that `text` begins with, if it does.
std::optional<RecordHeader> ParseRecordHeader(absl::string_view text);

// An efi id is decimal: seconds since 1970, two digits of part, three digits of count.
struct EfiRecordId {
  uint64_t seconds = 0;
  uint32_t part = 0;
  uint32_t count = 0;
};
EfiRecordId SplitEfiId(uint64_t id);

}  // namespace corefleet

#endif  // COREFLEET_CORE_PSTORE_RECORD_NAME_H_
