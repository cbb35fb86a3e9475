#include "core/simulate/crash_kind.h"

namespace corefleet {
namespace {

constexpr CrashKindEntry kKinds[] = {
    {CrashKind::kPanic, "panic", "a driver calls panic()"},
    {CrashKind::kOops, "oops", "a null pointer is dereferenced, panic_on_oops is set"},
    {CrashKind::kBug, "bug", "a BUG() in a driver"},
    {CrashKind::kWarning, "warning", "a WARN() in a driver, panic_on_warn is set"},
    {CrashKind::kSoftLockup, "soft-lockup", "a loop in the kernel, softlockup_panic is set"},
    {CrashKind::kHardLockup, "hard-lockup", "a loop with interrupts off, the NMI watchdog sees it"},
    {CrashKind::kHungTask, "hung-task", "a task sleeps for good, hung_task_panic is set"},
    {CrashKind::kOom, "oom", "out of memory, panic_on_oom is set"},
    {CrashKind::kHang, "hang", "silence: the log just ends, a hardware watchdog bit"},
    {CrashKind::kSysrq, "sysrq", "somebody wrote c to /proc/sysrq-trigger"},
};

}  // namespace

absl::Span<const CrashKindEntry> AllCrashKinds() { return kKinds; }

absl::string_view CrashKindName(CrashKind kind) { return kKinds[static_cast<size_t>(kind)].name; }

std::optional<CrashKind> ParseCrashKind(absl::string_view name) {
  for (const CrashKindEntry& entry : kKinds) {
    if (entry.name == name) return entry.kind;
  }
  return std::nullopt;
}

}  // namespace corefleet
