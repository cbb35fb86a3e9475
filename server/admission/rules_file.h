#ifndef COREFLEET_SERVER_ADMISSION_RULES_FILE_H_
#define COREFLEET_SERVER_ADMISSION_RULES_FILE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/admission/periodic.h"
#include "server/admission/rules.h"

namespace corefleet {

inline constexpr size_t kMaxRulesFileBytes = 1 << 20;

// What a rules file says, read and understood.
//   INVALID_ARGUMENT  it cannot be understood; the text says the line
//   UNAVAILABLE       it cannot be read, or is larger than kMaxRulesFileBytes
using RulesParser = std::function<absl::StatusOr<AdmissionRules>(absl::string_view text)>;
absl::StatusOr<AdmissionRules> ReadRulesFile(const std::string& path, const RulesParser& parse);

// Keeps the rules those of a file, which may change under it: it looks at the file's size, time and inode
// once a second, and whenever it is told to. A file that cannot be read or understood changes nothing: the
// last good rules stay, the log says why, and `good` says false until the file is good again. Thread-safe.
class RulesFile {
 public:
  // Reads the file once; `changed` gets the rules, then and each time that they change, never twice at once.
  // Codes: ReadRulesFile's.
  static absl::StatusOr<std::unique_ptr<RulesFile>> Watch(const std::string& path, RulesParser parse,
                                                          std::function<void(AdmissionRules)> changed,
                                                          absl::Duration interval = absl::Seconds(1));

  // Reads the file again, whether it seems to have changed or not.
  void Reload();

  // False while the file is broken and the rules are those that it had before.
  bool good() const;
  // How often rules were taken from it.
  uint64_t loads() const;

 private:
  // What tells one state of the file from the next.
  struct Stamp {
    int64_t size = -1;
    int64_t modified_ns = 0;
    uint64_t inode = 0;
    friend bool operator==(const Stamp&, const Stamp&) = default;
  };

  RulesFile(const std::string& path, RulesParser parse, std::function<void(AdmissionRules)> changed)
      : path_(path), parse_(std::move(parse)), changed_(std::move(changed)) {}

  static Stamp StampOf(const std::string& path);
  void Look();
  absl::Status Load() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void LoadOrKeep() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string path_;
  const RulesParser parse_;
  const std::function<void(AdmissionRules)> changed_;
  mutable absl::Mutex mutex_;
  Stamp stamp_ ABSL_GUARDED_BY(mutex_);
  bool good_ ABSL_GUARDED_BY(mutex_) = true;
  uint64_t loads_ ABSL_GUARDED_BY(mutex_) = 0;
  std::unique_ptr<Periodic> looks_;  // last: ends before what it changes
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_ADMISSION_RULES_FILE_H_
