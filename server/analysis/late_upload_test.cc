// A crash that is finished with a part of its chunks, and what a late upload makes of it.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "core/digest/chunk.h"
#include "core/digest/digest.h"
#include "core/simulate/received.h"
#include "core/simulate/simulate.h"
#include "server/analysis/crash_reader.h"
#include "server/opened/opened_crash.h"
#include "storage/crash_bytes.h"
#include "storage/facts_json.h"
#include "storage/memory/memory_crash_index.h"
#include "storage/memory/memory_pack_store.h"

namespace corefleet {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'790'000'000);

struct ChunkName {
  uint32_t region;
  uint64_t chunk;
};

class LateUploadTest : public testing::TestWithParam<SimulatedSource> {
 protected:
  LateUploadTest() {
    auto crash = Simulate({.source = GetParam()});
    EXPECT_TRUE(crash.ok()) << crash.status();
    sent_ = ReceivedFrom(crash->files);
    for (uint32_t i = 0; i < sent_.regions.size(); ++i) Announce(i);
  }

  void Announce(uint32_t index) {
    const Region& region = sent_.regions[index];
    const uint64_t size = region.bytes->size();
    RegionRoot root;
    for (uint64_t c = 0; c < ChunkCount(size); ++c) {
      chunks_.push_back({index, c});
      root.AddChunk(Sha256Of(ByteView(RawChunk(chunks_.back()))));
    }
    manifest_.regions.push_back({.kind = region.kind,
                                 .file_name = region.file_name,
                                 .name = region.name,
                                 .id = region.id,
                                 .paddr = region.paddr,
                                 .table_size = region.table_size,
                                 .size = size,
                                 .root = root.Finish()});
  }

  std::vector<uint8_t> RawChunk(const ChunkName& name) const {
    const ByteSource& bytes = *sent_.regions[name.region].bytes;
    return *ReadBytes(bytes, name.chunk * kChunkBytes, ChunkSize(bytes.size(), name.chunk));
  }

  void Send(const SessionId& session, const std::vector<ChunkName>& chunks) {
    if (chunks.empty()) return;
    PackBuilder builder;
    for (const ChunkName& name : chunks) {
      const std::vector<uint8_t> raw = RawChunk(name);
      const EncodedChunk encoded = EncodeChunk(raw);
      builder.Add({.region = name.region,
                   .chunk = name.chunk,
                   .encoding = encoded.encoding,
                   .raw_size = static_cast<uint32_t>(raw.size()),
                   .digest = Sha256Of(ByteView(raw))},
                  BytesOf(encoded.bytes));
    }
    const Pack pack = builder.Build(session.value());
    ASSERT_TRUE(index_.AddPack(session, {*store_.Put(BytesOf(pack.bytes)), pack.entries}).ok());
  }

  SessionId Begin(const std::string& device) {
    const SessionId id(device);
    EXPECT_TRUE(index_.BeginSession(DeviceId(device), manifest_, "", SessionTerms(), id, kNow, kNow).ok());
    return id;
  }

  // The crash, read.
  CrashId Finish(const SessionId& session) {
    const SessionWithPacks found = *index_.GetSessionWithPacks(session);
    const CrashId fresh = CrashId::Make(kNow, {++crashes_});
    const CrashId crash = *index_.FinishSession(session, fresh, SizeOf(found.session.manifest, found.packs));
    FakeClock clock(kNow);
    CrashReader reader({.index = &index_, .store = &store_, .clock = &clock, .metrics = &metrics_}, {});
    EXPECT_TRUE(*reader.ReadOne());
    return crash;
  }

  std::shared_ptr<const OpenedCrash> Open(const CrashId& crash) {
    return *OpenedCrash::Open(crash, &index_, &store_, nullptr);
  }
  std::string Facts(const CrashId& crash) {
    return EncodeFacts(*index_.GetCrash(crash)->facts, FactsDetail::kAll);
  }

  // Every byte that is shown is the byte that was sent, from the start of its region on.
  void ExpectNothingIsMadeUp(const OpenedCrash& crash) {
    ASSERT_EQ(crash.received().regions.size(), sent_.regions.size());
    for (size_t i = 0; i < sent_.regions.size(); ++i) {
      const auto& shown = crash.received().regions[i].bytes;
      if (shown == nullptr) continue;
      const std::vector<uint8_t> bytes = *ReadBytes(*shown, 0, shown->size());
      EXPECT_EQ(bytes, *ReadBytes(*sent_.regions[i].bytes, 0, bytes.size())) << i;
    }
  }

  RegionSet sent_;
  Manifest manifest_;
  std::vector<ChunkName> chunks_;
  MemoryCrashIndex index_;
  MemoryPackStore store_;
  AnalysisMetrics metrics_;
  uint8_t crashes_ = 0;
};

TEST_P(LateUploadTest, CompletedLateItIsTheCrashThatWasSentWhole) {
  const SessionId whole_session = Begin("whole");
  Send(whole_session, chunks_);
  const CrashId whole = Finish(whole_session);
  EXPECT_TRUE(Open(whole)->whole());
  for (uint32_t seed = 0; seed < 6; ++seed) {
    std::mt19937 random(seed);
    std::vector<ChunkName> order = chunks_;
    std::shuffle(order.begin(), order.end(), random);
    const size_t first = random() % order.size();
    const SessionId session = Begin("late" + std::to_string(seed));
    Send(session, {order.begin(), order.begin() + static_cast<ptrdiff_t>(first)});
    const CrashId crash = Finish(session);
    const auto part = Open(crash);
    EXPECT_FALSE(part->whole());
    ExpectNothingIsMadeUp(*part);
    EXPECT_NE(index_.GetCrash(crash)->state, CrashState::kComplete);
    EXPECT_LT(index_.GetCrash(crash)->here_bytes, index_.GetCrash(crash)->raw_bytes);

    ASSERT_TRUE(index_.ReopenSession(session, SessionTerms(), kNow).ok());
    Send(session, {order.begin() + static_cast<ptrdiff_t>(first), order.end()});
    EXPECT_EQ(Open(crash)->revision(), 0u) << "not finished again";
    EXPECT_EQ(Finish(session), crash);
    EXPECT_EQ(Facts(crash), Facts(whole)) << "seed " << seed;
    const auto complete = Open(crash);
    EXPECT_TRUE(complete->whole());
    EXPECT_EQ(complete->revision(), 1u);
    ExpectNothingIsMadeUp(*complete);
    EXPECT_EQ(index_.GetCrash(crash)->here_bytes, index_.GetCrash(crash)->raw_bytes);
  }
}

TEST_P(LateUploadTest, WhatWasNotSentIsSaidByRegionAndSize) {
  const SessionId session = Begin("part");
  std::vector<ChunkName> sent;
  for (const ChunkName& chunk : chunks_) {
    if (chunk.region != 0) sent.push_back(chunk);
  }
  Send(session, sent);
  const StoredCrash crash = *index_.GetCrash(Finish(session));
  const std::string size = std::to_string(manifest_.regions[0].size);
  std::vector<Defect> not_sent;
  for (const Defect& defect : crash.facts->defects) {
    if (defect.code == DefectCode::kNotSent) not_sent.push_back(defect);
  }
  ASSERT_EQ(not_sent.size(), 1u);
  EXPECT_FALSE(not_sent[0].region.empty());
  EXPECT_EQ(not_sent[0].detail, size + " of its " + size + " bytes are not here");
  EXPECT_NE(crash.state, CrashState::kComplete);
  for (const RegionFacts& region : crash.facts->regions) EXPECT_NE(region.index, 0u) << "it was not received";
}

INSTANTIATE_TEST_SUITE_P(Sources, LateUploadTest,
                         testing::Values(SimulatedSource::kMeminspectV1, SimulatedSource::kMeminspectV3,
                                         SimulatedSource::kRawDump, SimulatedSource::kVmcore,
                                         SimulatedSource::kPstoreEfi),
                         [](const auto& info) { return std::to_string(info.index); });

}  // namespace
}  // namespace corefleet
