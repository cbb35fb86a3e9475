#ifndef COREFLEET_SERVER_INGEST_INGEST_METRICS_H_
#define COREFLEET_SERVER_INGEST_INGEST_METRICS_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace corefleet {

// How a BeginCrash ended. The words are metric labels.
enum class BeginOutcome { kNew, kResuming, kComplete, kRefused, kFailed };
inline constexpr int kBeginOutcomes = 5;
inline absl::string_view BeginOutcomeName(BeginOutcome outcome) {
  switch (outcome) {
    case BeginOutcome::kNew:
      return "new";
    case BeginOutcome::kResuming:
      return "resuming";
    case BeginOutcome::kComplete:
      return "complete";
    case BeginOutcome::kRefused:
      return "refused";
    case BeginOutcome::kFailed:
      return "failed";
  }
  return "failed";
}

// Why a chunk was not taken. The words are metric labels.
enum class ChunkReject { kBounds, kEncoding, kCrc, kContent, kConflict };
inline constexpr int kChunkRejects = 5;
inline absl::string_view ChunkRejectName(ChunkReject reason) {
  switch (reason) {
    case ChunkReject::kBounds:
      return "bounds";
    case ChunkReject::kEncoding:
      return "encoding";
    case ChunkReject::kCrc:
      return "crc";
    case ChunkReject::kContent:
      return "content";
    case ChunkReject::kConflict:
      return "conflict";
  }
  return "bounds";
}

// What ingest has to say to whoever counts. Does nothing by itself. Called from several threads at once.
class IngestMetrics {
 public:
  virtual ~IngestMetrics() = default;
  virtual void SessionBegun(BeginOutcome outcome) {}
  // A verified chunk, with its bytes as they travelled.
  virtual void ChunkReceived(uint64_t bytes) {}
  virtual void ChunkRejected(ChunkReject reason) {}
  // Packs of one stream that became durable and were recorded together, of `bytes` in all. `took` covers the
  // store and the index, and not what was written before, when they were set aside.
  virtual void PacksWritten(uint64_t packs, uint64_t bytes, absl::Duration took) {}
  virtual void CrashReceived() {}
  // Open sessions that were forgotten because nobody came back to them.
  virtual void SessionsExpired(int64_t count) {}
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_INGEST_INGEST_METRICS_H_
