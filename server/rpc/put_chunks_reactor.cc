#include "server/rpc/put_chunks_reactor.h"

#include <grpc/support/time.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "server/rpc/convert.h"
#include "server/rpc/peer.h"

namespace corefleet {
namespace {

// Ranges that may wait to be written before the stream stops reading: about 64 KiB of them.
constexpr size_t kMaxWaitingAcks = 4096;

}  // namespace

PutChunksReactor* PutChunksReactor::Start(grpc::CallbackServerContext* context, Rim* rim,
                                          Ingestor* ingestor) {
  auto reactor = std::shared_ptr<PutChunksReactor>(new PutChunksReactor(context, rim, ingestor));
  reactor->self_ = reactor;
  if (absl::Status status = reactor->call_.Admission(); !status.ok()) {
    reactor->Finish(reactor->call_.End(status));
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

PutChunksReactor::PutChunksReactor(grpc::CallbackServerContext* context, Rim* rim, Ingestor* ingestor)
    : context_(context), rim_(rim), ingestor_(ingestor), call_(rim, "PutChunks") {}

void PutChunksReactor::OnReadDone(bool ok) {
  {
    absl::MutexLock lock(&mutex_);
    reading_ = false;
    if (stalled_) return;
  }
  rim_->pool()->Run([self = self_, ok] { self->Step(ok); });
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
    if (read_waits_ && acks_.empty() && !stalled_) {
      read_waits_ = false;
      reading_ = work.read = true;
    }
    if (end_) end = *end_;
  }
  Perform(work, end);
}

void PutChunksReactor::Step(bool ok) {
  // Half-closed by the client, or the connection is lost: either way nothing more comes, and nothing is
  // thrown away.
  if (!ok) return EndInput(absl::OkStatus());
  if (absl::Status status = CatchAll([&] { return Take(&request_); }); !status.ok()) return EndInput(status);
  if (request_.finish()) return EndInput(absl::OkStatus());
  const bool brought_chunks = request_.chunks_size() > 0;
  // A stream that waits for its device keeps no message: clearing alone would keep its capacity.
  v1::PutChunksRequest().Swap(&request_);
  Work work;
  {
    absl::MutexLock lock(&mutex_);
    if (brought_chunks) quiet_alarms_ = 0;
    AppendAcks();
    work = Decide();
    read_waits_ = acks_.size() > kMaxWaitingAcks;
    reading_ = work.read = !read_waits_;
  }
  Perform(work, absl::OkStatus());
}

void PutChunksReactor::SetAlarm() {
  alarm_ = std::make_unique<grpc::Alarm>();
  alarm_set_ = true;
  const int64_t wait_ms = std::max<int64_t>(1, absl::ToInt64Milliseconds(ingestor_->limits().stall / 2));
  alarm_->Set(gpr_time_from_millis(wait_ms, GPR_TIMESPAN), [this](bool rang) { OnAlarm(rang); });
}

bool PutChunksReactor::Stalled() {
  // While a step is under way it is the disk that is slow, and not the device.
  const bool waits_for_device = reading_ || read_waits_ || end_.has_value();
  return waits_for_device && ++quiet_alarms_ > 2;
}

void PutChunksReactor::OnAlarm(bool rang) {
  bool ended = false;
  bool cancel = false;
  {
    absl::MutexLock lock(&mutex_);
    ended = end_.has_value();
    cancel = rang && writing_;
    const bool at_work = !ended || writing_;
    if (rang && at_work && !Stalled()) return SetAlarm();
    if (rang && !ended) stalled_ = true;
  }
  if (rang && !ended) return rim_->pool()->Run([self = self_, cancel] { self->EndStalled(cancel); });
  // The last answer does not go out: its device does not read.
  if (cancel) context_->TryCancel();
  PerformWhatIsLeft();
}

void PutChunksReactor::EndStalled(bool cancel) {
  EndInput(absl::DeadlineExceededError(
      absl::StrCat("nothing came for ", absl::FormatDuration(ingestor_->limits().stall),
                   "; what was acknowledged is kept, begin again to go on")));
  // A write that has not gone out in all that time never will, and Finish would wait behind it.
  if (cancel) context_->TryCancel();
  {
    absl::MutexLock lock(&mutex_);
    if (writing_ && !cancel) return SetAlarm();  // the last answer gets its time
  }
  PerformWhatIsLeft();
}

void PutChunksReactor::PerformWhatIsLeft() {
  Work work;
  absl::Status end;
  {
    absl::MutexLock lock(&mutex_);
    alarm_set_ = false;
    work = Decide();
    if (end_) end = *end_;
  }
  Perform(work, end);
}

absl::Status PutChunksReactor::Take(v1::PutChunksRequest* request) {
  if (writer_ == nullptr) RETURN_IF_ERROR(OpenWriter(request->session()));
  if (!request->session().empty() && request->session() != session_) {
    return absl::InvalidArgumentError("a stream carries the chunks of one session");
  }
  uint64_t bytes = 0;
  for (const v1::Chunk& chunk : request->chunks()) bytes += chunk.payload().size();
  if (bytes > ingestor_->limits().message_bytes) {
    return absl::InvalidArgumentError(absl::StrCat("a message of ", bytes, " payload bytes is larger than ",
                                                   ingestor_->limits().message_bytes));
  }
  for (v1::Chunk& chunk : *request->mutable_chunks()) {
    RETURN_IF_ERROR(writer_->Add(TakeFromProto(&chunk)));
    if (writer_->full()) RETURN_IF_ERROR(writer_->Flush());
  }
  if (request->flush() || request->finish()) RETURN_IF_ERROR(writer_->Flush());
  return request->finish() ? FinishCrash() : absl::OkStatus();
}

// Whatever fails here, the chunks are acknowledged all the same, and the device asks again with FinishCrash,
// which tells it why.
absl::Status PutChunksReactor::FinishCrash() {
  ASSIGN_OR_RETURN(const DeviceCaller caller, DeviceCallerOf(*context_));
  auto finished = ingestor_->Finish(caller, session_);
  if (finished.ok()) finished_crash_ = *std::move(finished);
  return absl::OkStatus();
}

absl::Status PutChunksReactor::OpenWriter(const std::string& session) {
  if (session.empty()) return absl::InvalidArgumentError("the first message names the session");
  ASSIGN_OR_RETURN(const DeviceCaller caller, DeviceCallerOf(*context_));
  ASSIGN_OR_RETURN(writer_, ingestor_->OpenWriter(caller, session));
  session_ = session;
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
  Perform(work, end);
}

void PutChunksReactor::AppendAcks() {
  if (writer_ == nullptr) return;
  for (const ChunkRange& range : writer_->TakeAcks()) acks_.push_back(range);
}

PutChunksReactor::Work PutChunksReactor::Decide() {
  if (broken_) acks_.clear();
  if (writing_) return {};
  // The crash's id travels with the last acknowledgements.
  const bool says_finished = end_.has_value() && finished_crash_.has_value() && !broken_;
  if (!acks_.empty() || says_finished) {
    response_.Clear();
    for (const ChunkRange& range : acks_) ToProto(range, response_.add_durable());
    acks_.clear();
    if (says_finished) ToProto(*std::exchange(finished_crash_, {}), response_.mutable_finished());
    writing_ = true;
    return {.write = true};
  }
  if (!end_) return {};
  if (!alarm_set_) return {.finish = true};
  return {.silence = alarm_.get()};
}

// Nothing may follow Finish. That there is only one is sure: end_ is set once, the alarm ends once after it,
// and then either its end or that of the last write finds nothing left to do. A read that a stall left open
// does no harm: it fails with the call, and OnDone waits for it.
void PutChunksReactor::Perform(const Work& work, const absl::Status& end) {
  if (work.write) StartWrite(&response_);
  // Not under the lock, for its callback takes it.
  if (work.silence != nullptr) work.silence->Cancel();
  if (work.read) StartRead(&request_);
  if (work.finish) Finish(call_.End(end));
}

}  // namespace corefleet
