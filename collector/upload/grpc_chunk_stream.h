#ifndef COREFLEET_COLLECTOR_UPLOAD_GRPC_CHUNK_STREAM_H_
#define COREFLEET_COLLECTOR_UPLOAD_GRPC_CHUNK_STREAM_H_

#include <grpcpp/grpcpp.h>

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "base/clock.h"
#include "collector/upload/call_cancellation.h"
#include "collector/upload/ingest_client.h"
#include "corefleet/v1/ingest.grpc.pb.h"

namespace corefleet {

// PutChunks over gRPC, driven by one thread through a completion queue: unlike the blocking stream it can
// give up when nothing moves any more, and it takes in acknowledgements while a message waits to leave.
class GrpcChunkStream final : public ChunkStream {
 public:
  // `stub`, `clock` and `calls` must outlive it.
  GrpcChunkStream(v1::CrashIngest::Stub* stub, const SessionId& session, absl::Duration stall_timeout,
                  Clock* clock, CallCancellation* calls);
  ~GrpcChunkStream() override;

  bool Send(const std::vector<OutgoingChunk>& chunks, Ask ask) override;
  bool ReadAck(std::vector<ChunkRange>* durable) override;
  void HalfClose() override;
  absl::Status Close() override;
  std::optional<StoredReceipt> finished() const override { return receipt_; }

 private:
  enum Operation : intptr_t { kStart = 1, kWrite, kRead, kHalfClose, kFinish };

  // Handles completions until `awaited` is among them, or, if it is kRead, until an answer is there. False
  // when the operation failed or nothing moved in time.
  bool Await(Operation awaited);
  void StartRead();
  void TakeAnswer();

  grpc::ClientContext context_;
  CallCancellation::Scope scope_;
  grpc::CompletionQueue queue_;
  SessionId session_;
  absl::Duration stall_timeout_;
  Clock* clock_;
  std::unique_ptr<grpc::ClientAsyncReaderWriter<v1::PutChunksRequest, v1::PutChunksResponse>> stream_;
  v1::PutChunksResponse answer_;
  grpc::Status status_;
  std::deque<std::vector<ChunkRange>> answers_;
  std::optional<StoredReceipt> receipt_;
  bool started_ = false;
  bool named_session_ = false;
  bool reading_ = false;     // a read is under way
  bool read_ended_ = false;  // and there will be no further
  bool stalled_ = false;
  bool closed_ = false;
};

// At most kMaxRanges of them: what a strange server says beyond that is learned when it is asked again.
inline constexpr int kMaxRanges = 16384;
std::vector<ChunkRange> RangesFromProto(const google::protobuf::RepeatedPtrField<v1::ChunkRange>& ranges);

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_UPLOAD_GRPC_CHUNK_STREAM_H_
