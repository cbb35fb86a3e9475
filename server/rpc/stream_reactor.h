#ifndef COREFLEET_SERVER_RPC_STREAM_REACTOR_H_
#define COREFLEET_SERVER_RPC_STREAM_REACTOR_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <memory>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "server/rpc/rim.h"

namespace corefleet {

// The one reactor for calls that answer with a stream. Has one message in memory: the next one is made, on a
// worker, when the one before has been written. So a client that does not read holds one message and no
// thread.
//
// Owns itself. A step holds the reactor as well, so that gRPC may be done with it while the step returns.
template <typename Response>
class StreamReactor final : public grpc::ServerWriteReactor<Response> {
 public:
  // Fills the next message, which is empty; false at the end. May block.
  using Next = absl::AnyInvocable<absl::StatusOr<bool>(Response*)>;

  // `method` must live for ever.
  static StreamReactor* Start(grpc::CallbackServerContext* context, Rim* rim, absl::string_view method,
                              Next next) {
    auto reactor = std::shared_ptr<StreamReactor>(new StreamReactor(rim, method, std::move(next)));
    reactor->self_ = reactor;
    if (absl::Status status = reactor->call_.Admission(); !status.ok()) {
      AddPushback(status, context);
      reactor->Finish(reactor->call_.End(status));
    } else {
      reactor->Post();
    }
    return reactor.get();
  }

  void OnWriteDone(bool ok) override {
    if (ok) return Post();
    this->Finish(call_.End(absl::CancelledError("the client went away")));
  }
  void OnCancel() override { cancelled_ = true; }
  void OnDone() override { self_.reset(); }

 private:
  StreamReactor(Rim* rim, absl::string_view method, Next next)
      : rim_(rim), call_(rim, method), next_(std::move(next)) {}

  void Post() {
    rim_->pool()->Run([self = self_] { self->Step(); });
  }

  void Step() {
    if (cancelled_) return this->Finish(call_.End(absl::CancelledError("cancelled")));
    response_.Clear();
    bool more = false;
    const absl::Status status = CatchAll([&]() -> absl::Status {
      auto made = next_(&response_);
      more = made.ok() && *made;
      return made.status();
    });
    if (more) return this->StartWrite(&response_);
    this->Finish(call_.End(status));
  }

  Rim* const rim_;
  Rim::Call call_;
  Next next_;
  Response response_;
  std::atomic<bool> cancelled_{false};
  std::shared_ptr<StreamReactor> self_;
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_RPC_STREAM_REACTOR_H_
