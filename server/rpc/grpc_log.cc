#include "server/rpc/grpc_log.h"

#include <grpc/support/log.h>

#include <cstring>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/log.h"

namespace corefleet {
namespace {

constexpr int kLinesASecond = 10;

// How many lines were left out before this one; -1: leave it out as well.
class Allowance {
 public:
  int64_t Take(absl::Time now) {
    absl::MutexLock lock(&mutex_);
    if (now - second_ >= absl::Seconds(1) || now < second_) {
      second_ = now;
      written_ = 0;
    }
    if (written_ == kLinesASecond) {
      ++left_out_;
      return -1;
    }
    ++written_;
    const int64_t left_out = left_out_;
    left_out_ = 0;
    return left_out;
  }

 private:
  absl::Mutex mutex_;
  absl::Time second_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  int written_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t left_out_ ABSL_GUARDED_BY(mutex_) = 0;
};

void Write(gpr_log_func_args* said) {
  static Allowance* const allowance = new Allowance;
  const int64_t left_out = allowance->Take(Clock::Real()->Now());
  if (left_out < 0) return;
  const char* slash = std::strrchr(said->file, '/');
  Log(said->severity == GPR_LOG_SEVERITY_DEBUG ? LogLevel::kDebug : LogLevel::kWarning, "grpc",
      {{"what", said->message},
       {"where", absl::StrCat(slash != nullptr ? slash + 1 : said->file, ":", said->line)},
       {"left_out", std::to_string(left_out)}});
}

}  // namespace

void LogWhatGrpcSays() { gpr_set_log_function(&Write); }

}  // namespace corefleet
