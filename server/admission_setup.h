#ifndef COREFLEET_SERVER_ADMISSION_SETUP_H_
#define COREFLEET_SERVER_ADMISSION_SETUP_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "server/admission/admission.h"
#include "server/admission/periodic.h"
#include "server/admission/refusal_account.h"
#include "server/admission/rules_file.h"
#include "server/options.h"
#include "storage/crash_index.h"

namespace corefleet {

// Admission with everything that it hears of: the rules file, the index's backlog, and where refusals are
// counted. Threads of its own, which end with it.
class ServerAdmission {
 public:
  // `index` and `clock` must outlive it.
  //   INVALID_ARGUMENT, UNAVAILABLE  the rules file cannot be understood, or read
  static absl::StatusOr<std::unique_ptr<ServerAdmission>> Start(const ServerOptions& options,
                                                                CrashIndex* index, const Clock* clock);

  Admission* admission() { return &admission_; }
  RefusalAccount* refusals() { return &refusals_; }
  AdmissionStanding standing();
  // Reads the rules file again, if there is one.
  void Reload();

 private:
  ServerAdmission(const ServerOptions& options, CrashIndex* index, const Clock* clock);

  Admission admission_;
  RefusalAccount refusals_;
  std::unique_ptr<RulesFile> rules_;
  Periodic backlog_;
};

// What --check_rules prints: the rules as they were understood. Codes: ReadRulesFile's.
absl::StatusOr<std::string> CheckRulesFile(const std::string& path);

}  // namespace corefleet

#endif  // COREFLEET_SERVER_ADMISSION_SETUP_H_
