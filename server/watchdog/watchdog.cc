#include "server/watchdog/watchdog.h"

#include <optional>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "base/log.h"

namespace corefleet {

// One port: a thread that asks, and one that waits for the answer, because a question may never come back.
class Watchdog::Watch {
 public:
  Watch(const Options& options, Port port, std::function<void()> give_up)
      : options_(options),
        port_(std::move(port)),
        give_up_(std::move(give_up)),
        asking_([this] { Ask(); }),
        watching_([this] { Run(); }) {}

  ~Watch() {
    {
      absl::MutexLock lock(&mutex_);
      stopping_ = true;
    }
    watching_.join();
    asking_.join();
  }

 private:
  bool MayAsk() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopping_ || asked_; }
  bool Answered() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopping_ || answer_.has_value(); }

  void Ask() {
    while (true) {
      {
        absl::MutexLock lock(&mutex_);
        mutex_.Await(absl::Condition(this, &Watch::MayAsk));
        if (stopping_) return;
      }
      absl::Status answer = port_.ask(options_.timeout);
      absl::MutexLock lock(&mutex_);
      answer_ = std::move(answer);
      asked_ = false;
    }
  }

  // The answer to a new question, or to one that is still under way.
  absl::Status Next() {
    absl::MutexLock lock(&mutex_);
    answer_.reset();
    asked_ = true;
    // The question ends by itself after the timeout; what is above that is a question that does not end.
    if (mutex_.AwaitWithTimeout(absl::Condition(this, &Watch::Answered), 2 * options_.timeout)) {
      return answer_.value_or(absl::OkStatus());
    }
    return absl::DeadlineExceededError("the question itself hangs");
  }

  bool Pause() {
    absl::MutexLock lock(&mutex_);
    return !mutex_.AwaitWithTimeout(absl::Condition(&stopping_), options_.every);
  }

  void Run() {
    int misses = 0;
    while (Pause()) {
      const absl::Status answer = Next();
      if (answer.ok()) {
        misses = 0;
        continue;
      }
      ++misses;
      Log(LogLevel::kWarning, "a port does not answer",
          {{"port", port_.name}, {"misses", std::to_string(misses)}, {"why", std::string(answer.message())}});
      if (misses < options_.misses) continue;
      Log(LogLevel::kError, "a port has stopped answering; giving up, so that a new process can serve",
          {{"port", port_.name}});
      return give_up_();
    }
  }

  const Options options_;
  const Port port_;
  const std::function<void()> give_up_;
  absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool asked_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<absl::Status> answer_ ABSL_GUARDED_BY(mutex_);
  std::thread asking_;
  std::thread watching_;
};

Watchdog::Watchdog(const Options& options, std::vector<Port> ports, std::function<void()> give_up) {
  for (Port& port : ports) watches_.push_back(std::make_unique<Watch>(options, std::move(port), give_up));
}

Watchdog::~Watchdog() = default;

}  // namespace corefleet
