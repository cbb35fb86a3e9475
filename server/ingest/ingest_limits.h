#ifndef COREFLEET_SERVER_INGEST_INGEST_LIMITS_H_
#define COREFLEET_SERVER_INGEST_INGEST_LIMITS_H_

#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"

namespace corefleet {

// What one device, and all of them together, may cost the server.
struct IngestLimits {
  // An open session may be forgotten this long after the last BeginCrash.
  absl::Duration session_ttl = absl::Hours(7 * 24);
  // A stream makes durable what it holds as soon as it holds this many bytes. One sync and one transaction
  // each, so that an ordinary crash costs one.
  uint64_t flush_bytes = 2 << 20;
  // What all streams together may hold in memory of verified and not yet durable chunks. The less of it is
  // left, the earlier each sets its own aside, so that many slow devices cost smaller packs and not memory,
  // and a fast one among them gets packs as large as theirs.
  uint64_t held_bytes = 8 << 20;
  // What a device may have on the way, unacknowledged. At least twice flush_bytes, or link and disk take
  // turns.
  uint32_t inflight_bytes = 4 << 20;
  // Payload bytes of one PutChunks message.
  uint64_t message_bytes = 2 << 20;
  // A stream that brings no chunk for this long ends, whatever else it says: between once and one and a half
  // times this. A device that lost its network says nothing more, and would else keep its place until its
  // connection is too old.
  absl::Duration stall = absl::Seconds(60);
  size_t note_bytes = 1024;
  // All regions of a crash. Bounds what a stream must remember about a session: about 60 bytes a chunk.
  uint64_t crash_bytes = uint64_t{16} << 30;
  // No new session is opened while the store can take fewer bytes than this.
  uint64_t min_free_bytes = 64 << 20;
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_INGEST_INGEST_LIMITS_H_
