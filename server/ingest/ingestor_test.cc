#include "server/ingest/ingestor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zstd.h>

#include "server/ingest/announced_crash.h"
#include "storage/memory/memory_crash_index.h"
#include "storage/memory/memory_pack_store.h"

namespace corefleet {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const DeviceCaller kAnyone = DeviceCaller::Anyone();

class CountingMetrics final : public IngestMetrics {
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

class IngestorTest : public testing::Test {
 protected:
  std::string Begin() { return Begin(crash_); }
  std::string Begin(const AnnouncedCrash& crash) {
    const auto begun = ingestor_.Begin(kAnyone, {.device = "pixel-7", .manifest = crash.manifest});
    EXPECT_TRUE(begun.ok()) << begun.status();
    return begun.ok() ? begun->session.value() : "";
  }
  std::unique_ptr<SessionWriter> Open(const std::string& session) {
    auto writer = ingestor_.OpenWriter(kAnyone, session);
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
  CountingMetrics metrics_;
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

TEST_F(IngestorTest, TakesACrashFromBeginToFinish) {
  const auto begun =
      ingestor_.Begin(kAnyone, {.device = "pixel-7", .manifest = crash_.manifest, .note = "lab 3"});
  ASSERT_TRUE(begun.ok()) << begun.status();
  EXPECT_TRUE(begun->created);
  EXPECT_THAT(begun->missing, ElementsAre(ChunkRange{0, 0, 3}, ChunkRange{1, 0, 1}));
  EXPECT_EQ(begun->expires_at, clock_.Now() + limits_.session_ttl);
  const std::string session = begun->session.value();

  ASSERT_TRUE(Send(session, crash_).ok());
  const auto finished = ingestor_.Finish(kAnyone, session);
  ASSERT_TRUE(finished.ok()) << finished.status();
  EXPECT_FALSE(finished->already_stored);
  EXPECT_EQ(received_, 1);
  EXPECT_EQ(metrics_.crashes, 1);
  EXPECT_EQ(metrics_.packs, 1);

  const auto stored = index_.GetCrash(finished->crash);
  ASSERT_TRUE(stored.ok());
  EXPECT_EQ(stored->raw_bytes, 150'005u);
  EXPECT_EQ(stored->note, "lab 3");
}

TEST_F(IngestorTest, TheLastChunksAndTheCrashAreOneStep) {
  const std::string session = Begin();
  auto writer = Open(session);
  ASSERT_TRUE(writer->Add(OwnedChunk(crash_, 0, 0).view()).ok());
  ASSERT_TRUE(writer->Flush().ok());
  for (const auto& [region, chunk] : {std::pair(0, 1), std::pair(0, 2), std::pair(1, 0)}) {
    ASSERT_TRUE(writer->Add(OwnedChunk(crash_, region, chunk).view()).ok());
  }
  const auto finished = ingestor_.FlushAndFinish(writer.get());
  ASSERT_TRUE(finished.ok()) << finished.status();
  ASSERT_TRUE(finished->has_value());
  EXPECT_FALSE((*finished)->already_stored);
  EXPECT_THAT(writer->TakeAcks(), ElementsAre(ChunkRange{0, 0, 3}, ChunkRange{1, 0, 1}));
  EXPECT_EQ(received_, 1);
  EXPECT_EQ(metrics_.crashes, 1);
  EXPECT_EQ(metrics_.packs, 2);
  EXPECT_EQ(admission_.in_flight()->remaining(), 0u);
  const StoredCrash stored = *index_.GetCrash((*finished)->crash);
  EXPECT_EQ(stored.raw_bytes, 150'005u);
  EXPECT_EQ(stored.here_bytes, 150'005u);
  uint64_t bytes = 0;
  const CrashContents contents = *index_.Contents(stored.id);
  for (const StoredPack& pack : contents.packs) bytes += pack.ref.size;
  EXPECT_EQ(stored.stored_bytes, bytes);
  const auto again = ingestor_.Finish(kAnyone, session);
  EXPECT_EQ(again->crash, stored.id);
  EXPECT_TRUE(again->already_stored);
}

TEST_F(IngestorTest, TheRestOfACrashWaitsForItsEnd) {
  IngestLimits small;
  small.flush_bytes = 130'000;
  Ingestor ingestor({.index = &index_, .store = &store_, .clock = &clock_, .metrics = &metrics_}, small);
  const auto holds = [&](const AnnouncedCrash& crash, uint64_t chunks) {
    const auto begun = ingestor.Begin(kAnyone, {.device = "a", .manifest = crash.manifest});
    auto writer = *ingestor.OpenWriter(kAnyone, begun->session.value());
    for (uint64_t i = 0; i < chunks; ++i) EXPECT_TRUE(writer->Add(OwnedChunk(crash, 0, i).view()).ok());
    return !writer->full();
  };
  // Two chunks of 64 KiB are a pack, unless no more than a quarter of one is to come.
  EXPECT_TRUE(holds(AnnouncedCrash({AnnouncedCrash::Noise(131'072, 2)}), 2));
  EXPECT_TRUE(holds(AnnouncedCrash({AnnouncedCrash::Noise(131'072 + 30'000, 3)}), 2));
  EXPECT_TRUE(holds(AnnouncedCrash({AnnouncedCrash::Noise(131'072 + 30'000, 4)}), 3));
  EXPECT_FALSE(holds(AnnouncedCrash({AnnouncedCrash::Noise(131'072 + 40'000, 5)}), 2));
  EXPECT_FALSE(holds(AnnouncedCrash({AnnouncedCrash::Noise(131'072 + 40'000, 5)}), 3));
}

TEST_F(IngestorTest, WhatIsNotWholeIsOnlyMadeDurable) {
  auto writer = Open(Begin());
  ASSERT_TRUE(writer->Add(OwnedChunk(crash_, 0, 0).view()).ok());
  const auto part = ingestor_.FlushAndFinish(writer.get());
  ASSERT_TRUE(part.ok()) << part.status();
  EXPECT_FALSE(part->has_value());
  EXPECT_THAT(writer->TakeAcks(), ElementsAre(ChunkRange{0, 0, 1}));

  AnnouncedCrash liar({"one", "two"});
  liar.manifest.regions[1].root[0] ^= 1;
  const std::string session = Begin(liar);
  auto lying = Open(session);
  for (const uint32_t region : {0, 1}) {
    ASSERT_TRUE(lying->Add(OwnedChunk(liar, region, 0).view()).ok());
  }
  const auto finished = ingestor_.FlushAndFinish(lying.get());
  ASSERT_TRUE(finished.ok()) << finished.status();
  EXPECT_FALSE(finished->has_value());
  EXPECT_TRUE(absl::IsDataLoss(ingestor_.Finish(kAnyone, session).status()));
  EXPECT_EQ(received_, 0);
}

TEST_F(IngestorTest, TwoStreamsOfOneCrashFinishItOnce) {
  const std::string session = Begin();
  auto first = Open(session);
  auto second = Open(session);
  for (const auto& [region, chunk] : {std::pair(0, 0), std::pair(0, 1), std::pair(0, 2), std::pair(1, 0)}) {
    ASSERT_TRUE(first->Add(OwnedChunk(crash_, region, chunk).view()).ok());
    ASSERT_TRUE(second->Add(OwnedChunk(crash_, region, chunk).view()).ok());
    // What the other one makes durable meanwhile is no part of what this one knows.
    if (chunk == 1) {
      ASSERT_TRUE(second->Flush().ok());
    }
  }
  const auto unsure = ingestor_.FlushAndFinish(first.get());
  ASSERT_TRUE(unsure.ok()) << unsure.status();
  EXPECT_FALSE(unsure->has_value());
  EXPECT_EQ(first->TakeAcks().size(), 2u) << "it is durable all the same";
  const auto crash = ingestor_.Finish(kAnyone, session);
  ASSERT_TRUE(crash.ok()) << crash.status();
  EXPECT_TRUE(absl::IsAborted(ingestor_.FlushAndFinish(second.get()).status()));
  EXPECT_EQ(metrics_.crashes, 1);
}

TEST_F(IngestorTest, ASessionThatIsGoneIsNotBelievedBecauseItWasRemembered) {
  const std::string session = Begin();
  ASSERT_TRUE(ingestor_.Abandon(kAnyone, session).ok());
  auto writer = ingestor_.OpenWriter(kAnyone, session);
  if (!writer.ok()) return;
  ASSERT_TRUE((*writer)->Add(OwnedChunk(crash_, 1, 0).view()).ok());
  EXPECT_TRUE(absl::IsNotFound((*writer)->Flush()));
  EXPECT_THAT((*writer)->TakeAcks(), IsEmpty());
}

TEST_F(IngestorTest, AcknowledgesOnlyWhatIsDurable) {
  auto writer = Open(Begin());
  ASSERT_TRUE(writer->Add(OwnedChunk(crash_, 0, 1).view()).ok());
  EXPECT_THAT(writer->TakeAcks(), IsEmpty());
  ASSERT_TRUE(writer->Flush().ok());
  EXPECT_THAT(writer->TakeAcks(), ElementsAre(ChunkRange{0, 1, 1}));
}

TEST_F(IngestorTest, ResumesWithWhatIsMissing) {
  const std::string session = Begin();
  auto writer = Open(session);
  ASSERT_TRUE(writer->Add(OwnedChunk(crash_, 0, 1).view()).ok());
  ASSERT_TRUE(writer->Flush().ok());
  const auto again = ingestor_.Begin(kAnyone, {.device = "pixel-7", .manifest = crash_.manifest});
  ASSERT_TRUE(again.ok());
  EXPECT_FALSE(again->created);
  EXPECT_EQ(again->session.value(), session);
  EXPECT_THAT(again->missing, ElementsAre(ChunkRange{0, 0, 1}, ChunkRange{0, 2, 1}, ChunkRange{1, 0, 1}));
  EXPECT_EQ(ingestor_.GetSession(kAnyone, session)->missing, again->missing);
}

TEST_F(IngestorTest, AChunkSentTwiceIsAcknowledgedAndStoredOnce) {
  const std::string session = Begin();
  auto writer = Open(session);
  const OwnedChunk chunk(crash_, 1, 0);
  ASSERT_TRUE(writer->Add(chunk.view()).ok());
  ASSERT_TRUE(writer->Add(chunk.view()).ok());
  EXPECT_THAT(writer->TakeAcks(), IsEmpty()) << "held, not durable";
  ASSERT_TRUE(writer->Flush().ok());
  EXPECT_THAT(writer->TakeAcks(), ElementsAre(ChunkRange{1, 0, 1}));
  ASSERT_TRUE(Open(session)->Add(chunk.view()).ok());
  auto late = Open(session);
  ASSERT_TRUE(late->Add(chunk.view()).ok());
  EXPECT_THAT(late->TakeAcks(), ElementsAre(ChunkRange{1, 0, 1}));
  EXPECT_EQ(metrics_.packs, 1);
}

TEST_F(IngestorTest, AnotherDigestForAChunkIsAborted) {
  auto writer = Open(Begin());
  ASSERT_TRUE(writer->Add(OwnedChunk(crash_, 1, 0).view()).ok());
  const AnnouncedCrash other({AnnouncedCrash::Noise(150'000, 1), "jello", ""});
  EXPECT_TRUE(absl::IsAborted(writer->Add(OwnedChunk(other, 1, 0).view())));
  EXPECT_EQ(metrics_.rejects[static_cast<int>(ChunkReject::kConflict)], 1);
}

TEST_F(IngestorTest, RefusesChunksOutsideTheManifest) {
  auto writer = Open(Begin());
  OwnedChunk chunk(crash_, 1, 0);
  chunk.header.region = 3;
  EXPECT_TRUE(absl::IsInvalidArgument(writer->Add(chunk.view())));
  chunk.header.region = 2;  // the empty one
  EXPECT_TRUE(absl::IsInvalidArgument(writer->Add(chunk.view())));
  chunk.header.region = 1;
  chunk.header.chunk = 1;
  EXPECT_TRUE(absl::IsInvalidArgument(writer->Add(chunk.view())));
  chunk.header.chunk = ~uint64_t{0};
  EXPECT_TRUE(absl::IsInvalidArgument(writer->Add(chunk.view())));
  chunk.header.chunk = 0;
  chunk.header.raw_size = 6;
  EXPECT_TRUE(absl::IsInvalidArgument(writer->Add(chunk.view())));
  EXPECT_EQ(metrics_.rejects[static_cast<int>(ChunkReject::kBounds)], 5);
}

TEST_F(IngestorTest, RefusesDamagedChunks) {
  auto writer = Open(Begin());
  OwnedChunk chunk(crash_, 1, 0);
  chunk.header.crc32c ^= 1;
  EXPECT_TRUE(absl::IsDataLoss(writer->Add(chunk.view())));
  chunk.header.crc32c ^= 1;
  chunk.digest[0] ^= 1;
  EXPECT_TRUE(absl::IsDataLoss(writer->Add(chunk.view())));
  chunk.digest[0] ^= 1;
  chunk.header.encoding = 1;  // says zstd, is raw
  EXPECT_TRUE(absl::IsDataLoss(writer->Add(chunk.view())));
  chunk.header.encoding = 2;
  EXPECT_TRUE(absl::IsInvalidArgument(writer->Add(chunk.view())));
  chunk.header.encoding = 0;
  EXPECT_TRUE(writer->Add(chunk.view()).ok()) << "a refusal does not spoil the stream";
}

TEST_F(IngestorTest, InflatesNoBomb) {
  const std::string zeros(64 << 20, '\0');
  std::string bomb(ZSTD_compressBound(zeros.size()), '\0');
  bomb.resize(ZSTD_compress(bomb.data(), bomb.size(), zeros.data(), zeros.size(), 19));
  ASSERT_LT(bomb.size(), kChunkBytes);
  auto writer = Open(Begin());
  OwnedChunk chunk(crash_, 0, 0);
  chunk.payload = bomb;
  chunk.header.encoding = 1;
  chunk.Recheck();
  EXPECT_TRUE(absl::IsDataLoss(writer->Add(chunk.view())));
}

TEST_F(IngestorTest, FinishNeedsAllChunks) {
  const std::string session = Begin();
  const auto early = ingestor_.Finish(kAnyone, session);
  EXPECT_TRUE(absl::IsFailedPrecondition(early.status()));
  EXPECT_THAT(std::string(early.status().message()), HasSubstr("4 chunks"));
  EXPECT_EQ(received_, 0);
}

TEST_F(IngestorTest, FinishTwiceGivesTheSameCrash) {
  const std::string session = Begin();
  ASSERT_TRUE(Send(session, crash_).ok());
  const auto first = ingestor_.Finish(kAnyone, session);
  const auto second = ingestor_.Finish(kAnyone, session);
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(first->crash, second->crash);
  EXPECT_TRUE(second->already_stored);
  EXPECT_EQ(metrics_.crashes, 1);
  const auto again = ingestor_.Begin(kAnyone, {.device = "pixel-7", .manifest = crash_.manifest});
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->crash, first->crash);
  EXPECT_THAT(again->missing, IsEmpty());
}

TEST_F(IngestorTest, AWrongRootForgetsTheChunks) {
  AnnouncedCrash liar({"honest bytes"});
  liar.manifest.regions[0].root[5] ^= 1;
  const std::string session = Begin(liar);
  ASSERT_TRUE(Send(session, liar).ok());
  EXPECT_TRUE(absl::IsDataLoss(ingestor_.Finish(kAnyone, session).status()));
  EXPECT_THAT(ingestor_.GetSession(kAnyone, session)->missing, ElementsAre(ChunkRange{0, 0, 1}));
}

TEST_F(IngestorTest, AbandonForgetsAnOpenSessionOnly) {
  const std::string session = Begin();
  EXPECT_TRUE(ingestor_.Abandon(kAnyone, session).ok());
  EXPECT_TRUE(ingestor_.Abandon(kAnyone, session).ok());
  EXPECT_TRUE(ingestor_.Abandon(kAnyone, "no session at all").ok());
  EXPECT_TRUE(absl::IsNotFound(ingestor_.GetSession(kAnyone, session).status()));
  const std::string finished = Begin();
  ASSERT_TRUE(Send(finished, crash_).ok());
  ASSERT_TRUE(ingestor_.Finish(kAnyone, finished).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(ingestor_.Abandon(kAnyone, finished)));
}

TEST_F(IngestorTest, TheSameRegionsInAnotherOrderStartOver) {
  const std::string session = Begin();
  ASSERT_TRUE(Send(session, crash_).ok());
  const AnnouncedCrash turned({"hello", AnnouncedCrash::Noise(150'000, 1), ""});
  Manifest manifest = turned.manifest;
  for (size_t i = 0; i < 2; ++i) {
    manifest.regions[i].name = crash_.manifest.regions[1 - i].name;
    manifest.regions[i].file_name = crash_.manifest.regions[1 - i].file_name;
  }
  ASSERT_EQ(UidOf(manifest), UidOf(crash_.manifest));
  const auto begun = ingestor_.Begin(kAnyone, {.device = "pixel-7", .manifest = manifest});
  ASSERT_TRUE(begun.ok()) << begun.status();
  EXPECT_NE(begun->session.value(), session);
  EXPECT_THAT(begun->missing, ElementsAre(ChunkRange{0, 0, 1}, ChunkRange{1, 0, 3}));
}

TEST_F(IngestorTest, RefusesAnnouncementsThatBreakARule) {
  const auto code = [&](absl::string_view device, const Manifest& manifest, const std::string& note) {
    return ingestor_.Begin(kAnyone, {.device = std::string(device), .manifest = manifest, .note = note})
        .status()
        .code();
  };
  constexpr auto kRefused = absl::StatusCode::kInvalidArgument;
  EXPECT_EQ(code("", crash_.manifest, ""), kRefused);
  EXPECT_EQ(code("two words", crash_.manifest, ""), kRefused);
  EXPECT_EQ(code("d", Manifest(), ""), kRefused);
  EXPECT_EQ(code("d", crash_.manifest, std::string(1025, 'x')), kRefused);
  EXPECT_EQ(code("d", crash_.manifest, "\xff"), kRefused);
  Manifest huge = crash_.manifest;
  huge.regions[0].size = limits_.crash_bytes;
  EXPECT_EQ(code("d", huge, ""), kRefused);
  Manifest hollow = crash_.manifest;
  hollow.regions[2].root[0] ^= 1;
  EXPECT_EQ(code("d", hollow, ""), kRefused);
  EXPECT_EQ(metrics_.begun[static_cast<int>(BeginOutcome::kRefused)], 7);
}

TEST_F(IngestorTest, AFullStoreIsSaidBeforeBytesTravel) {
  store_.SetFreeBytes(1000);
  EXPECT_EQ(
      RefusedBy(ingestor_.Begin(kAnyone, {.device = "d", .manifest = crash_.manifest}).status())->reason,
      RefusalReason::kStoreFull);
  EXPECT_TRUE(absl::IsResourceExhausted(
      ingestor_.Begin(kAnyone, {.device = "d", .manifest = crash_.manifest}).status()));
}

TEST_F(IngestorTest, NothingIsAcknowledgedWhileTheDatabaseIsDown) {
  const std::string session = Begin();
  auto writer = Open(session);
  const OwnedChunk chunk(crash_, 1, 0);
  ASSERT_TRUE(writer->Add(chunk.view()).ok());
  index_.SetStatus(absl::UnavailableError("down"));
  EXPECT_TRUE(absl::IsUnavailable(writer->Flush()));
  EXPECT_THAT(writer->TakeAcks(), IsEmpty());
  index_.SetStatus(absl::OkStatus());
  ASSERT_TRUE(writer->Add(chunk.view()).ok());
  ASSERT_TRUE(writer->Flush().ok());
  EXPECT_THAT(writer->TakeAcks(), ElementsAre(ChunkRange{1, 0, 1}));
}

TEST_F(IngestorTest, AFullDiskIsPassedOn) {
  auto writer = Open(Begin());
  ASSERT_TRUE(writer->Add(OwnedChunk(crash_, 1, 0).view()).ok());
  store_.SetPutStatus(absl::ResourceExhaustedError("disk full"));
  EXPECT_TRUE(absl::IsResourceExhausted(writer->Flush()));
  EXPECT_THAT(writer->TakeAcks(), IsEmpty());
}

TEST_F(IngestorTest, AStreamThatOutlivesItsSessionEnds) {
  const std::string session = Begin();
  auto abandoned = Open(session);
  ASSERT_TRUE(abandoned->Add(OwnedChunk(crash_, 1, 0).view()).ok());
  ASSERT_TRUE(ingestor_.Abandon(kAnyone, session).ok());
  EXPECT_TRUE(absl::IsNotFound(abandoned->Flush()));

  const std::string second = Begin();
  auto late = Open(second);
  ASSERT_TRUE(late->Add(OwnedChunk(crash_, 1, 0).view()).ok());
  ASSERT_TRUE(Send(second, crash_).ok());
  ASSERT_TRUE(ingestor_.Finish(kAnyone, second).ok());
  EXPECT_TRUE(absl::IsAborted(late->Flush()));
}

TEST_F(IngestorTest, StreamsFlushWhenTogetherTheyHoldTooMuch) {
  IngestLimits tight;
  tight.held_bytes = 100'000;
  Ingestor ingestor({.index = &index_, .store = &store_, .clock = &clock_, .metrics = &metrics_}, tight);
  const std::string session =
      ingestor.Begin(kAnyone, {.device = "a", .manifest = crash_.manifest})->session.value();
  auto first = *ingestor.OpenWriter(kAnyone, session);
  auto second = *ingestor.OpenWriter(kAnyone, session);
  ASSERT_TRUE(first->Add(OwnedChunk(crash_, 0, 0).view()).ok());
  EXPECT_FALSE(first->full());
  ASSERT_TRUE(second->Add(OwnedChunk(crash_, 0, 1).view()).ok());
  EXPECT_TRUE(first->full());
  EXPECT_TRUE(second->full());
  ASSERT_TRUE(first->MakeRoom().ok());
  EXPECT_FALSE(second->full()) << "the other one gave back enough";
  EXPECT_FALSE(first->full());
  EXPECT_THAT(first->TakeAcks(), IsEmpty());
  EXPECT_EQ(metrics_.packs, 0) << "it is set aside, and nobody waited for the disk";
  ASSERT_TRUE(first->Flush().ok());
  EXPECT_THAT(first->TakeAcks(), ElementsAre(ChunkRange{0, 0, 1}));
  first.reset();
  second.reset();
  auto third = *ingestor.OpenWriter(kAnyone, session);
  ASSERT_TRUE(third->Add(OwnedChunk(crash_, 0, 2).view()).ok());
  EXPECT_FALSE(third->full()) << "what a dead stream held is given back";
}

TEST_F(IngestorTest, WhatWasSetAsideIsAcknowledgedWithTheRest) {
  const std::string session = Begin();
  auto writer = Open(session);
  ASSERT_TRUE(writer->Add(OwnedChunk(crash_, 0, 0).view()).ok());
  ASSERT_TRUE(writer->MakeRoom().ok());
  ASSERT_TRUE(writer->Add(OwnedChunk(crash_, 0, 0).view()).ok()) << "sent twice";
  ASSERT_TRUE(writer->Add(OwnedChunk(crash_, 0, 1).view()).ok());
  ASSERT_TRUE(writer->MakeRoom().ok());
  EXPECT_THAT(writer->TakeAcks(), IsEmpty());
  EXPECT_THAT(*index_.SessionPacks(SessionId(session)), IsEmpty());
  ASSERT_TRUE(writer->Add(OwnedChunk(crash_, 0, 2).view()).ok());
  ASSERT_TRUE(writer->Add(OwnedChunk(crash_, 1, 0).view()).ok());
  const auto finished = ingestor_.FlushAndFinish(writer.get());
  ASSERT_TRUE(finished.ok()) << finished.status();
  ASSERT_TRUE(finished->has_value()) << "one transaction, of three packs";
  EXPECT_THAT(writer->TakeAcks(), ElementsAre(ChunkRange{0, 0, 3}, ChunkRange{1, 0, 1}));
  const CrashContents contents = *index_.Contents((*finished)->crash);
  ASSERT_EQ(contents.packs.size(), 3u);
  uint64_t bytes = 0;
  for (const StoredPack& pack : contents.packs) bytes += pack.ref.size;
  EXPECT_EQ(index_.GetCrash((*finished)->crash)->stored_bytes, bytes);
  EXPECT_EQ(metrics_.packs, 3);
}

TEST_F(IngestorTest, NothingStaysSetAsideForLong) {
  auto writer = Open(Begin());
  ASSERT_TRUE(writer->Add(OwnedChunk(crash_, 0, 0).view()).ok());
  ASSERT_TRUE(writer->MakeRoom().ok());
  clock_.Advance(absl::Seconds(9));
  EXPECT_FALSE(writer->full());
  clock_.Advance(absl::Seconds(1));
  EXPECT_TRUE(writer->full());
  ASSERT_TRUE(writer->Add(OwnedChunk(crash_, 0, 1).view()).ok());
  ASSERT_TRUE(writer->MakeRoom().ok());
  EXPECT_THAT(writer->TakeAcks(), ElementsAre(ChunkRange{0, 0, 2}));
  EXPECT_FALSE(writer->full());
}

TEST_F(IngestorTest, WhatIsSetAsideCountsForAPack) {
  IngestLimits small;
  small.flush_bytes = 100'000;
  Ingestor ingestor({.index = &index_, .store = &store_, .clock = &clock_, .metrics = &metrics_}, small);
  const AnnouncedCrash crash({AnnouncedCrash::Noise(400'000, 7)});
  const auto begun = ingestor.Begin(kAnyone, {.device = "a", .manifest = crash.manifest});
  auto writer = *ingestor.OpenWriter(kAnyone, begun->session.value());
  ASSERT_TRUE(writer->Add(OwnedChunk(crash, 0, 0).view()).ok());
  ASSERT_TRUE(writer->MakeRoom().ok());
  EXPECT_FALSE(writer->overfull());
  ASSERT_TRUE(writer->Add(OwnedChunk(crash, 0, 1).view()).ok());
  EXPECT_TRUE(writer->overfull());
  ASSERT_TRUE(writer->MakeRoom().ok());
  EXPECT_THAT(writer->TakeAcks(), ElementsAre(ChunkRange{0, 0, 2}));
}

TEST_F(IngestorTest, AStoreThatTakesNoMoreKeepsWhatWasSetAside) {
  auto writer = Open(Begin());
  ASSERT_TRUE(writer->Add(OwnedChunk(crash_, 0, 0).view()).ok());
  ASSERT_TRUE(writer->MakeRoom().ok());
  ASSERT_TRUE(writer->Add(OwnedChunk(crash_, 0, 1).view()).ok());
  store_.SetFreeBytes(1000);
  EXPECT_TRUE(absl::IsResourceExhausted(writer->Flush()));
  EXPECT_THAT(writer->TakeAcks(), IsEmpty());
  ASSERT_TRUE(writer->Flush().ok());
  EXPECT_THAT(writer->TakeAcks(), ElementsAre(ChunkRange{0, 0, 1})) << "and not what was in memory";
  store_.SetFreeBytes(1 << 20);
  ASSERT_TRUE(writer->Add(OwnedChunk(crash_, 0, 1).view()).ok()) << "sent again";
  ASSERT_TRUE(writer->Flush().ok());
  EXPECT_THAT(writer->TakeAcks(), ElementsAre(ChunkRange{0, 1, 1}));
}

TEST_F(IngestorTest, WhatCannotBeSyncedIsNotAcknowledged) {
  auto writer = Open(Begin());
  ASSERT_TRUE(writer->Add(OwnedChunk(crash_, 0, 0).view()).ok());
  ASSERT_TRUE(writer->MakeRoom().ok());
  store_.SetPutStatus(absl::UnavailableError("the disk is gone"));
  EXPECT_TRUE(absl::IsUnavailable(writer->Flush()));
  store_.SetPutStatus(absl::OkStatus());
  ASSERT_TRUE(writer->Flush().ok());
  EXPECT_THAT(writer->TakeAcks(), IsEmpty());
  ASSERT_TRUE(writer->Add(OwnedChunk(crash_, 0, 0).view()).ok()) << "sent again";
  ASSERT_TRUE(writer->Flush().ok());
  EXPECT_THAT(writer->TakeAcks(), ElementsAre(ChunkRange{0, 0, 1}));
}

// A log, what leads to it, and memory that it can be read without.
AnnouncedCrash WithLog() {
  AnnouncedCrash crash({AnnouncedCrash::Noise(70'000, 1), "banner", AnnouncedCrash::Noise(150'000, 2)});
  crash.manifest.regions[0].name = "Kprb_data";
  crash.manifest.regions[1].name = "Klinux_ba";
  crash.manifest.regions[2].name = "Kunknown";
  return crash;
}

AdmissionRules LogOnly(std::optional<absl::Duration> ask_again) {
  return {.rules = {{.name = "log", .action = RuleAction::kLogOnly, .ask_again = ask_again}}};
}

TEST_F(IngestorTest, LogOnlyIsFinishedWithThatAndMayBecomeWhole) {
  const AnnouncedCrash crash = WithLog();
  const CrashOffer offer{.device = "d", .manifest = crash.manifest, .hints = {.panic = "p"}};
  admission_.SetRules(LogOnly(absl::Hours(3)));
  const auto begun = ingestor_.Begin(kAnyone, offer);
  ASSERT_TRUE(begun.ok()) << begun.status();
  EXPECT_EQ(begun->want, Want::kLogOnly);
  EXPECT_EQ(begun->rule, "log");
  EXPECT_EQ(begun->ask_again, absl::Hours(3));
  EXPECT_THAT(begun->missing, ElementsAre(ChunkRange{0, 0, 2}, ChunkRange{1, 0, 1}));
  EXPECT_EQ(admission_.in_flight()->remaining(), 70'006u);
  const std::string session = begun->session.value();
  const auto resumed = ingestor_.Begin(kAnyone, offer);
  EXPECT_EQ(resumed->want, Want::kLogOnly);
  EXPECT_EQ(resumed->ask_again, absl::Hours(3));
  EXPECT_EQ(resumed->missing, begun->missing);

  ASSERT_TRUE(Send(session, crash, begun->missing).ok());
  EXPECT_EQ(admission_.in_flight()->remaining(), 0u);
  const auto part = ingestor_.Finish(kAnyone, session);
  ASSERT_TRUE(part.ok()) << part.status();
  EXPECT_EQ(index_.GetCrash(part->crash)->here_bytes, 70'006u);
  EXPECT_EQ(index_.GetCrash(part->crash)->want, SessionWant::kLogOnly);

  const auto still = ingestor_.Begin(kAnyone, offer);
  EXPECT_EQ(still->state, SessionState::kComplete);
  EXPECT_EQ(still->want, Want::kLogOnly);
  EXPECT_EQ(still->ask_again, absl::Hours(3));
  EXPECT_THAT(still->missing, IsEmpty());

  admission_.SetRules({});
  const auto more = ingestor_.Begin(kAnyone, offer);
  ASSERT_TRUE(more.ok()) << more.status();
  EXPECT_EQ(more->state, SessionState::kOpen);
  EXPECT_EQ(more->want, Want::kAll);
  EXPECT_EQ(more->session.value(), session);
  EXPECT_EQ(more->crash, part->crash);
  EXPECT_THAT(more->missing, ElementsAre(ChunkRange{2, 0, 3}));
  EXPECT_TRUE(absl::IsFailedPrecondition(ingestor_.Finish(kAnyone, session).status()));
  ASSERT_TRUE(Send(session, crash, more->missing).ok());
  const auto whole = ingestor_.Finish(kAnyone, session);
  ASSERT_TRUE(whole.ok()) << whole.status();
  EXPECT_EQ(whole->crash, part->crash);
  EXPECT_EQ(index_.GetCrash(part->crash)->here_bytes, 220'006u);
  EXPECT_EQ(ingestor_.Begin(kAnyone, offer)->want, Want::kNone);
  EXPECT_EQ(metrics_.crashes, 1) << "one crash, in two parts";
  EXPECT_EQ(received_, 2);
  const auto account = index_.Account();
  EXPECT_EQ(account->offered, 1u);
  EXPECT_EQ(account->accepted, 1u);
  EXPECT_EQ(account->Difference(), 0);
}

TEST_F(IngestorTest, WhatIsStoredInPartIsNeverCalledLost) {
  const AnnouncedCrash crash = WithLog();
  const CrashOffer offer{.device = "d", .manifest = crash.manifest};
  admission_.SetRules(LogOnly(std::nullopt));
  const auto begun = ingestor_.Begin(kAnyone, offer);
  ASSERT_TRUE(Send(begun->session.value(), crash, begun->missing).ok());
  const auto part = ingestor_.Finish(kAnyone, begun->session.value());
  ASSERT_TRUE(part.ok());
  admission_.SetRules({.rules = {{.name = "no", .action = RuleAction::kRefuse}}});
  const auto again = ingestor_.Begin(kAnyone, offer);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->state, SessionState::kComplete);
  EXPECT_EQ(again->want, Want::kNone) << "the rest is not wanted at all by now";
  EXPECT_EQ(again->crash, part->crash);
}

TEST_F(IngestorTest, ADamagedPartIsForgotten) {
  AnnouncedCrash liar({"honest bytes", "more"});
  liar.manifest.regions[0].root[5] ^= 1;
  const std::string session = Begin(liar);
  ASSERT_TRUE(Send(session, liar, {{0, 0, 1}}).ok());
  EXPECT_TRUE(ingestor_.FinishPart(SessionId(session)).ok());
  EXPECT_TRUE(absl::IsNotFound(ingestor_.GetSession(kAnyone, session).status()));
  EXPECT_THAT(index_.Account()->expired, ElementsAre(ReasonCount{"damaged", 1}));
  EXPECT_TRUE(ingestor_.FinishPart(SessionId(session)).ok());
}

TEST_F(IngestorTest, OpenSessionsAndStoredCrashesAreNotShed) {
  const std::string session = Begin();
  const AnnouncedCrash stored({"stored"});
  const std::string finished = Begin(stored);
  ASSERT_TRUE(Send(finished, stored).ok());
  ASSERT_TRUE(ingestor_.Finish(kAnyone, finished).ok());
  admission_.SetRules({.kill_switch = {.on = true}});
  EXPECT_EQ(Begin(), session);
  EXPECT_EQ(ingestor_.Begin(kAnyone, {.device = "pixel-7", .manifest = stored.manifest})->want, Want::kNone);
  const AnnouncedCrash other({"other"});
  const auto refused = ingestor_.Begin(kAnyone, {.device = "pixel-7", .manifest = other.manifest});
  EXPECT_EQ(RefusedBy(refused.status())->reason, RefusalReason::kKillSwitch);
}

class BusyIngestorTest : public IngestorTest {
 protected:
  // Others bring as much as the server may have in flight, and one was turned away already.
  void SetUp() override {
    for (int i = 0; i < 100; ++i) {
      admission_.in_flight()->Expect(SessionId("s" + std::to_string(i)), DeviceId("o" + std::to_string(i)),
                                     64 << 20, clock_.Now());
    }
    admission_.in_flight()->RoomFor(DeviceId("first"), 1, clock_.Now(), /*in_turn=*/false);
  }
  std::optional<Refused> AtOnce(const AnnouncedCrash& crash) {
    const auto status = ingestor_.RefuseAtOnce(kAnyone, {.device = "pixel-7", .manifest = crash.manifest});
    return status ? RefusedBy(*status) : std::nullopt;
  }
};

TEST_F(BusyIngestorTest, RefusesWithoutTheDatabaseAndCountsIt) {
  index_.SetStatus(absl::UnavailableError("no answer"));
  const auto refused = AtOnce(crash_);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->reason, RefusalReason::kServerBusy);
  ASSERT_TRUE(refused->delay);
  EXPECT_EQ(metrics_.begun[static_cast<int>(BeginOutcome::kRefused)], 1);
  index_.SetStatus(absl::OkStatus());
  refusals_.reset();
  EXPECT_THAT(index_.Account()->refused, ElementsAre(ReasonCount{"server_busy", 1}));
  EXPECT_EQ(index_.Account()->Difference(), 0);
}

TEST_F(BusyIngestorTest, WhoComesInTurnIsLookedUp) {
  const auto refused = AtOnce(crash_);
  ASSERT_TRUE(refused && refused->delay);
  EXPECT_EQ(AtOnce(crash_)->delay, refused->delay) << "too early";
  clock_.Advance(*refused->delay);
  admission_.in_flight()->RoomFor(DeviceId("first"), 1, clock_.Now(), /*in_turn=*/false);
  EXPECT_FALSE(AtOnce(crash_));
}

TEST_F(BusyIngestorTest, WhatBreaksARuleOrIsRuledOutHearsThat) {
  AnnouncedCrash bad({"bad"});
  bad.manifest.regions.clear();
  EXPECT_FALSE(AtOnce(bad));
  admission_.SetRules({.kill_switch = {.on = true}});
  EXPECT_FALSE(AtOnce(crash_));
}

TEST_F(IngestorTest, NobodyIsRefusedAtOnceWhileThereIsRoom) {
  EXPECT_FALSE(ingestor_.busy());
  EXPECT_FALSE(ingestor_.RefuseAtOnce(kAnyone, {.device = "d", .manifest = crash_.manifest}));
}

TEST_F(IngestorTest, KnownSessionsAreNotShedHoweverBusyTheServerIs) {
  const std::string session = Begin();
  for (int i = 0; i < 100; ++i) {
    admission_.in_flight()->Expect(SessionId("s" + std::to_string(i)), DeviceId("o" + std::to_string(i)),
                                   64 << 20, clock_.Now());
  }
  admission_.in_flight()->RoomFor(DeviceId("first"), 1, clock_.Now(), /*in_turn=*/false);
  ASSERT_TRUE(ingestor_.busy());
  EXPECT_FALSE(ingestor_.RefuseAtOnce(kAnyone, {.device = "pixel-7", .manifest = crash_.manifest}));
  EXPECT_EQ(Begin(), session);
  EXPECT_TRUE(ingestor_.RefuseAtOnce(kAnyone, {.device = "pixel-8", .manifest = crash_.manifest}));
}

TEST_F(IngestorTest, EveryOfferIsAccountedFor) {
  Begin();
  admission_.SetRules({.kill_switch = {.on = true}});
  const AnnouncedCrash other({"other"});
  const CrashOffer offer{.device = "d", .manifest = other.manifest};
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(ingestor_.Begin(kAnyone, offer).ok());
  EXPECT_FALSE(ingestor_.Begin(kAnyone, {.device = "d"}).ok());
  Manifest huge = other.manifest;
  huge.regions[0].size = limits_.crash_bytes + 1;
  EXPECT_FALSE(ingestor_.Begin(kAnyone, {.device = "d", .manifest = huge}).ok());
  EXPECT_FALSE(ingestor_.Begin(DeviceCaller::Device(DeviceId("e")), offer).ok());
  refusals_.reset();
  const auto account = index_.Account();
  EXPECT_THAT(account->refused, ElementsAre(ReasonCount{"crash_too_large", 1}, ReasonCount{"kill_switch", 3},
                                            ReasonCount{"malformed", 1}, ReasonCount{"wrong_device", 1}));
  EXPECT_EQ(account->offered, 7u);
  EXPECT_EQ(account->pending, 1u);
  EXPECT_EQ(account->Difference(), 0);
}

TEST_F(IngestorTest, DevicesLossesAreTakenOnceAndBounded) {
  CrashOffer offer{.device = "d", .manifest = crash_.manifest};
  offer.account = DeviceAccount{.epoch = "e1", .lost = {{"spool_age", 3}, {"made up", 2}, {"odd", 1}}};
  ASSERT_TRUE(ingestor_.Begin(kAnyone, offer).ok());
  ASSERT_TRUE(ingestor_.Begin(kAnyone, offer).ok());
  EXPECT_THAT(index_.Account()->expired,
              ElementsAre(ReasonCount{"device_other", 3}, ReasonCount{"device_spool_age", 3}));
  offer.account->lost[0].count = 5;
  ASSERT_TRUE(ingestor_.Begin(kAnyone, offer).ok()) << "too early";
  clock_.Advance(absl::Minutes(1));
  offer.account->lost[1].count = ~uint64_t{0};
  ASSERT_TRUE(ingestor_.Begin(kAnyone, offer).ok());
  EXPECT_THAT(index_.Account()->expired, ElementsAre(ReasonCount{"device_other", CrashIndex::kMaxLoss},
                                                     ReasonCount{"device_spool_age", 5}));
  for (const std::string& epoch : {std::string(), std::string("two words"), std::string(65, 'x')}) {
    offer.device = "other";
    offer.account->epoch = epoch;
    EXPECT_TRUE(ingestor_.Begin(kAnyone, offer).ok()) << "a crash is not refused for it";
  }
  EXPECT_EQ(index_.Account()->Difference(), 0);
}

TEST_F(IngestorTest, AnotherDevicesSessionDoesNotExist) {
  const DeviceCaller owner = DeviceCaller::Device(DeviceId("pixel-7"));
  const DeviceCaller other = DeviceCaller::Device(DeviceId("pixel-8"));
  const auto begun = ingestor_.Begin(owner, {.manifest = crash_.manifest});
  ASSERT_TRUE(begun.ok()) << begun.status();
  const std::string session = begun->session.value();
  EXPECT_TRUE(absl::IsPermissionDenied(
      ingestor_.Begin(other, {.device = "pixel-7", .manifest = crash_.manifest}).status()));
  EXPECT_NE(ingestor_.Begin(other, {.manifest = crash_.manifest})->session.value(), session);
  EXPECT_TRUE(absl::IsNotFound(ingestor_.GetSession(other, session).status()));
  EXPECT_TRUE(absl::IsNotFound(ingestor_.OpenWriter(other, session).status()));
  EXPECT_TRUE(absl::IsNotFound(ingestor_.Finish(other, session).status()));
  EXPECT_TRUE(ingestor_.Abandon(other, session).ok()) << "as if there were none";
  EXPECT_TRUE(ingestor_.GetSession(owner, session).ok()) << "and there is";
  EXPECT_TRUE(ingestor_.GetSession(DeviceCaller::Gateway(DeviceId("lab")), session).ok());
}

TEST_F(IngestorTest, SessionsCannotBeGuessed) {
  EXPECT_TRUE(IsSessionId(Begin()));
  EXPECT_TRUE(absl::IsNotFound(ingestor_.GetSession(kAnyone, "00000000000000000000000000000000").status()));
  EXPECT_TRUE(absl::IsNotFound(ingestor_.OpenWriter(kAnyone, "'; drop table").status()));
}

}  // namespace
}  // namespace corefleet
