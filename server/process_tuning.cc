#include "server/process_tuning.h"

#include <malloc.h>

#include "absl/synchronization/mutex.h"

namespace corefleet {
namespace {

// An arena keeps what was freed in it for itself, so a process with many threads holds the largest need of
// each. Two of them do not get in each other's way on two cores.
constexpr int kArenas = 2;
// Chunks come and go by the megabyte. Below these they would be mapped, faulted in and unmapped each time,
// which costs more than looking at their bytes.
constexpr int kMapAbove = 4 << 20;
constexpr int kKeepFree = 4 << 20;

}  // namespace

void TuneProcess() {
  // Debian builds Abseil with its debugging on: every lock of gRPC would be looked up in a graph of locks.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  mallopt(M_ARENA_MAX, kArenas);
  mallopt(M_MMAP_THRESHOLD, kMapAbove);
  mallopt(M_TRIM_THRESHOLD, kKeepFree);
}

}  // namespace corefleet
