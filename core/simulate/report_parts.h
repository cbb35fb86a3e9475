#ifndef COREFLEET_CORE_SIMULATE_REPORT_PARTS_H_
#define COREFLEET_CORE_SIMULATE_REPORT_PARTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/simulate/log_author.h"

namespace corefleet {

// Bits of tainted_mask that model kernels set.
inline constexpr uint64_t kTaintProprietary = 1 << 0;
inline constexpr uint64_t kTaintDie = 1 << 7;
inline constexpr uint64_t kTaintOutOfTree = 1 << 12;
inline constexpr uint64_t kTaintUnsigned = 1 << 13;
inline constexpr uint64_t kTaintSoftLockup = 1 << 14;

// How many flags the kernel's taint_flags has: 18 from 4.17 on, 19 from 6.0, 20 from 6.15; 17 before.
uint32_t TaintFlagCount(const ModelKernel& kernel);
// "Not tainted", or "Tainted: G           OE     ".
std::string TaintWords(uint64_t mask, const ModelKernel& kernel);

// Who was running.
struct Culprit {
  uint32_t cpu = 0;
  uint32_t pid = 0;
  std::string task;      // at most 15 letters
  std::string module;    // the driver at fault
  std::string function;  // in it
  uint32_t offset = 0;   // into the function, and its size; both in bytes
  uint32_t size = 0;
};

// Chosen by the author's seed.
Culprit ChooseCulprit(LogAuthor* log);
// "gate_open+0x1c/0x2c0 [tidegate]".
std::string PlaceOf(const Culprit& culprit);

// "CPU: 2 PID: 812 Comm: ..." and, where the kernel has it, the taint in words.
void SayCpuLine(const Culprit& culprit, uint64_t tainted, LogAuthor* log);
void SayHardware(LogAuthor* log);
void SayModules(const Culprit& culprit, uint64_t tainted, LogAuthor* log);
// Program counter, stack pointer, registers.
void SayRegisters(const Culprit& culprit, LogAuthor* log);
// The frames in the culprit's own module and below it, as the machine prints them.
void SayCallTrace(const Culprit& culprit, absl::Span<const absl::string_view> on_top, LogAuthor* log);
void SayEndTrace(LogAuthor* log);

// Everything that panic() prints. `stack_on_top` is empty where it prints no stack (after an oops).
void SayPanic(const std::string& reason, const Culprit& culprit, uint64_t tainted,
              absl::Span<const absl::string_view> stack_on_top, LogAuthor* log);

}  // namespace corefleet

#endif  // COREFLEET_CORE_SIMULATE_REPORT_PARTS_H_
