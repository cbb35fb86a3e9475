#include "server/ingest/session_writer.h"

#include <gmock/gmock.h>
#include <zstd.h>

#include "server/ingest/ingestor_fixture.h"

namespace corefleet {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const DeviceCaller kAnyone = DeviceCaller::Anyone();

using SessionWriterTest = IngestorTest;

TEST_F(SessionWriterTest, TheLastChunksAndTheCrashAreOneStep) {
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

TEST_F(SessionWriterTest, TheRestOfACrashWaitsForItsEnd) {
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

TEST_F(SessionWriterTest, WhatIsNotWholeIsOnlyMadeDurable) {
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

TEST_F(SessionWriterTest, TwoStreamsOfOneCrashFinishItOnce) {
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

TEST_F(SessionWriterTest, AcknowledgesOnlyWhatIsDurable) {
  auto writer = Open(Begin());
  ASSERT_TRUE(writer->Add(OwnedChunk(crash_, 0, 1).view()).ok());
  EXPECT_THAT(writer->TakeAcks(), IsEmpty());
  ASSERT_TRUE(writer->Flush().ok());
  EXPECT_THAT(writer->TakeAcks(), ElementsAre(ChunkRange{0, 1, 1}));
}

TEST_F(SessionWriterTest, AChunkSentTwiceIsAcknowledgedAndStoredOnce) {
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

TEST_F(SessionWriterTest, AnotherDigestForAChunkIsAborted) {
  auto writer = Open(Begin());
  ASSERT_TRUE(writer->Add(OwnedChunk(crash_, 1, 0).view()).ok());
  const AnnouncedCrash other({AnnouncedCrash::Noise(150'000, 1), "jello", ""});
  EXPECT_TRUE(absl::IsAborted(writer->Add(OwnedChunk(other, 1, 0).view())));
  EXPECT_EQ(metrics_.rejects[static_cast<int>(ChunkReject::kConflict)], 1);
}

TEST_F(SessionWriterTest, RefusesChunksOutsideTheManifest) {
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

TEST_F(SessionWriterTest, RefusesDamagedChunks) {
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

TEST_F(SessionWriterTest, InflatesNoBomb) {
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

TEST_F(SessionWriterTest, NothingIsAcknowledgedWhileTheDatabaseIsDown) {
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

TEST_F(SessionWriterTest, AFullDiskIsPassedOn) {
  auto writer = Open(Begin());
  ASSERT_TRUE(writer->Add(OwnedChunk(crash_, 1, 0).view()).ok());
  store_.SetPutStatus(absl::ResourceExhaustedError("disk full"));
  EXPECT_TRUE(absl::IsResourceExhausted(writer->Flush()));
  EXPECT_THAT(writer->TakeAcks(), IsEmpty());
}

TEST_F(SessionWriterTest, AStreamThatOutlivesItsSessionEnds) {
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

TEST_F(SessionWriterTest, StreamsFlushWhenTogetherTheyHoldTooMuch) {
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

TEST_F(SessionWriterTest, WhatWasSetAsideIsAcknowledgedWithTheRest) {
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

TEST_F(SessionWriterTest, NothingStaysSetAsideForLong) {
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

TEST_F(SessionWriterTest, WhatIsSetAsideCountsForAPack) {
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

TEST_F(SessionWriterTest, AStoreThatTakesNoMoreKeepsWhatWasSetAside) {
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

TEST_F(SessionWriterTest, WhatCannotBeSyncedIsNotAcknowledged) {
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

}  // namespace
}  // namespace corefleet
