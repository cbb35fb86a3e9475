#ifndef COREFLEET_SERVER_RPC_RULES_TEXT_H_
#define COREFLEET_SERVER_RPC_RULES_TEXT_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/admission/rules.h"

namespace corefleet {

// Reads the rules file: corefleet.v1.AdmissionRules in protobuf's text format.
//   INVALID_ARGUMENT  "LINE:COLUMN: why" for what is no such text, "LINE: why" for a rule that means nothing
absl::StatusOr<AdmissionRules> ParseRules(absl::string_view text);

// What `corefleetd --check_rules` prints: the rules in the order in which they are tried.
std::string DescribeRules(const AdmissionRules& rules);

}  // namespace corefleet

#endif  // COREFLEET_SERVER_RPC_RULES_TEXT_H_
