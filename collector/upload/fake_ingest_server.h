#ifndef COREFLEET_COLLECTOR_UPLOAD_FAKE_INGEST_SERVER_H_
#define COREFLEET_COLLECTOR_UPLOAD_FAKE_INGEST_SERVER_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "collector/upload/ingest_client.h"

namespace corefleet {

// A server for tests, in memory, that keeps CrashIngest's contract and breaks when told to. Serves one crash.
// Chunks become durable on a flush and on half-close; what a cut stream brought and did not flush is
// forgotten, as after kill -9. One thread at a time.
class FakeIngestServer final : public IngestClient {
 public:
  absl::StatusOr<BegunSession> Begin(const Introduction& crash) override;
  absl::StatusOr<SessionProgress> Progress(const SessionId& session) override;
  std::unique_ptr<ChunkStream> PutChunks(const SessionId& session) override;
  absl::StatusOr<StoredReceipt> Finish(const SessionId& session) override;
  absl::Status Abandon(const SessionId& session) override;
  void Reconnect() override { ++reconnects; }

  // Answers to give instead of the real ones, first one first; OK entries let a call through.
  std::deque<absl::Status> begin_faults, progress_faults, finish_faults;
  // The finish happens, and its answer is lost: as many times.
  int lost_finish_answers = 0;
  // Each stream breaks with its status after it took that many chunks; further streams are whole.
  struct StreamFault {
    int chunks;
    absl::Status status;
  };
  std::deque<StreamFault> stream_faults;
  // A break every so many chunks, for ever. 0: none.
  int cut_every = 0;
  uint64_t max_inflight_bytes = 8 << 20;
  // Whether it finishes a crash in PutChunks when it is asked to; servers before that did not.
  bool finishes_in_stream = true;
  // What it asks for. With kLogOnly: the last region alone.
  Want want = Want::kAll;
  absl::Duration ask_again = absl::ZeroDuration();

  // What happened.
  std::map<std::pair<uint32_t, uint64_t>, std::vector<uint8_t>> durable;  // decoded and verified
  Manifest manifest;
  bool crash_stored = false;
  int begins = 0;
  int chunks_received = 0;
  int messages_received = 0;
  int finishes = 0;  // calls of Finish
  bool abandoned = false;
  int reconnects = 0;
  std::string note;
  CrashClues clues;
  DeviceAccount account;

  // All bytes of a region, as they became durable.
  std::string RegionBytes(uint32_t region) const;

 private:
  friend class FakeChunkStream;
  std::vector<ChunkRange> Missing() const;

  bool session_open_ = false;
};

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_UPLOAD_FAKE_INGEST_SERVER_H_
