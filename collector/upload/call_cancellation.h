#ifndef COREFLEET_COLLECTOR_UPLOAD_CALL_CANCELLATION_H_
#define COREFLEET_COLLECTOR_UPLOAD_CALL_CANCELLATION_H_

#include <grpcpp/grpcpp.h>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/synchronization/mutex.h"

namespace corefleet {

// The calls of one client that are under way, so that another thread can end them: a program that is asked to
// stop does not wait for a server. Thread-safe.
class CallCancellation {
 public:
  // Notes a call for as long as it lives. One that begins after Cancel ends at once.
  class Scope {
   public:
    Scope(CallCancellation* calls, grpc::ClientContext* context) : calls_(calls), context_(context) {
      const absl::MutexLock lock(&calls_->mutex_);
      calls_->running_.insert(context_);
      if (calls_->cancelled_) context_->TryCancel();
    }
    ~Scope() {
      const absl::MutexLock lock(&calls_->mutex_);
      calls_->running_.erase(context_);
    }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    CallCancellation* calls_;
    grpc::ClientContext* context_;
  };

  // Ends every call, now and from here on, with CANCELLED.
  void Cancel() {
    const absl::MutexLock lock(&mutex_);
    cancelled_ = true;
    for (grpc::ClientContext* context : running_) context->TryCancel();
  }

 private:
  absl::Mutex mutex_;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  absl::flat_hash_set<grpc::ClientContext*> running_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_UPLOAD_CALL_CANCELLATION_H_
