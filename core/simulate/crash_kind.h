#ifndef COREFLEET_CORE_SIMULATE_CRASH_KIND_H_
#define COREFLEET_CORE_SIMULATE_CRASH_KIND_H_

#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace corefleet {

// How a model kernel dies.
enum class CrashKind : uint8_t {
  kPanic,       // a driver calls panic()
  kOops,        // a null pointer is dereferenced, panic_on_oops is set
  kBug,         // a BUG() of a driver
  kWarning,     // a WARN() with panic_on_warn
  kSoftLockup,  // a loop in the kernel, softlockup_panic is set
  kHardLockup,  // a loop with interrupts off
  kHungTask,    // a task in uninterruptible sleep, hung_task_panic is set
  kOom,         // out of memory with panic_on_oom
  kHang,        // silence: a watchdog resets the machine, no last words
  kSysrq,       // somebody typed it
};

struct CrashKindEntry {
  CrashKind kind;
  absl::string_view name;
  absl::string_view about;
};

// All there are, in their order.
absl::Span<const CrashKindEntry> AllCrashKinds();
absl::string_view CrashKindName(CrashKind kind);
std::optional<CrashKind> ParseCrashKind(absl::string_view name);

}  // namespace corefleet

#endif  // COREFLEET_CORE_SIMULATE_CRASH_KIND_H_
