#ifndef COREFLEET_COLLECTOR_SOURCE_WAKE_SOURCES_H_
#define COREFLEET_COLLECTOR_SOURCE_WAKE_SOURCES_H_

#include <utility>

#include "collector/source/file_bytes.h"
#include "collector/source/source_schedule.h"

namespace corefleet {

// SIGTERM and SIGINT, which stop the agent, and SIGHUP, which has it read its configuration again, as
// something to wait for. One thread at a time.
class StopSignals final : public WakeSource {
 public:
  // From here on, in this thread and in those that it starts, the signals wait until they are taken.
  static void Hold();

  StopSignals();
  int descriptor() const override { return descriptor_.get(); }
  bool Take() override;

  bool stop() const { return stop_; }
  bool reload() const { return reload_; }

 private:
  OwnedFd descriptor_;
  bool stop_ = false;
  bool reload_ = false;
};

// Told by another thread. Tell is thread-safe.
class Bell final : public WakeSource {
 public:
  Bell();
  int descriptor() const override { return descriptor_.get(); }
  bool Take() override;
  void Tell();

 private:
  OwnedFd descriptor_;
};

// Remembers that another source, which it does not own, had something to tell, however often it was asked.
class NotedSource final : public WakeSource {
 public:
  explicit NotedSource(WakeSource* source) : source_(source) {}
  int descriptor() const override { return source_->descriptor(); }
  bool Take() override {
    const bool reason = source_->Take();
    told_ = told_ || reason;
    return reason;
  }
  bool TakeNote() { return std::exchange(told_, false); }

 private:
  WakeSource* source_;
  bool told_ = false;
};

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_SOURCE_WAKE_SOURCES_H_
