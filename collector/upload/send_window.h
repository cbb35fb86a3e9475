#ifndef COREFLEET_COLLECTOR_UPLOAD_SEND_WINDOW_H_
#define COREFLEET_COLLECTOR_UPLOAD_SEND_WINDOW_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "collector/upload/ingest_client.h"

namespace corefleet {

// What was sent and is not yet acknowledged on one stream, how much more may be sent, and how much to put
// into one message.
//
// A message is what the link has carried in a second so far: it begins with a chunk and doubles. What is
// not yet whole is in the memory of both ends, and a server has it for each of its devices.
//
// On a link that never broke, messages are up to 256 KiB and the server is asked to make them durable
// whenever half of what was sent is not, from 128 KiB on and at most each half window, so that it writes
// while we send and a first break costs half of what travelled. On one that broke ("careful"), one chunk is
// in flight to begin with, each message is to be made durable at once, and what is in flight grows with what
// this stream has brought over: what a further break can cost stays a small part of what was gained.
class SendWindow {
 public:
  // `servers_most` is what the server allows, `own_most` what the sender has memory for; bytes.
  SendWindow(uint64_t servers_most, uint64_t own_most, bool careful);

  // Encoded bytes that the next message may have; it always may have one chunk.
  uint64_t message_bytes() const;
  // True when a full message more would leave the window. Whoever finds it full sends nothing but while it is
  // idle: one chunk may always be in flight.
  bool full() const { return inflight_bytes_ + message_bytes() > limit(); }
  bool idle() const { return inflight_.empty(); }
  // True when the next message, if it is like those before, will not take what was sent beyond `allowance`
  // encoded bytes. The first one always fits.
  bool fits(uint64_t allowance) const {
    return sent_bytes_ == 0 || sent_bytes_ + largest_message_ <= allowance;
  }
  // Encoded bytes that were acknowledged since the window was made.
  uint64_t acknowledged_bytes() const { return acknowledged_bytes_; }

  // Notes that `chunks` are about to be sent as one message; true when the message must ask for a flush.
  bool Sending(const std::vector<OutgoingChunk>& chunks);
  // Notes that what was sent so far has left within `taken` since the stream began.
  void Left(absl::Duration taken);
  // Notes acknowledged chunks. Those that are not in flight count for nothing. Returns the raw bytes newly
  // durable.
  uint64_t Acknowledged(const std::vector<ChunkRange>& durable);

 private:
  struct InFlight {
    uint64_t cost;
    uint32_t raw_size;
  };

  uint64_t limit() const;

  uint64_t max_inflight_bytes_;
  bool careful_;
  uint64_t inflight_bytes_ = 0;
  uint64_t sent_bytes_ = 0;
  uint64_t largest_message_ = 0;
  uint64_t second_bytes_ = 0;  // what the link carries in one, as far as that is known
  uint64_t unflushed_bytes_ = 0;
  uint64_t acknowledged_bytes_ = 0;
  absl::flat_hash_map<std::pair<uint32_t, uint64_t>, InFlight> inflight_;
};

// What a chunk counts in the window: its encoded bytes, and never less than 4 KiB, which bounds how many
// there can be.
uint64_t WindowCost(const OutgoingChunk& chunk);

// What a sender that has memory enough keeps in flight.
inline constexpr uint64_t kMaxWindowBytes = 8 << 20;

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_UPLOAD_SEND_WINDOW_H_
