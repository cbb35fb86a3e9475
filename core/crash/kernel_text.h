#ifndef COREFLEET_CORE_CRASH_KERNEL_TEXT_H_
#define COREFLEET_CORE_CRASH_KERNEL_TEXT_H_

#include <string>

#include "absl/strings/string_view.h"

namespace corefleet {

// Kernel log that was received as text instead of as a ring: a pstore record put together from its parts, a
// console file, what `vmcore-dmesg` wrote beside a vmcore.
struct KernelText {
  // Best first: a dump record has what led to the death; a console has everything since boot; user space's
  // pmsg and function traces are no kernel log and are kept apart.
  enum class Kind { kPanic, kOops, kOtherDump, kConsole, kPmsg, kFtrace };

  Kind kind = Kind::kConsole;
  std::string name;  // where it came from, escaped: "Panic#1", "console-ramoops-0"
  std::string
      text;  // untrusted bytes, chronological; a missing stretch is a line of its own in angle brackets
};

// True for the kinds that are the kernel's own log.
inline bool IsKernelLog(KernelText::Kind kind) { return kind <= KernelText::Kind::kConsole; }

}  // namespace corefleet

#endif  // COREFLEET_CORE_CRASH_KERNEL_TEXT_H_
