#ifndef COREFLEET_CLI_DESCRIBE_CRASH_H_
#define COREFLEET_CLI_DESCRIBE_CRASH_H_

#include <string>

#include "absl/strings/string_view.h"
#include "corefleet/v1/crash.pb.h"

namespace corefleet {

struct CrashDetail {
  bool sources = false;      // where each fact was read
  bool all_regions = false;  // else only those that are not as they should be, when there are many
  bool abilities = true;     // end with DescribeAbilities
};

// A crash for a person, in blocks: what died, taint, log, regions, defects with what each costs. Escaped;
// ends with a newline. Pure.
std::string DescribeCrash(const v1::Crash& crash, const CrashDetail& options);

// Whether bytes that its device announced are not stored: only the log was wanted, or only a part came. False
// for what no server has said it of.
bool StoredInPart(const v1::Crash& crash);

// The form in which tools open it: "kdump" for what came as a compressed dump, else "core".
absl::string_view DefaultArtifact(const v1::Crash& crash);

// What to type next, for a crash that a server has: ready to paste. Pure.
std::string DescribeNextSteps(const v1::Crash& crash);

// What can still be done with it: log yes, tasks no, run queues 6 of 8. "" when nobody has looked.
std::string DescribeAbilities(const v1::Crash& crash);

// What a defect of this code costs whoever reads the crash. "" for a code that this program does not know.
absl::string_view ConsequenceOf(absl::string_view defect_code);

// "0-3,7" for {0, 1, 2, 3, 7}; "none" for none.
std::string FormatCpus(const google::protobuf::RepeatedField<uint32_t>& cpus);

// The name under which an export is saved: release and id, made of characters that no shell and no file
// system minds.
std::string FileNameFor(const v1::Crash& crash, absl::string_view artifact);

}  // namespace corefleet

#endif  // COREFLEET_CLI_DESCRIBE_CRASH_H_
