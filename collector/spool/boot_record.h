#ifndef COREFLEET_COLLECTOR_SPOOL_BOOT_RECORD_H_
#define COREFLEET_COLLECTOR_SPOOL_BOOT_RECORD_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "collector/spool/spool_folder.h"

namespace corefleet {

// One boot of this device. Each at most 256 bytes, printable, on one line.
struct Boot {
  std::string boot_id;         // /proc/sys/kernel/random/boot_id
  std::string os_version;      // as the caller says; see OsVersionOf
  std::string kernel_release;  // uname -r

  friend bool operator==(const Boot&, const Boot&) = default;
};

// Remembers which system booted when, so that a crash is blamed on the one that died, and not on the one that
// booted after it, perhaps after an update. One thread at a time.
class BootRecord {
 public:
  // Reads the record in `folder` (the spool's, say) and adds `now` if it is another boot than the last.
  // Durable when `written` is OK; else it is in memory only (SpoolFile's codes), and what could be read of
  // the past holds all the same.
  static BootRecord Open(SpoolFolder* folder, const Boot& now, absl::Status* written);

  // The system that a crash of this device's is to be blamed on, which was found in the boot `found_in`
  // (SpoolTags::boot_id; empty: in this one). A kernel that died and left pstore, a dump or regions did so
  // before that boot: the last boot before it, and when the crash says of which release its kernel was, the
  // last of that release. A devcoredump is of a co-processor, and of that boot itself. Null: nobody knows,
  // and nothing is guessed.
  const Boot* Blamed(absl::string_view source, absl::string_view kernel_release,
                     absl::string_view found_in = "") const;

  bool first_look_in_this_boot() const { return new_boot_; }
  const Boot& now() const { return boots_.back(); }
  // Oldest first, this one last; at most 32.
  const std::vector<Boot>& boots() const { return boots_; }

 private:
  BootRecord() = default;
  std::vector<Boot> boots_;
  bool new_boot_ = false;
};

// This boot as the system tells it; what it does not tell is empty.
Boot ThisBoot(const std::string& os_version);

// The version in the text of an os-release file: `PRETTY_NAME [IMAGE_VERSION or BUILD_ID]`, as far as it has
// them; "" if it has none. Total.
std::string OsVersionOf(absl::string_view os_release);

// The same of /etc/os-release, or /usr/lib/os-release.
std::string InstalledOsVersion();

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_SPOOL_BOOT_RECORD_H_
