#ifndef COREFLEET_TESTS_BENCH_LOAD_CHUNK_SENDER_H_
#define COREFLEET_TESTS_BENCH_LOAD_CHUNK_SENDER_H_

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/sync_stream.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "base/clock.h"
#include "corefleet/v1/ingest.pb.h"
#include "tests/bench/load/crash_body.h"

namespace corefleet {

// How a device sends.
struct SendingHabits {
  uint64_t bytes_per_second = 0;  // what its link carries; 0: as fast as it goes
  uint64_t cut_after_bytes = 0;   // it breaks its own stream after about so many bytes; 0: never
  absl::Duration stall_timeout = absl::Minutes(3);  // of one stream, from its start
  bool finish_in_stream = true;
};

// Which chunks of a crash have travelled, over all of its streams. One thread at a time.
class ChunkProgress {
 public:
  explicit ChunkProgress(const StampedCrash& crash);

  // Takes over what the server says is missing; everything else is durable.
  void SetMissing(const google::protobuf::RepeatedPtrField<v1::ChunkRange>& missing);
  // Notes acknowledged chunks; returns the bytes on the wire that they had.
  uint64_t Acknowledge(const v1::ChunkRange& range);
  bool all_durable() const { return durable_ == state_.size(); }

  // Bytes of chunk fields sent, repeated ones every time.
  uint64_t sent_bytes = 0;

 private:
  friend class ChunkSender;
  enum State : uint8_t { kMissing, kSent, kDurable };
  size_t IndexOf(uint32_t region, uint64_t chunk) const;
  uint64_t SizeOf(size_t index) const;

  const StampedCrash& crash_;
  std::vector<State> state_;  // of the body's fields, and of the stamp as the last
  size_t durable_ = 0;
};

// One PutChunks stream of one crash. The messages are made of slices of the body's memory: nothing is copied
// or serialised while the clock runs, so that a generator on the server's own cores costs it little. One
// thread.
class ChunkSender {
 public:
  using OnAck = std::function<void(const v1::ChunkRange&)>;

  // All must outlive it. `on_ack` may be empty.
  ChunkSender(grpc::Channel* channel, const StampedCrash& crash, const std::string& session,
              uint64_t max_inflight_bytes, const SendingHabits& habits, bool careful, Clock* clock,
              OnAck on_ack);

  // Sends what is missing, waits for the acknowledgements, ends the stream. Sets `finished` when the server
  // finished the crash in the stream.
  grpc::Status Send(ChunkProgress* progress, v1::FinishCrashResponse* finished);

 private:
  using Stream = grpc::ClientReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>;

  bool SendAll();
  // Sends some chunks from `next_` on. False when the stream broke.
  bool SendMessage();
  // Adds slices of the body until the message is full; returns their bytes.
  uint64_t Gather(std::vector<grpc::Slice>* slices);
  bool ReadAnswer();
  bool MustWait() const;
  uint64_t message_bytes() const;
  void KeepRate(uint64_t bytes);
  bool Cut();

  const StampedCrash& crash_;
  const std::string session_;
  const uint64_t window_bytes_;
  const SendingHabits habits_;
  const bool careful_;
  Clock* const clock_;
  const OnAck on_ack_;
  const std::unique_ptr<grpc::ClientContext> context_;
  const std::unique_ptr<Stream> stream_;
  ChunkProgress* progress_ = nullptr;
  v1::FinishCrashResponse* finished_ = nullptr;
  size_t next_ = 0;
  bool named_session_ = false;
  uint64_t inflight_bytes_ = 0;
  uint64_t unflushed_bytes_ = 0;
  uint64_t acknowledged_bytes_ = 0;
  uint64_t stream_bytes_ = 0;
  uint64_t second_bytes_ = 0;  // what the link carries in one, as far as that is known
  absl::Time began_;
};

}  // namespace corefleet

#endif  // COREFLEET_TESTS_BENCH_LOAD_CHUNK_SENDER_H_
