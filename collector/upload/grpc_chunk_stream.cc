#include "collector/upload/grpc_chunk_stream.h"

#include <algorithm>
#include <string>
#include <utility>

#include "collector/upload/grpc_status.h"
#include "core/bytes/byte_view.h"

namespace corefleet {
namespace {

void FillChunk(const OutgoingChunk& from, v1::Chunk* to) {
  to->set_region(from.region);
  to->set_chunk(from.chunk);
  to->set_encoding(from.encoded.encoding == ChunkEncoding::kZstd ? v1::Chunk::ZSTD : v1::Chunk::RAW);
  to->set_raw_size(from.raw_size);
  to->set_crc32c(Crc32c(BytesOf(from.encoded.bytes)));
  to->set_sha256(std::string(TextOf(ByteView(from.sha256))));
  to->set_payload(from.encoded.bytes);
}

constexpr size_t kMaxAnswersHeld = 64;

void* Tag(intptr_t operation) { return reinterpret_cast<void*>(operation); }

}  // namespace

std::vector<ChunkRange> RangesFromProto(const google::protobuf::RepeatedPtrField<v1::ChunkRange>& ranges) {
  std::vector<ChunkRange> out;
  const int count = std::min(ranges.size(), kMaxRanges);
  out.reserve(count);
  for (int i = 0; i < count; ++i) out.push_back({ranges[i].region(), ranges[i].first(), ranges[i].count()});
  return out;
}

GrpcChunkStream::GrpcChunkStream(v1::CrashIngest::Stub* stub, const SessionId& session,
                                 absl::Duration stall_timeout, Clock* clock, CallCancellation* calls)
    : scope_(calls, &context_), session_(session), stall_timeout_(stall_timeout), clock_(clock) {
  stream_ = stub->AsyncPutChunks(&context_, &queue_, Tag(kStart));
  started_ = Await(kStart);
  if (started_) StartRead();
}

GrpcChunkStream::~GrpcChunkStream() {
  if (!closed_) {
    context_.TryCancel();
    stream_->Finish(&status_, Tag(kFinish));
  }
  // Every operation under way must come back before the queue may go.
  queue_.Shutdown();
  void* tag;
  bool ok;
  while (queue_.Next(&tag, &ok)) {
  }
}

void GrpcChunkStream::StartRead() {
  reading_ = true;
  stream_->Read(&answer_, Tag(kRead));
}

void GrpcChunkStream::TakeAnswer() {
  answers_.push_back(RangesFromProto(answer_.durable()));
  if (answer_.has_finished()) {
    receipt_ = StoredReceipt{.crash = answer_.finished().crash(),
                             .already_stored = answer_.finished().already_stored()};
  }
  // A server that acknowledges without end must not fill our memory while a message waits to leave.
  if (answers_.size() < kMaxAnswersHeld) StartRead();
}

bool GrpcChunkStream::Await(Operation awaited) {
  for (;;) {
    if (awaited == kRead && !answers_.empty()) return true;
    if (awaited == kRead && read_ended_) return false;
    void* tag;
    bool ok;
    const auto deadline = absl::ToChronoTime(clock_->Now() + stall_timeout_);
    if (queue_.AsyncNext(&tag, &ok, deadline) != grpc::CompletionQueue::GOT_EVENT) {
      // From here on every operation comes back at once, and Close finds the reason.
      stalled_ = true;
      context_.TryCancel();
      if (awaited != kFinish) return false;
      continue;
    }
    if (tag == Tag(kRead)) {
      reading_ = false;
      if (ok) {
        TakeAnswer();
      } else {
        read_ended_ = true;
      }
    }
    if (tag == Tag(awaited) && awaited != kRead) return ok;
  }
}

bool GrpcChunkStream::Send(const std::vector<OutgoingChunk>& chunks, Ask ask) {
  if (!started_ || stalled_) return false;
  v1::PutChunksRequest request;
  if (!std::exchange(named_session_, true)) request.set_session(session_.value());
  for (const OutgoingChunk& chunk : chunks) FillChunk(chunk, request.add_chunks());
  request.set_flush(ask != Ask::kNothing);
  request.set_finish(ask == Ask::kFinish);
  stream_->Write(request, Tag(kWrite));
  return Await(kWrite);
}

bool GrpcChunkStream::ReadAck(std::vector<ChunkRange>* durable) {
  if (!started_ || !Await(kRead)) return false;
  durable->insert(durable->end(), answers_.front().begin(), answers_.front().end());
  answers_.pop_front();
  if (!reading_ && !read_ended_) StartRead();
  return true;
}

void GrpcChunkStream::HalfClose() {
  if (!started_ || stalled_) return;
  stream_->WritesDone(Tag(kHalfClose));
  Await(kHalfClose);
}

absl::Status GrpcChunkStream::Close() {
  // A write that stalled leaves the call alive: end it, or Finish waits for the server.
  if (stalled_) context_.TryCancel();
  stream_->Finish(&status_, Tag(kFinish));
  Await(kFinish);
  closed_ = true;
  if (stalled_) return absl::DeadlineExceededError("nothing moved on the link to the server for too long");
  return StatusOfCall(status_, context_);
}

}  // namespace corefleet
