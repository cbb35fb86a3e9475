#ifndef COREFLEET_COLLECTOR_UPLOAD_INGEST_CLIENT_H_
#define COREFLEET_COLLECTOR_UPLOAD_INGEST_CLIENT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "collector/spool/outgoing_crash.h"
#include "core/crash/ids.h"
#include "core/digest/chunk.h"
#include "core/digest/digest.h"
#include "core/manifest/manifest.h"

namespace corefleet {

// Chunks first .. first + count - 1 of a region, named by its index in the manifest.
struct ChunkRange {
  uint32_t region = 0;
  uint64_t first = 0;
  uint64_t count = 0;

  friend bool operator==(const ChunkRange&, const ChunkRange&) = default;
};

// What the server has of a crash.
struct SessionProgress {
  bool complete = false;
  std::string crash;                // the stored crash's id, if complete
  std::vector<ChunkRange> missing;  // what still has to travel
};

struct BegunSession {
  SessionId session;
  SessionProgress progress;
  uint64_t max_inflight_bytes = 0;  // of encoded chunks sent and not acknowledged
};

struct StoredReceipt {
  std::string crash;            // the id
  bool already_stored = false;  // an earlier call had finished it
};

// One stream of chunks under way. One thread at a time. Destroying it cuts the stream.
class ChunkStream {
 public:
  virtual ~ChunkStream() = default;
  // Sends some chunks; may block as long as the server reads no further. False when the stream is broken:
  // Close says why. `flush`: the server is to acknowledge all of them without waiting for more.
  virtual bool Send(const std::vector<OutgoingChunk>& chunks, bool flush) = 0;
  // Blocks until the server acknowledges something and adds it to `durable`. False at the end of the stream.
  virtual bool ReadAck(std::vector<ChunkRange>* durable) = 0;
  // Says that nothing more will be sent; ReadAck then gives what is still acknowledged, up to the end.
  virtual void HalfClose() = 0;
  // Ends the stream and says how it ended. Call it once, as the last.
  virtual absl::Status Close() = 0;
};

// The uploader's only view of a server: the calls of CrashIngest, with its status codes
// (proto/corefleet/v1/ingest.proto). Every call is idempotent. A server that cannot be reached is
// UNAVAILABLE. One thread at a time.
class IngestClient {
 public:
  virtual ~IngestClient() = default;
  virtual absl::StatusOr<BegunSession> Begin(const DeviceId& device, const Manifest& manifest,
                                             const std::string& note) = 0;
  virtual absl::StatusOr<SessionProgress> Progress(const SessionId& session) = 0;
  // Never null.
  virtual std::unique_ptr<ChunkStream> PutChunks(const SessionId& session) = 0;
  virtual absl::StatusOr<StoredReceipt> Finish(const SessionId& session) = 0;
  virtual absl::Status Abandon(const SessionId& session) = 0;
};

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_UPLOAD_INGEST_CLIENT_H_
