#ifndef COREFLEET_COLLECTOR_UPLOAD_INGEST_CLIENT_H_
#define COREFLEET_COLLECTOR_UPLOAD_INGEST_CLIENT_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
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

// What became of crashes on this device before they could be announced (proto DeviceAccount).
struct DeviceAccount {
  std::string epoch;  // another one each time that the counts start again at 0; "" when nothing is accounted
  std::vector<std::pair<std::string, uint64_t>> lost;  // by reason
  uint64_t spooled = 0;                                // crashes that wait now
};

// What BeginCrash says of a crash. Refers to its parts; they must outlive the call.
struct Introduction {
  const DeviceId& device;
  const Manifest& manifest;
  const std::string& note;
  const CrashClues& clues;
  const DeviceAccount& account;
};

// How much of a crash the server asks for.
enum class Want {
  kAll,
  kNone,     // it is there
  kLogOnly,  // what the kernel log and the build can be read from
};

struct BegunSession {
  SessionId session;
  SessionProgress progress;
  uint64_t max_inflight_bytes = 0;  // of encoded chunks sent and not acknowledged
  Want want = Want::kAll;
  std::string rule;     // the operator's rule that decided, escaped, at most 128 bytes; may be empty
  uint32_t weight = 1;  // the crash stands for so many like it
  // With kLogOnly: begin again after so long, 0 to kMaxAskAgain. Zero: the rest is not wanted.
  absl::Duration ask_again = absl::ZeroDuration();
};

// What is asked for later than this is not asked for.
inline constexpr absl::Duration kMaxAskAgain = absl::Hours(24 * 30);

struct StoredReceipt {
  std::string crash;            // the id
  bool already_stored = false;  // an earlier call had finished it
};

// What a message asks of the server beyond taking its chunks.
enum class Ask {
  kNothing,
  kFlush,   // make durable and acknowledge all of them without waiting for more
  kFinish,  // the same, and then finish the crash: nothing more will come
};

// One stream of chunks under way. One thread at a time. Destroying it cuts the stream.
class ChunkStream {
 public:
  virtual ~ChunkStream() = default;
  // Sends some chunks; may block as long as the server reads no further. False when the stream is broken:
  // Close says why.
  virtual bool Send(const std::vector<OutgoingChunk>& chunks, Ask ask) = 0;
  // Blocks until the server acknowledges something and adds it to `durable`. False at the end of the stream.
  virtual bool ReadAck(std::vector<ChunkRange>* durable) = 0;
  // Says that nothing more will be sent; ReadAck then gives what is still acknowledged, up to the end.
  virtual void HalfClose() = 0;
  // Ends the stream and says how it ended. Call it once, as the last.
  virtual absl::Status Close() = 0;
  // The crash, if Ask::kFinish was asked for and done. Once ReadAck has come to the end.
  virtual std::optional<StoredReceipt> finished() const = 0;
};

// The uploader's only view of a server: the calls of CrashIngest, with its status codes
// (proto/corefleet/v1/ingest.proto), which may carry a Refusal. Every call is idempotent. A server that
// cannot be reached is UNAVAILABLE. One thread at a time, but for Cancel.
class IngestClient {
 public:
  virtual ~IngestClient() = default;
  virtual absl::StatusOr<BegunSession> Begin(const Introduction& crash) = 0;
  virtual absl::StatusOr<SessionProgress> Progress(const SessionId& session) = 0;
  // Never null.
  virtual std::unique_ptr<ChunkStream> PutChunks(const SessionId& session) = 0;
  virtual absl::StatusOr<StoredReceipt> Finish(const SessionId& session) = 0;
  // The next call makes a connection of its own, as after a break. Only between streams.
  virtual void Reconnect() = 0;
  virtual absl::Status Abandon(const SessionId& session) = 0;
  // Ends the call under way, and each that follows, with CANCELLED. Thread-safe.
  virtual void Cancel() {}
};

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_UPLOAD_INGEST_CLIENT_H_
