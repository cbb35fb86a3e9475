#ifndef COREFLEET_SERVER_RPC_PUT_CHUNKS_REACTOR_H_
#define COREFLEET_SERVER_RPC_PUT_CHUNKS_REACTOR_H_

#include <grpcpp/alarm.h>
#include <grpcpp/grpcpp.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "corefleet/v1/ingest.grpc.pb.h"
#include "server/ingest/ingestor.h"
#include "server/rpc/flush_pace.h"
#include "server/rpc/rim.h"
#include "server/rpc/upload_streams.h"

namespace corefleet {

// One PutChunks stream.
//
// Reads one message at a time: OnReadDone posts a step, the step verifies, makes durable and acknowledges,
// and its end arms the next read. That is the backpressure: a device sends no faster than its bytes become
// durable. A step verifies on the rim's verifiers and goes over to those who wait when a flush is due, and
// back when the message has more. Writes are one at a time as well; acknowledgements that cannot go out yet
// are merged, and when too many wait because the client does not read them, the stream stops reading too.
// Whatever ends the stream, what was verified is made durable first. A message that asks for it finishes the
// crash and ends the stream.
//
// Who asks for a flush of little again and again waits for it (FlushPace), and a stream whose place newer
// streams of its session have taken (UploadStreams) ends with ABORTED.
//
// An alarm looks at the stream twice in a stall limit; when no chunk has come for a whole one, the stream
// ends with DEADLINE_EXCEEDED, or is cancelled if its device does not even read what it is told, which holds
// for the last answer too.
//
// Owns itself, until gRPC is done with it and the alarm has ended. A step holds the reactor as well, so that
// gRPC may be done with it while the step returns.
class PutChunksReactor final : public grpc::ServerBidiReactor<v1::PutChunksRequest, v1::PutChunksResponse> {
 public:
  // All of them must outlive every call.
  struct Dependencies {
    Rim* rim;
    Ingestor* ingestor;
    UploadStreams* streams;
  };

  static PutChunksReactor* Start(grpc::CallbackServerContext* context, const Dependencies& deps);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone() override;

 private:
  // What to ask gRPC for once the lock is free again.
  struct Work {
    bool write = false;
    bool read = false;
    bool finish = false;  // with the write, if there is one
  };
  // The call, which is there as long as this is, whatever gRPC does with the reactor meanwhile.
  using HeldCall = std::unique_ptr<grpc_call, void (*)(grpc_call*)>;

  PutChunksReactor(grpc::CallbackServerContext* context, const Dependencies& deps);

  // The parts of a step: never two at once. Each one's last act is to post the next, or to end the step.
  using Part = void (PutChunksReactor::*)();
  void Post(WorkerPool* pool, Part part);
  // Those that may wait.
  void Open();
  void Store();
  void EndOfInput() { EndInput(absl::OkStatus()); }
  void EndInput(const absl::Status& status);
  // Those that compute.
  void Verify();
  // Whether there are no more that may be verified now. False: its turn is over.
  absl::StatusOr<bool> VerifyChunks();
  // What comes after all chunks of a message, or some of them, have been verified.
  void AfterVerifying();
  void StoreAfter(absl::Duration pause);
  void EndStep();

  absl::Status CheckRequest() const;
  absl::Status FinishCrash();
  absl::Status OpenWriter();

  void SetAlarm() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnAlarm(bool rang);
  // True if the stream has waited for its device for the whole limit.
  bool Stalled() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool WaitsForDevice() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return reading_ || read_waits_; }
  // Where a step may wait, in the place of the step that never came.
  // `stuck`: a write had not gone out in all that time.
  void EndStalled(bool stuck);
  void Supplanted();
  HeldCall HoldCall() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  void AppendAcks() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Work Decide() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Perform(const Work& work, const absl::Status& end);

  grpc::CallbackServerContext* const context_;
  Rim* const rim_;
  Ingestor* const ingestor_;
  UploadStreams* const streams_;
  std::optional<Rim::Call> call_;  // until gRPC is done: the alarm may end after the rim
  v1::PutChunksRequest request_;   // the read's, then the step's
  // The step's. Which of the message's chunks comes next, and since when the part waits for its worker.
  int next_chunk_ = 0;
  absl::Time posted_;
  std::string session_;
  std::unique_ptr<SessionWriter> writer_;
  FlushPace pace_;
  std::unique_ptr<grpc::Alarm> pause_;
  std::unique_ptr<UploadStreams::Place> place_;
  std::shared_ptr<PutChunksReactor> self_;

  absl::Mutex mutex_;
  std::vector<ChunkRange> acks_ ABSL_GUARDED_BY(mutex_);  // to be written
  v1::PutChunksResponse response_;                        // the write's, while writing_ or finishing_
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;      // a write failed: nobody listens
  bool read_waits_ ABSL_GUARDED_BY(mutex_) = false;  // for acknowledgements to go out
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;     // gRPC has a read that is not done
  bool given_up_ ABSL_GUARDED_BY(mutex_) = false;    // it ends: what is still read is dropped
  bool supplanted_ ABSL_GUARDED_BY(mutex_) = false;  // it ends when the step does
  bool finishing_ ABSL_GUARDED_BY(mutex_) = false;   // gRPC has the stream's end: nothing may follow
  bool done_ ABSL_GUARDED_BY(mutex_) = false;        // the call and its context are gone
  bool alarm_set_ ABSL_GUARDED_BY(mutex_) = false;   // or in its callback
  int quiet_alarms_ ABSL_GUARDED_BY(mutex_) = 0;     // since a chunk came or an answer went
  // A new one each time: an alarm must not be set again before its last callback has returned.
  std::unique_ptr<grpc::Alarm> alarm_ ABSL_GUARDED_BY(mutex_);
  // What the last answer says of the crash. A step sets it before end_; whoever decides after that takes it.
  std::optional<FinishedCrash> finished_crash_;
  // Set when nothing more is read: what to finish with once all is written.
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_RPC_PUT_CHUNKS_REACTOR_H_
