#ifndef COREFLEET_SERVER_RPC_RIM_H_
#define COREFLEET_SERVER_RPC_RIM_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <exception>
#include <random>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/worker_pool.h"
#include "server/admission/refusal.h"
#include "server/rpc/status.h"

namespace corefleet {

// What the rim has to say to whoever counts. Does nothing by itself. Called from several threads at once.
class RpcMetrics {
 public:
  virtual ~RpcMetrics() = default;
  // `method` is one of the services' method names.
  virtual void RpcDone(absl::string_view method, absl::StatusCode code, absl::Duration took) {}
  // A unary call waited so long until a worker took it.
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
// Thread-safe.
class Rim {
 public:
  Rim(int threads, int max_calls, const Clock* clock, RpcMetrics* metrics)
      : max_calls_(max_calls), clock_(clock), metrics_(metrics), pool_(threads) {}

  WorkerPool* pool() { return &pool_; }

  // One call, from its start to its end. The destructor of what Enter gives may run anywhere.
  class Call {
   public:
    Call(Rim* rim, absl::string_view method) : rim_(rim), method_(method), start_(rim->clock_->Now()) {
      admitted_ = rim_->calls_.fetch_add(1) < rim_->max_calls_;
    }
    ~Call() { rim_->calls_.fetch_sub(1); }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

    // RESOURCE_EXHAUSTED, with TOO_MANY_CALLS and a delay, if the port has too many calls already.
    absl::Status Admission() const { return admitted_ ? absl::OkStatus() : RefusedStatus(TooManyCalls()); }
    // A worker has taken the call.
    void Taken() const { rim_->metrics_->Waited(rim_->clock_->Now() - start_); }
    // Counts the call's end. Call it once, before Finish.
    grpc::Status End(const absl::Status& status) {
      rim_->metrics_->RpcDone(method_, status.code(), rim_->clock_->Now() - start_);
      return ToGrpcStatus(status);
    }

   private:
    // Calls last milliseconds, but for streams, which end when they stall: a second is what the queue needs.
    // The calls that are refused together must not come back together.
    Refused TooManyCalls() const {
      thread_local std::minstd_rand random(std::random_device{}());
      return {.reason = RefusalReason::kTooManyCalls,
              .message = "the server has too many calls under way",
              .limit = "max_calls",
              .delay = absl::Milliseconds(1000 + random() % 4000)};
    }

    Rim* const rim_;
    const absl::string_view method_;
    const absl::Time start_;
    bool admitted_;
  };

 private:
  const int max_calls_;
  const Clock* const clock_;
  RpcMetrics* const metrics_;
  std::atomic<int> calls_{0};
  WorkerPool pool_;  // last: its threads end before anything above does
};

// Answers a unary call with what `fn` (returning absl::Status, allowed to block) gives. `method` must live
// for ever.
template <typename Fn>
grpc::ServerUnaryReactor* RunUnary(grpc::CallbackServerContext* context, Rim* rim, absl::string_view method,
                                   Fn fn) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  auto call = std::make_unique<Rim::Call>(rim, method);
  if (absl::Status status = call->Admission(); !status.ok()) {
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

}  // namespace corefleet

#endif  // COREFLEET_SERVER_RPC_RIM_H_
