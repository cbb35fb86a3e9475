#include "server/rpc/put_chunks_reactor.h"

#include <grpc/grpc.h>
#include <grpc/support/time.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "server/rpc/convert.h"
#include "server/rpc/peer.h"
#include "server/rpc/status.h"

namespace corefleet {
namespace {

// Ranges that may wait to be written before the stream stops reading: about 64 KiB of them.
constexpr size_t kMaxWaitingAcks = 4096;

// What a stream may inflate and hash before others get their turn at the verifiers, in raw bytes: an ordinary
// message has less, and takes a millisecond or two. A message of small frames inflates to a thousand chunks.
constexpr uint64_t kTurnBytes = 1 << 20;

// The wire has no other word for it, and a device that does not know it comes back as after any break.
absl::Status SupplantedStatus() {
  return absl::AbortedError(
      "newer streams of this session have taken its place; what was acknowledged is kept");
}

// Its device reads nothing of what it is told.
void CancelStuck(grpc_call* call) {
  grpc_call_cancel_with_status(call, GRPC_STATUS_CANCELLED, "what was answered is not read", nullptr);
}

}  // namespace

PutChunksReactor* PutChunksReactor::Start(grpc::CallbackServerContext* context, const Dependencies& deps) {
  auto reactor = std::shared_ptr<PutChunksReactor>(new PutChunksReactor(context, deps));
  reactor->self_ = reactor;
  if (absl::Status status = reactor->call_->Admission(); !status.ok()) {
    AddPushback(status, context);
    reactor->Finish(reactor->call_->End(status));
    return reactor.get();
  }
  {
    absl::MutexLock lock(&reactor->mutex_);
    reactor->SetAlarm();
    reactor->reading_ = true;
  }
  reactor->StartRead(&reactor->request_);
  return reactor.get();
}

PutChunksReactor::PutChunksReactor(grpc::CallbackServerContext* context, const Dependencies& deps)
    : context_(context),
      rim_(deps.rim),
      ingestor_(deps.ingestor),
      streams_(deps.streams),
      call_(std::in_place, deps.rim, "PutChunks", CallOwnerOf(*context)),
      pace_(deps.rim->clock()->Now()) {}

void PutChunksReactor::OnReadDone(bool ok) {
  {
    absl::MutexLock lock(&mutex_);
    reading_ = false;
    if (given_up_) return;
  }
  next_chunk_ = 0;
  // Half-closed by the client, or the connection is lost: either way nothing more comes, and nothing is
  // thrown away.
  if (!ok) return Post(rim_->pool(), &PutChunksReactor::EndOfInput);
  if (writer_ == nullptr) return Post(rim_->pool(), &PutChunksReactor::Open);
  Post(rim_->verifiers(), &PutChunksReactor::Verify);
}

void PutChunksReactor::Post(WorkerPool* pool, Part part) {
  posted_ = rim_->clock()->Now();
  pool->Run([self = self_, part] {
    self->rim_->Taken(self->posted_);
    ((*self).*part)();
  });
}

void PutChunksReactor::OnWriteDone(bool ok) {
  Work work;
  absl::Status end;
  {
    absl::MutexLock lock(&mutex_);
    writing_ = false;
    quiet_alarms_ = 0;
    if (!ok) broken_ = true;
    work = Decide();
    if (read_waits_ && acks_.empty() && !given_up_) {
      read_waits_ = false;
      reading_ = work.read = true;
    }
    if (end_) end = *end_;
  }
  Perform(work, end);
}

void PutChunksReactor::Open() {
  if (absl::Status status = CatchAll([&] { return OpenWriter(); }); !status.ok()) return EndInput(status);
  Post(rim_->verifiers(), &PutChunksReactor::Verify);
}

void PutChunksReactor::Verify() {
  bool done = false;
  const absl::Status status = CatchAll([&]() -> absl::Status {
    ASSIGN_OR_RETURN(done, VerifyChunks());
    return absl::OkStatus();
  });
  if (!status.ok()) {
    // What was verified before it is made durable, which may wait.
    rim_->pool()->Run([self = self_, status] { self->EndInput(status); });
    return;
  }
  if (!done) return Post(rim_->verifiers(), &PutChunksReactor::Verify);
  AfterVerifying();
}

// The message is in memory until its last chunk is stored, so that others hold much is no reason to make
// several packs of it: many slow devices would cost a sync and a transaction for each chunk.
absl::StatusOr<bool> PutChunksReactor::VerifyChunks() {
  if (next_chunk_ == 0) RETURN_IF_ERROR(CheckRequest());
  uint64_t turn = 0;
  while (next_chunk_ < request_.chunks_size() && !writer_->overfull()) {
    if (turn >= kTurnBytes) return false;
    ReceivedChunk chunk = TakeFromProto(request_.mutable_chunks(next_chunk_++));
    turn += chunk.raw_size;
    RETURN_IF_ERROR(writer_->Add(std::move(chunk)));
  }
  return true;
}

void PutChunksReactor::AfterVerifying() {
  const bool chunks_left = next_chunk_ < request_.chunks_size();
  const bool flush = request_.flush() && writer_->held_bytes() > 0;
  if (chunks_left || request_.finish() || (!flush && writer_->full())) {
    return Post(rim_->pool(), &PutChunksReactor::Store);
  }
  if (!flush) return EndStep();
  const absl::Duration pause = pace_.Ask(writer_->held_bytes(), rim_->clock()->Now());
  if (pause > absl::ZeroDuration()) return StoreAfter(pause);
  Post(rim_->pool(), &PutChunksReactor::Store);
}

// Nothing is read meanwhile, so its device waits too. The alarm is the reactor's own: did its callback hold
// the reactor, neither would ever go. The stream cannot end before it rang, for only a step ends it.
void PutChunksReactor::StoreAfter(absl::Duration pause) {
  const int64_t wait_ms = std::max<int64_t>(1, absl::ToInt64Milliseconds(pause));
  pause_ = std::make_unique<grpc::Alarm>();
  pause_->Set(gpr_time_from_millis(wait_ms, GPR_TIMESPAN),
              [this](bool) { Post(rim_->pool(), &PutChunksReactor::Store); });
}

void PutChunksReactor::Store() {
  const bool chunks_left = next_chunk_ < request_.chunks_size();
  // What ends the crash is made durable with the crash.
  if (request_.finish() && !chunks_left) return EndInput(CatchAll([&] { return FinishCrash(); }));
  const bool flush = request_.flush() && !chunks_left;
  const absl::Status status = CatchAll([&] { return flush ? writer_->Flush() : writer_->MakeRoom(); });
  if (!status.ok()) return EndInput(status);
  if (chunks_left) return Post(rim_->verifiers(), &PutChunksReactor::Verify);
  EndStep();
}

void PutChunksReactor::EndStep() {
  const bool brought_chunks = request_.chunks_size() > 0;
  // A stream that waits for its device keeps no message: clearing alone would keep its capacity.
  v1::PutChunksRequest().Swap(&request_);
  Work work;
  bool supplanted = false;
  {
    absl::MutexLock lock(&mutex_);
    supplanted = supplanted_;
    given_up_ |= supplanted_;
    if (brought_chunks) quiet_alarms_ = 0;
    AppendAcks();
    work = Decide();
    read_waits_ = acks_.size() > kMaxWaitingAcks;
    reading_ = work.read = !read_waits_ && !supplanted_;
  }
  Perform(work, absl::OkStatus());
  if (!supplanted) return;
  rim_->pool()->Run([self = self_] { self->EndInput(SupplantedStatus()); });
}

void PutChunksReactor::Supplanted() {
  {
    absl::MutexLock lock(&mutex_);
    if (given_up_ || end_.has_value()) return;
    supplanted_ = true;
    if (!WaitsForDevice()) return;
    given_up_ = true;
  }
  rim_->pool()->Run([self = self_] { self->EndInput(SupplantedStatus()); });
}

void PutChunksReactor::SetAlarm() {
  alarm_ = std::make_unique<grpc::Alarm>();
  alarm_set_ = true;
  const int64_t wait_ms = std::max<int64_t>(1, absl::ToInt64Milliseconds(ingestor_->limits().stall / 2));
  alarm_->Set(gpr_time_from_millis(wait_ms, GPR_TIMESPAN), [this](bool rang) { OnAlarm(rang); });
}

bool PutChunksReactor::Stalled() {
  // While a step is under way it is the disk that is slow, and not the device.
  return (WaitsForDevice() || end_.has_value()) && ++quiet_alarms_ > 2;
}

void PutChunksReactor::OnAlarm(bool rang) {
  std::shared_ptr<PutChunksReactor> last;  // first, so that it goes after the lock
  HeldCall deaf(nullptr, &grpc_call_unref);
  bool stuck = false;
  {
    absl::MutexLock lock(&mutex_);
    if (done_) last = std::move(self_);
    alarm_set_ = false;
    if (done_ || !rang) return;
    const bool stalled = Stalled();
    SetAlarm();
    // Whoever gave up has posted the end already.
    if (!stalled || (given_up_ && !end_)) return;
    if (end_) {
      deaf = HoldCall();
    } else {
      given_up_ = true;
      stuck = writing_;
    }
  }
  if (deaf != nullptr) return CancelStuck(deaf.get());
  rim_->pool()->Run([self = self_, stuck] { self->EndStalled(stuck); });
}

void PutChunksReactor::EndStalled(bool stuck) {
  EndInput(absl::DeadlineExceededError(
      absl::StrCat("nothing came for ", absl::FormatDuration(ingestor_->limits().stall),
                   "; what was acknowledged is kept, begin again to go on")));
  if (!stuck) return;
  HeldCall call(nullptr, &grpc_call_unref);
  {
    absl::MutexLock lock(&mutex_);
    // It has gone out after all, and the last answer gets its time.
    if (!writing_) return;
    call = HoldCall();
  }
  CancelStuck(call.get());
}

// Only while gRPC is not done: until OnDone has had the lock.
PutChunksReactor::HeldCall PutChunksReactor::HoldCall() {
  grpc_call* const call = context_->c_call();
  grpc_call_ref(call);
  return HeldCall(call, &grpc_call_unref);
}

void PutChunksReactor::OnDone() {
  const std::shared_ptr<PutChunksReactor> self = self_;
  call_.reset();
  grpc::Alarm* alarm = nullptr;
  {
    absl::MutexLock lock(&mutex_);
    done_ = true;
    if (!alarm_set_) return self_.reset();
    alarm = alarm_.get();
  }
  // Not under the lock, for its callback takes it.
  alarm->Cancel();
}

absl::Status PutChunksReactor::CheckRequest() const {
  if (!request_.session().empty() && request_.session() != session_) {
    return absl::InvalidArgumentError("a stream carries the chunks of one session");
  }
  uint64_t bytes = 0;
  for (const v1::Chunk& chunk : request_.chunks()) bytes += chunk.payload().size();
  if (bytes <= ingestor_->limits().message_bytes) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("a message of ", bytes, " payload bytes is larger than ",
                                                 ingestor_->limits().message_bytes));
}

// Once the chunks are durable they are acknowledged, whatever fails here, and the device asks again with
// FinishCrash, which tells it why.
absl::Status PutChunksReactor::FinishCrash() {
  ASSIGN_OR_RETURN(finished_crash_, ingestor_->FlushAndFinish(writer_.get()));
  if (finished_crash_) return absl::OkStatus();
  ASSIGN_OR_RETURN(const DeviceCaller caller, DeviceCallerOf(*context_));
  auto finished = ingestor_->Finish(caller, session_);
  if (finished.ok()) finished_crash_ = *std::move(finished);
  return absl::OkStatus();
}

absl::Status PutChunksReactor::OpenWriter() {
  if (request_.session().empty()) return absl::InvalidArgumentError("the first message names the session");
  ASSIGN_OR_RETURN(const DeviceCaller caller, DeviceCallerOf(*context_));
  ASSIGN_OR_RETURN(auto writer, ingestor_->OpenWriter(caller, request_.session()));
  const auto supplant = [weak = std::weak_ptr<PutChunksReactor>(self_)] {
    if (const auto self = weak.lock()) self->Supplanted();
  };
  ASSIGN_OR_RETURN(place_, streams_->Enter(writer->session(), writer->device(), supplant));
  writer_ = std::move(writer);
  session_ = request_.session();
  return absl::OkStatus();
}

void PutChunksReactor::EndInput(const absl::Status& status) {
  absl::Status end = status;
  if (writer_ != nullptr) end.Update(CatchAll([&] { return writer_->Flush(); }));
  Work work;
  {
    absl::MutexLock lock(&mutex_);
    AppendAcks();
    end_ = end;
    quiet_alarms_ = 0;
    work = Decide();
  }
  writer_.reset();
  place_.reset();
  Perform(work, end);
}

void PutChunksReactor::AppendAcks() {
  if (writer_ == nullptr) return;
  for (const ChunkRange& range : writer_->TakeAcks()) acks_.push_back(range);
}

PutChunksReactor::Work PutChunksReactor::Decide() {
  if (broken_) acks_.clear();
  if (writing_ || finishing_) return {};
  Work work{.finish = end_.has_value()};
  // The crash's id travels with the last acknowledgements.
  const bool says_finished = end_.has_value() && finished_crash_.has_value() && !broken_;
  work.write = !acks_.empty() || says_finished;
  if (work.write) {
    response_.Clear();
    for (const ChunkRange& range : acks_) ToProto(range, response_.add_durable());
    acks_.clear();
    if (says_finished) ToProto(*std::exchange(finished_crash_, {}), response_.mutable_finished());
  }
  finishing_ = work.finish;
  writing_ = work.write && !work.finish;
  return work;
}

// Of the stream's end gRPC says nothing but OnDone. A read that a stall left open does no harm: it fails with
// the call, and OnDone waits for it.
void PutChunksReactor::Perform(const Work& work, const absl::Status& end) {
  if (work.read) StartRead(&request_);
  if (!work.finish) {
    if (work.write) StartWrite(&response_);
    return;
  }
  AddPushback(end, context_);
  const grpc::Status status = call_->End(end);
  if (work.write) return StartWriteAndFinish(&response_, grpc::WriteOptions(), status);
  Finish(status);
}

}  // namespace corefleet
