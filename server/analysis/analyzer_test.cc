#include "server/analysis/analyzer.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>

#include "absl/synchronization/notification.h"
#include "server/ingest/announced_crash.h"
#include "server/ingest/ingestor.h"
#include "storage/memory/memory_crash_index.h"
#include "storage/memory/memory_pack_store.h"

namespace corefleet {
namespace {

class CountingMetrics final : public AnalysisMetrics {
 public:
  void Analyzed(AnalysisOutcome outcome, absl::Duration took) override {
    ++outcomes[static_cast<int>(outcome)];
  }
  void Searchable(absl::Duration after) override { last_after_seconds = absl::ToInt64Seconds(after); }
  std::atomic<int> outcomes[kAnalysisOutcomes] = {};
  std::atomic<int64_t> last_after_seconds = 0;
};

class CrashReaderTest : public testing::Test {
 protected:
  CrashId Receive() {
    const AnnouncedCrash crash({AnnouncedCrash::Noise(100'000, ++seed_)});
    const std::string session =
        ingestor_.Begin(DeviceCaller::Anyone(), {.device = "d", .manifest = crash.manifest})->session.value();
    auto writer = *ingestor_.OpenWriter(DeviceCaller::Anyone(), session);
    for (uint64_t chunk : {0, 1}) EXPECT_TRUE(writer->Add(OwnedChunk(crash, 0, chunk).view()).ok());
    EXPECT_TRUE(writer->Flush().ok());
    return ingestor_.Finish(DeviceCaller::Anyone(), session)->crash;
  }
  CrashReader MakeReader(std::function<Analysis(const CoreImage&, const RegionSet&)> analyze) {
    return CrashReader({.index = &index_,
                        .store = &store_,
                        .clock = &clock_,
                        .metrics = &metrics_,
                        .analyze = std::move(analyze)},
                       options_);
  }
  // Reads the whole crash, and finds that its state is PARTIAL.
  static Analysis Partial(const CoreImage& image, const RegionSet& set) {
    Analysis analysis;
    analysis.facts.state = CrashState::kPartial;
    for (uint32_t i = 0; i < set.regions.size(); ++i) {
      analysis.facts.regions.push_back({.index = i});
      (void)Sha256Of(*set.regions[i].bytes);
    }
    return analysis;
  }
  void ExpireLeases() { clock_.Advance(options_.lease + absl::Seconds(1)); }
  int Count(AnalysisOutcome outcome) const { return metrics_.outcomes[static_cast<int>(outcome)]; }

  MemoryCrashIndex index_;
  MemoryPackStore store_;
  FakeClock clock_{absl::FromUnixSeconds(1'800'000'000)};
  CountingMetrics metrics_;
  IngestMetrics ingest_metrics_;
  CrashReader::Options options_;
  Ingestor ingestor_{{.index = &index_, .store = &store_, .clock = &clock_, .metrics = &ingest_metrics_},
                     IngestLimits()};
  uint32_t seed_ = 0;
};

TEST_F(CrashReaderTest, StoresFactsWithTheDigestsOfRegions) {
  CrashReader reader = MakeReader(Partial);
  EXPECT_FALSE(*reader.ReadOne()) << "nothing waits";
  const CrashId id = Receive();
  clock_.Advance(absl::Seconds(3));
  EXPECT_TRUE(*reader.ReadOne());
  EXPECT_FALSE(*reader.ReadOne());
  const StoredCrash crash = *index_.GetCrash(id);
  EXPECT_EQ(crash.state, CrashState::kPartial);
  EXPECT_EQ(crash.facts->regions.at(0).sha256, HexOf(Sha256Of(BytesOf(AnnouncedCrash::Noise(100'000, 1)))));
  EXPECT_EQ(metrics_.last_after_seconds, 3);
}

TEST_F(CrashReaderTest, AStoreThatIsAwayIsNotAMissingRegion) {
  CrashReader reader = MakeReader(Partial);
  const CrashId id = Receive();
  store_.SetReadStatus(absl::UnavailableError("away"));
  for (int i = 0; i < 2 * options_.max_attempts; ++i) {
    EXPECT_TRUE(*reader.ReadOne());
    EXPECT_FALSE(*reader.ReadOne()) << "leased";
    ExpireLeases();
  }
  EXPECT_EQ(index_.GetCrash(id)->state, CrashState::kReceived);
  EXPECT_EQ(Count(AnalysisOutcome::kRetry), 10);
  store_.SetReadStatus(absl::OkStatus());
  // Its attempts are used up, and the outage was not its fault: but nobody can know that it would not kill
  // the server.
  EXPECT_TRUE(*reader.ReadOne());
  EXPECT_NE(index_.GetCrash(id)->state, CrashState::kReceived);
}

TEST_F(CrashReaderTest, DamagedBytesAreGivenUpWithTheReason) {
  CrashReader reader = MakeReader(Partial);
  const CrashId id = Receive();
  const StoredPack pack = index_.Contents(id)->packs.at(0);
  store_.Damage(pack.ref, pack.ref.size - 1);
  for (int i = 0; i <= options_.max_attempts; ++i) {
    EXPECT_EQ(index_.GetCrash(id)->state, CrashState::kReceived);
    EXPECT_TRUE(*reader.ReadOne());
    ExpireLeases();
  }
  const StoredCrash crash = *index_.GetCrash(id);
  EXPECT_EQ(crash.state, CrashState::kUnreadable);
  ASSERT_EQ(crash.facts->defects.size(), 1u);
  EXPECT_EQ(crash.facts->defects[0].code, DefectCode::kStoredBytesDamaged);
  EXPECT_NE(crash.facts->defects[0].region, "");
  EXPECT_NE(crash.facts->defects[0].detail, "");
  EXPECT_EQ(Count(AnalysisOutcome::kGivenUp), 1);
  EXPECT_FALSE(*reader.ReadOne()) << "no longer waiting";
}

TEST_F(CrashReaderTest, AParserBugCostsNoOtherCrashAndNotTheServer) {
  int calls = 0;
  CrashReader reader = MakeReader([&](const CoreImage&, const RegionSet&) -> Analysis {
    ++calls;
    throw std::out_of_range("bug");
  });
  const CrashId id = Receive();
  for (int i = 0; i <= options_.max_attempts; ++i) {
    EXPECT_TRUE(*reader.ReadOne());
    ExpireLeases();
  }
  EXPECT_EQ(calls, options_.max_attempts) << "the last time it is not run again";
  const StoredCrash crash = *index_.GetCrash(id);
  EXPECT_EQ(crash.state, CrashState::kUnreadable);
  ASSERT_EQ(crash.facts->defects.size(), 1u);
  EXPECT_EQ(crash.facts->defects[0].code, DefectCode::kAnalysisFailed);
}

TEST_F(CrashReaderTest, AnIndexThatIsAwayIsSaid) {
  CrashReader reader = MakeReader(Partial);
  index_.SetStatus(absl::UnavailableError("down"));
  EXPECT_TRUE(absl::IsUnavailable(reader.ReadOne().status()));
}

TEST_F(CrashReaderTest, TheAnalyzerFindsWhatWaitsAndIsWoken) {
  std::atomic<int> read = 0;
  absl::Notification first, second;
  CrashReader reader = MakeReader([&](const CoreImage& image, const RegionSet& set) {
    (++read == 1 ? first : second).Notify();
    return Partial(image, set);
  });
  Receive();  // before it starts
  // A poll that never comes: only Wake can bring the second one.
  Analyzer analyzer(&reader, 2, absl::Hours(1));
  EXPECT_TRUE(first.WaitForNotificationWithTimeout(absl::Seconds(30)));
  Receive();
  analyzer.Wake();
  EXPECT_TRUE(second.WaitForNotificationWithTimeout(absl::Seconds(30)));
}

}  // namespace
}  // namespace corefleet
