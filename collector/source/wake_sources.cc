#include "collector/source/wake_sources.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace corefleet {
namespace {

sigset_t OurSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, number);
  return signals;
}

}  // namespace

void StopSignals::Hold() {
  const sigset_t signals = OurSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

StopSignals::StopSignals() {
  const sigset_t signals = OurSignals();
  descriptor_ = OwnedFd(signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC));
}

bool StopSignals::Take() {
  signalfd_siginfo info;
  while (read(descriptor_.get(), &info, sizeof(info)) == static_cast<ssize_t>(sizeof(info))) {
    (info.ssi_signo == SIGHUP ? reload_ : stop_) = true;
  }
  return reload_ || stop_;
}

Bell::Bell() : descriptor_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}

bool Bell::Take() {
  uint64_t count = 0;
  return read(descriptor_.get(), &count, sizeof(count)) == static_cast<ssize_t>(sizeof(count));
}

void Bell::Tell() {
  const uint64_t one = 1;
  // Cannot fail but by overflow, and then it is told already.
  (void)!write(descriptor_.get(), &one, sizeof(one));
}

}  // namespace corefleet
