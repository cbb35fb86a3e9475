#ifndef COREFLEET_SERVER_RPC_RIM_H_
#define COREFLEET_SERVER_RPC_RIM_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <exception>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/worker_pool.h"
#include "server/admission/refusal.h"
#include "server/rpc/call_buffers.h"
#include "server/rpc/call_owner.h"
#include "server/rpc/status.h"

namespace corefleet {

// What the rim has to say to whoever counts. Does nothing by itself. Called from several threads at once.
class RpcMetrics {
 public:
  virtual ~RpcMetrics() = default;
  // `method` is one of the services' method names.
  virtual void RpcDone(absl::string_view method, absl::StatusCode code, absl::Duration took) {}
  // A unary call, or a step of a stream, waited so long until a worker took it.
  virtual void Waited(absl::Duration wait) {}
};

// Runs `fn`, which returns absl::Status, on a worker. gRPC swallows what a reaction throws and leaves the
// call hanging, so nothing may get past here.
template <typename Fn>
absl::Status CatchAll(Fn&& fn) {
  try {
    return std::forward<Fn>(fn)();
  } catch (const std::exception& e) {
    Log(LogLevel::kError, "exception in an rpc", {{"what", e.what()}});
    return absl::InternalError("internal error");
  } catch (...) {
    Log(LogLevel::kError, "exception in an rpc", {{"what", "not a std::exception"}});
    return absl::InternalError("internal error");
  }
}

// What every call of one port shares: the threads that may block, and how many calls may be under way.
//
// There are two kinds of threads. Many wait, for the disk and for the database, so that whoever waits for one
// sync or one commit does not keep others from sharing it. A few, about as many as there are cores, verify:
// more of them would only take the cores from each other, and each keeps what it needs to inflate.
// Thread-safe.
class Rim {
 public:
  // `threads` wait; without `verifiers` of their own they do all there is to do. `buffers`, which may be null
  // and must outlive the rim, are told of the calls.
  Rim(int threads, int max_calls, const Clock* clock, RpcMetrics* metrics, int verifiers = 0,
      CallBuffers* buffers = nullptr)
      : max_calls_(max_calls), clock_(clock), metrics_(metrics), buffers_(buffers), pool_(threads) {
    if (verifiers > 0) verifiers_.emplace(verifiers);
  }

  // For what waits.
  WorkerPool* pool() { return &pool_; }
  // For what computes and never waits.
  WorkerPool* verifiers() { return verifiers_ ? &*verifiers_ : &pool_; }

  const Clock* clock() const { return clock_; }
  // A step was posted at `since`, and a worker has taken it.
  void Taken(absl::Time since) const { metrics_->Waited(clock_->Now() - since); }

  // One call, from its start to its end. The destructor of what Enter gives may run anywhere.
  class Call {
   public:
    Call(Rim* rim, absl::string_view method, CallOwner owner = {})
        : rim_(rim), method_(method), owner_(std::move(owner)), start_(rim->clock_->Now()) {
      room_ = rim_->calls_.fetch_add(1) < rim_->max_calls_;
      own_room_ = rim_->Enter(owner_);
      if (rim_->buffers_ != nullptr) rim_->buffers_->Enter();
    }
    ~Call() {
      if (rim_->buffers_ != nullptr) rim_->buffers_->Leave();
      rim_->calls_.fetch_sub(1);
      rim_->Leave(owner_);
    }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

    // RESOURCE_EXHAUSTED, with TOO_MANY_CALLS and a delay, if the port, or the call's owner, has too many
    // calls already.
    absl::Status Admission() const {
      if (room_ && own_room_) return absl::OkStatus();
      return RefusedStatus(room_ ? TooManyCalls("this caller", "calls_of_one")
                                 : TooManyCalls("the server", "max_calls"));
    }
    // A worker has taken the call.
    void Taken() const { rim_->Taken(start_); }
    // Counts the call's end. Call it once, before Finish.
    grpc::Status End(const absl::Status& status) {
      rim_->metrics_->RpcDone(method_, status.code(), rim_->clock_->Now() - start_);
      return ToGrpcStatus(status);
    }

   private:
    // Calls last milliseconds, but for streams, which end when they stall: a second is what the queue needs.
    // The calls that are refused together must not come back together.
    static Refused TooManyCalls(absl::string_view whose, const char* limit) {
      thread_local std::minstd_rand random(std::random_device{}());
      return {.reason = RefusalReason::kTooManyCalls,
              .message = absl::StrCat(whose, " has too many calls under way"),
              .limit = limit,
              .delay = absl::Milliseconds(1000 + random() % 4000)};
    }

    Rim* const rim_;
    const absl::string_view method_;
    const CallOwner owner_;
    const absl::Time start_;
    bool room_;
    bool own_room_;
  };

 private:
  bool Enter(const CallOwner& owner) {
    if (owner.name.empty()) return true;
    absl::MutexLock lock(&mutex_);
    return ++calls_of_[owner.name] <= owner.most;
  }
  void Leave(const CallOwner& owner) {
    if (owner.name.empty()) return;
    absl::MutexLock lock(&mutex_);
    const auto found = calls_of_.find(owner.name);
    if (--found->second == 0) calls_of_.erase(found);
  }

  const int max_calls_;
  const Clock* const clock_;
  RpcMetrics* const metrics_;
  CallBuffers* const buffers_;
  std::atomic<int> calls_{0};
  absl::Mutex mutex_;
  absl::flat_hash_map<std::string, int> calls_of_ ABSL_GUARDED_BY(mutex_);  // of owners that have any
  // Last: their threads end before anything above does. No call is under way by then, so neither posts to the
  // other any more.
  WorkerPool pool_;
  std::optional<WorkerPool> verifiers_;
};

// Answers a unary call with what `fn` (returning absl::Status, allowed to block) gives. `method` must live
// for ever. `at_once` (returning absl::Status) is asked first, on gRPC's own thread: it must not block, and
// what it says that is not OK is the answer.
template <typename Fn, typename AtOnce>
grpc::ServerUnaryReactor* RunUnary(grpc::CallbackServerContext* context, Rim* rim, absl::string_view method,
                                   Fn fn, CallOwner owner, AtOnce at_once) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  auto call = std::make_unique<Rim::Call>(rim, method, std::move(owner));
  absl::Status status = call->Admission();
  if (status.ok()) status = CatchAll(at_once);
  if (!status.ok()) {
    AddPushback(status, context);
    reactor->Finish(call->End(status));
    return reactor;
  }
  rim->pool()->Run([context, reactor, call = std::move(call), fn = std::move(fn)]() mutable {
    call->Taken();
    // Nobody waits for the answer any more, and every call may be repeated.
    const absl::Status status = context->IsCancelled() ? absl::CancelledError("cancelled") : CatchAll(fn);
    AddPushback(status, context);
    const grpc::Status end = call->End(status);
    call.reset();
    reactor->Finish(end);
  });
  return reactor;
}

template <typename Fn>
grpc::ServerUnaryReactor* RunUnary(grpc::CallbackServerContext* context, Rim* rim, absl::string_view method,
                                   Fn fn, CallOwner owner = {}) {
  return RunUnary(context, rim, method, std::move(fn), std::move(owner), [] { return absl::OkStatus(); });
}

}  // namespace corefleet

#endif  // COREFLEET_SERVER_RPC_RIM_H_
