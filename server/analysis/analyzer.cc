#include "server/analysis/analyzer.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

namespace corefleet {
namespace {

// How often a thread asks whether it is its turn.
constexpr absl::Duration kAskAgain = absl::Milliseconds(100);

// Facts can wait and devices cannot: this thread, and what it starts, gets what others leave of the
// processor. Not SCHED_IDLE, under which a thread that holds a lock may be kept waiting for ever.
void StandBack() {
  constexpr int kLeast = 19;
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::syscall(SYS_gettid)), kLeast);
}

}  // namespace

Analyzer::Analyzer(CrashReader* reader, int threads, absl::Duration poll, Turns* turns)
    : reader_(reader), poll_(poll), turns_(turns) {
  for (int i = 0; i < std::max(1, threads); ++i) threads_.emplace_back([this] { Work(); });
}

Analyzer::~Analyzer() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  for (std::thread& thread : threads_) thread.join();
}

void Analyzer::Wake() {
  absl::MutexLock lock(&mutex_);
  ++wakes_;
}

void Analyzer::Work() {
  StandBack();
  while (AwaitTurn()) {
    const uint64_t seen = Wakes();
    // Whoever finds nothing, or no index, has a rest; whoever found a crash looks for the next one.
    const auto found = reader_->ReadOne();
    if (found.ok() && *found) {
      absl::MutexLock lock(&mutex_);
      if (stopping_) return;
      continue;
    }
    if (!Rest(seen)) return;
  }
}

bool Analyzer::AwaitTurn() {
  while (turns_ != nullptr && !turns_->Mine()) {
    absl::MutexLock lock(&mutex_);
    if (mutex_.AwaitWithTimeout(absl::Condition(&stopping_), kAskAgain)) return false;
  }
  return true;
}

bool Analyzer::Rest(uint64_t seen) {
  absl::MutexLock lock(&mutex_);
  const auto roused = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopping_ || wakes_ != seen; };
  mutex_.AwaitWithTimeout(absl::Condition(&roused), poll_);
  return !stopping_;
}

uint64_t Analyzer::Wakes() const {
  absl::MutexLock lock(&mutex_);
  return wakes_;
}

}  // namespace corefleet
