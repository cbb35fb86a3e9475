#ifndef COREFLEET_SERVER_INGEST_SESSION_WRITER_H_
#define COREFLEET_SERVER_INGEST_SESSION_WRITER_H_

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "core/bytes/byte_view.h"
#include "server/admission/bytes_in_flight.h"
#include "server/ingest/byte_budget.h"
#include "server/ingest/chunk_ledger.h"
#include "server/ingest/ingest_limits.h"
#include "server/ingest/ingest_metrics.h"
#include "storage/crash_index.h"
#include "storage/pack.h"
#include "storage/pack_store.h"

namespace corefleet {

// One chunk as a device sent it. Nothing in it is checked yet.
struct ReceivedChunk {
  uint32_t region = 0;
  uint64_t chunk = 0;
  int encoding = 0;  // ChunkEncoding's number
  uint32_t raw_size = 0;
  uint32_t crc32c = 0;
  ByteView sha256;      // the caller's
  std::string payload;  // owned, so that it can wait for its pack where it lies
};

// Takes the chunks of one stream: verifies them, gathers them into packs, makes the packs durable.
//
//   Add(chunk) ...; while full(): MakeRoom();  when the device waits: Flush();  TakeAcks() -> send
//
// What is verified is held until it is durable: in memory, or set aside, which is written as a pack that
// nothing has synced and no row names. Setting aside costs a write, making durable a sync and a transaction;
// so a crowd of slow streams, for all of whose packs there is no memory, costs the server many writes and few
// syncs.
//
// After an error of Add what was verified before is still held: Flush it, and nothing of the device's work is
// lost. After an error of Flush or MakeRoom what was in memory is gone and not acknowledged; what was set
// aside may still be held when the store took no more, so Flush once more: what that does not acknowledge the
// device sends again. Blocks in OpenWriter, Add (inflates, hashes), MakeRoom (write, and as Flush) and Flush
// (sync, database). One owner at a time.
class SessionWriter {
 public:
  struct Dependencies {
    CrashIndex* index;
    PackStore* store;
    const Clock* clock;
    IngestMetrics* metrics;
    ByteBudget* budget;
    BytesInFlight* in_flight = nullptr;  // hears what became durable; may be nobody
  };

  // `packs` are what the session has already.
  SessionWriter(const Dependencies& deps, const IngestLimits& limits, Session session,
                const std::vector<StoredPack>& packs);
  // Forgets what is not flushed.
  ~SessionWriter();
  SessionWriter(const SessionWriter&) = delete;
  SessionWriter& operator=(const SessionWriter&) = delete;

  // Checks a chunk and holds it, or acknowledges it if it is durable already.
  //   INVALID_ARGUMENT  no such region or chunk, a wrong size, an unknown encoding: never accepted
  //   DATA_LOSS         the checksum, the frame or the digest is wrong: send it again
  //   ABORTED           the session has this chunk with another digest
  absl::Status Add(ReceivedChunk chunk);

  const SessionId& session() const { return session_.id; }
  const DeviceId& device() const { return session_.device; }

  // True when MakeRoom should be called once all is added that is in memory anyway.
  bool full() const;
  // True when no more may be held: a pack is as large as packs are, whatever others hold.
  bool overfull() const;
  // As they will be stored, in memory and set aside. 0 when nothing is held.
  uint64_t held_bytes() const { return memory_bytes_ + aside_bytes_; }

  // Gives back the memory of what is held: makes durable what is a pack as large as packs are, or what was
  // set aside long ago, and sets the rest aside. Codes: Flush's.
  absl::Status MakeRoom();

  // Makes durable what is held. Nothing is acknowledged unless it returns OK.
  //   UNAVAILABLE, UNKNOWN  the store or the database does not answer
  //   RESOURCE_EXHAUSTED    the store is full
  //   NOT_FOUND             the session was abandoned meanwhile
  //   ABORTED               the session was finished meanwhile, by another stream's work
  absl::Status Flush();

  // Flush, and in the same step the session becomes the crash `fresh`, when what is held is all that lacked
  // and the session was never a crash: packs are recorded and the crash made in one transaction. False, and
  // all is as after Flush: it was not so, or somebody else has changed the session, and Ingestor::Finish has
  // to look at it. Codes: Flush's.
  absl::StatusOr<bool> FlushAndFinish(const CrashId& fresh);

  // As it was when the writer was opened.
  const Session& opened() const { return session_; }

  // What became durable since the last call.
  std::vector<ChunkRange> TakeAcks() { return std::exchange(acks_, {}); }

 private:
  // A pack that is written and not yet durable.
  struct Aside {
    std::unique_ptr<WrittenPack> written;
    std::vector<PackEntry> entries;
  };
  using Record = absl::FunctionRef<absl::Status(absl::Span<const StoredPack>)>;

  // Bytes at which what is held is a pack.
  uint64_t pack_bytes() const;
  bool aside_for_long() const;
  absl::Status CheckBounds(const ReceivedChunk& chunk) const;
  absl::Status CheckEncoding(const ReceivedChunk& chunk) const;
  absl::Status Reject(ChunkReject reason, absl::Status status);
  void Hold(const PackEntry& entry, std::string stored);
  // Whether what is durable and held makes the crash that was announced, as far as it is wanted.
  bool Whole() const;
  CrashBytes BytesWith(absl::Span<const StoredPack> last) const;
  absl::Status SetAside();
  // Makes durable what is set aside, lets `record` write it down, and acknowledges it.
  absl::Status FlushWith(Record record);
  absl::Status Store(Record record, absl::Time start);
  absl::Status AddPacks(absl::Span<const StoredPack> packs);
  void Forget(const std::vector<PackEntry>& entries);
  void GiveBack();

  const Dependencies deps_;
  const IngestLimits limits_;
  const Session session_;
  ChunkLedger ledger_;         // durable, and held
  uint64_t pack_changes_;      // of the session, if nobody else is at work on it
  uint64_t stored_bytes_ = 0;  // of its packs
  uint64_t lacking_ = 0;  // raw bytes that are wanted and neither durable nor held; a little more or less
                          // when the device brings what is not wanted
  PackBuilder builder_;   // in memory
  uint64_t memory_bytes_ = 0;
  std::vector<Aside> aside_;
  uint64_t aside_bytes_ = 0;
  absl::Time aside_since_;
  std::vector<std::pair<uint32_t, uint64_t>>
      held_;  // region and chunk of what is set aside, then of builder_
  std::vector<ChunkRange> acks_;
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_INGEST_SESSION_WRITER_H_
