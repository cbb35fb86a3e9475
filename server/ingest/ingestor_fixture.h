#ifndef COREFLEET_SERVER_INGEST_INGESTOR_FIXTURE_H_
#define COREFLEET_SERVER_INGEST_INGESTOR_FIXTURE_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "server/ingest/announced_crash.h"
#include "server/ingest/ingestor.h"
#include "storage/memory/memory_crash_index.h"
#include "storage/memory/memory_pack_store.h"

namespace corefleet {

// Counts what it is told.
class CountingIngestMetrics final : public IngestMetrics {
 public:
  void SessionBegun(BeginOutcome outcome) override { ++begun[static_cast<int>(outcome)]; }
  void ChunkRejected(ChunkReject reason) override { ++rejects[static_cast<int>(reason)]; }
  void PacksWritten(uint64_t count, uint64_t bytes, absl::Duration took) override { packs += count; }
  void CrashReceived() override { ++crashes; }
  int begun[kBeginOutcomes] = {};
  int rejects[kChunkRejects] = {};
  int packs = 0;
  int crashes = 0;
};

// What the tests of the ingestor and of its writers share: an index and a store in memory, and one crash.
class IngestorTest : public testing::Test {
 protected:
  std::string Begin() { return Begin(crash_); }
  std::string Begin(const AnnouncedCrash& crash) {
    const auto begun =
        ingestor_.Begin(DeviceCaller::Anyone(), {.device = "pixel-7", .manifest = crash.manifest});
    EXPECT_TRUE(begun.ok()) << begun.status();
    return begun.ok() ? begun->session.value() : "";
  }
  std::unique_ptr<SessionWriter> Open(const std::string& session) {
    auto writer = ingestor_.OpenWriter(DeviceCaller::Anyone(), session);
    EXPECT_TRUE(writer.ok()) << writer.status();
    return writer.ok() ? *std::move(writer) : nullptr;
  }
  // Sends what `missing` says, and makes it durable.
  absl::Status Send(const std::string& session, const AnnouncedCrash& crash,
                    const std::vector<ChunkRange>& missing) {
    auto writer = Open(session);
    for (const ChunkRange& range : missing) {
      for (uint64_t i = 0; i < range.count; ++i) {
        const OwnedChunk owned(crash, range.region, range.first + i);
        if (absl::Status status = writer->Add(owned.view()); !status.ok()) return status;
      }
    }
    return writer->Flush();
  }
  absl::Status Send(const std::string& session, const AnnouncedCrash& crash) {
    auto writer = Open(session);
    for (uint32_t region = 0; region < crash.regions().size(); ++region) {
      for (uint64_t chunk = 0; chunk < ChunkCount(crash.regions()[region].size()); ++chunk) {
        const OwnedChunk owned(crash, region, chunk);
        if (absl::Status status = writer->Add(owned.view()); !status.ok()) return status;
      }
    }
    return writer->Flush();
  }

  MemoryCrashIndex index_;
  MemoryPackStore store_;
  FakeClock clock_{absl::FromUnixSeconds(1'800'000'000)};
  CountingIngestMetrics metrics_;
  int received_ = 0;
  IngestLimits limits_;
  Admission admission_{AdmissionLimits(), &clock_, 1};
  std::unique_ptr<RefusalAccount> refusals_ = std::make_unique<RefusalAccount>(&index_, absl::Hours(1));
  Ingestor ingestor_{{.index = &index_,
                      .store = &store_,
                      .clock = &clock_,
                      .metrics = &metrics_,
                      .crash_received = [this] { ++received_; },
                      .admission = &admission_,
                      .refusals = refusals_.get()},
                     limits_};
  // Three chunks, one chunk, none.
  AnnouncedCrash crash_{{AnnouncedCrash::Noise(150'000, 1), "hello", ""}};
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_INGEST_INGESTOR_FIXTURE_H_
