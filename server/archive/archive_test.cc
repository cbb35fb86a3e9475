#include "server/archive/archive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/ascii.h"
#include "server/archive/page_token.h"
#include "server/archive/region_choice.h"
#include "server/ingest/announced_crash.h"
#include "server/ingest/ingestor.h"
#include "storage/memory/memory_crash_index.h"
#include "storage/memory/memory_pack_store.h"

namespace corefleet {
namespace {

using ::testing::HasSubstr;

class ArchiveTest : public testing::Test {
 protected:
  CrashId Receive(const std::string& device = "d") {
    clock_.Advance(absl::Seconds(1));
    const AnnouncedCrash crash({AnnouncedCrash::Noise(100'000, ++seed_), "hello"});
    const std::string session =
        ingestor_.Begin(DeviceCaller::Anyone(), {.device = device, .manifest = crash.manifest})
            ->session.value();
    auto writer = *ingestor_.OpenWriter(DeviceCaller::Anyone(), session);
    for (uint64_t chunk : {0, 1}) EXPECT_TRUE(writer->Add(OwnedChunk(crash, 0, chunk).view()).ok());
    EXPECT_TRUE(writer->Add(OwnedChunk(crash, 1, 0).view()).ok());
    EXPECT_TRUE(writer->Flush().ok());
    return ingestor_.Finish(DeviceCaller::Anyone(), session)->crash;
  }
  // A crash whose printed id starts with `prefix`.
  CrashId Plant(uint8_t first, uint8_t second, uint8_t third) {
    const AnnouncedCrash crash({AnnouncedCrash::Noise(10, ++seed_)});
    const Session session = index_
                                .BeginSession(DeviceId("d"), crash.manifest, "", SessionTerms(),
                                              SessionId(std::string(31, 'a') + std::to_string(seed_ % 10)),
                                              clock_.Now(), clock_.Now())
                                ->session;
    return *index_.FinishSession(session.id, CrashId::Make(clock_.Now(), {0, 0, 0, first, second, third}), 10,
                                 10);
  }

  MemoryCrashIndex index_;
  MemoryPackStore store_;
  FakeClock clock_{absl::FromUnixSeconds(1'800'000'000)};
  IngestMetrics ingest_metrics_;
  Ingestor ingestor_{{.index = &index_, .store = &store_, .clock = &clock_, .metrics = &ingest_metrics_},
                     IngestLimits()};
  Archive archive_{&index_, &store_};
  uint32_t seed_ = 0;
};

TEST_F(ArchiveTest, ResolvesIdsPrefixesAndTheLatest) {
  EXPECT_TRUE(absl::IsNotFound(archive_.Resolve("@latest").status()));
  const CrashId old = Receive();
  const CrashId young = Receive();
  EXPECT_EQ(*archive_.Resolve("@latest"), young);
  EXPECT_EQ(*archive_.Resolve(old.ToString()), old);
  EXPECT_EQ(*archive_.Resolve(old.ToString().substr(0, 12)), old);
  EXPECT_EQ(*archive_.Resolve(absl::AsciiStrToUpper(old.ToString().substr(0, 12))), old);
}

TEST_F(ArchiveTest, NamesTheCandidatesOfASharedPrefix) {
  const CrashId first = Plant(0xab, 0xcd, 0x01);
  const CrashId second = Plant(0xab, 0xcd, 0x02);
  const auto shared = archive_.Get("abcd");
  EXPECT_TRUE(absl::IsFailedPrecondition(shared.status()));
  EXPECT_THAT(std::string(shared.status().message()), HasSubstr(first.ToString()));
  EXPECT_THAT(std::string(shared.status().message()), HasSubstr(second.ToString()));
  EXPECT_EQ(archive_.Get("abcd02")->id, second);
  EXPECT_TRUE(absl::IsNotFound(archive_.Get("abcd03").status()));
}

TEST_F(ArchiveTest, WhatNamesNoCrashIsRefused) {
  for (const char* name : {"", "abc", "xyzw", "@newest", "abcd efgh", "000000000000000000000000000000000"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(archive_.Get(name).status())) << name;
  }
  EXPECT_TRUE(absl::IsNotFound(archive_.Get(std::string(32, '0')).status()));
}

TEST_F(ArchiveTest, PagesWalkTheWholeListOnce) {
  std::vector<CrashId> all;
  for (int i = 0; i < 7; ++i) all.push_back(Receive());
  std::vector<CrashId> seen;
  std::string token;
  do {
    const auto page = archive_.List(CrashFilter(), 3, token);
    ASSERT_TRUE(page.ok()) << page.status();
    for (const StoredCrash& crash : page->crashes) seen.push_back(crash.id);
    token = page->next_page_token;
  } while (!token.empty() && seen.size() < 20);
  EXPECT_EQ(seen, std::vector<CrashId>(all.rbegin(), all.rend()));
}

TEST_F(ArchiveTest, ATokenBelongsToItsFilter) {
  for (int i = 0; i < 3; ++i) Receive();
  const std::string token = archive_.List(CrashFilter(), 1, "")->next_page_token;
  ASSERT_FALSE(token.empty());
  EXPECT_TRUE(archive_.List(CrashFilter(), 2, token).ok()) << "another page size is fine";
  EXPECT_TRUE(absl::IsInvalidArgument(archive_.List({.device = DeviceId("d")}, 1, token).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(archive_.List({.untainted = true}, 1, token).status()));
  for (std::string wrong : {std::string("x"), token.substr(1), token + "AAAA", std::string(1000, 'A')}) {
    EXPECT_TRUE(absl::IsInvalidArgument(archive_.List(CrashFilter(), 1, wrong).status())) << wrong;
  }
}

TEST_F(ArchiveTest, PageSizesHaveBounds) {
  EXPECT_TRUE(absl::IsInvalidArgument(archive_.List(CrashFilter(), -1, "").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(archive_.List(CrashFilter(), 1001, "").status()));
  for (int i = 0; i < 51; ++i) Receive();
  EXPECT_EQ(archive_.List(CrashFilter(), 0, "")->crashes.size(), 50u);
}

TEST_F(ArchiveTest, GivesRegionsAsReceived) {
  const std::string id = Receive().ToString();
  for (const char* name : {"md_r1.BIN", "r1"}) {
    const auto region = archive_.Region(id, name);
    ASSERT_TRUE(region.ok()) << region.status();
    EXPECT_EQ(TextOf(*ReadBytes(**region, 0, 5)), "hello");
  }
  EXPECT_TRUE(absl::IsNotFound(archive_.Region(id, "r9").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(archive_.Region(id, "").status()));
}

TEST_F(ArchiveTest, AStoreThatComesBackIsReadAgain) {
  const std::string id = Receive().ToString();
  store_.SetReadStatus(absl::UnavailableError("away"));
  EXPECT_TRUE(absl::IsUnavailable(archive_.Log(id).status()));
  store_.SetReadStatus(absl::OkStatus());
  EXPECT_TRUE(archive_.Log(id).ok());
}

TEST_F(ArchiveTest, MemoryReadsHaveBounds) {
  const std::string id = Receive().ToString();
  const auto code = [&](uint64_t address, uint32_t length) {
    return archive_.ReadMemory(id, Archive::Addresses::kPhysical, address, length).status().code();
  };
  EXPECT_EQ(code(0, 0), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(0, (1 << 20) + 1), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(UINT64_MAX, 2), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(UINT64_MAX, 1), absl::StatusCode::kNotFound);
  const auto missing = archive_.ReadMemory(id, Archive::Addresses::kVirtual, 0x1000, 8);
  EXPECT_THAT(std::string(missing.status().message()), HasSubstr("0 of 8 bytes at 0x0000000000001000"));
}

TEST(ChooseRegionTest, TheStrongestKindOfNameDecides) {
  const auto bytes = std::make_shared<MemorySource>(absl::string_view("x"));
  RegionSet set;
  set.regions.push_back({.file_name = "24", .name = "first", .id = 7, .bytes = bytes});
  set.regions.push_back({.file_name = "b", .name = "twin", .id = 24, .bytes = bytes});
  set.regions.push_back({.file_name = "c\xff", .name = "twin", .id = 25, .bytes = bytes});
  CoreImage image;
  image.regions.push_back({.name = "lost", .state = RegionState::kMissing});
  image.regions.push_back({.name = "inferred", .index = 0});
  EXPECT_EQ(*ChooseRegion("24", image, set), 0u) << "a file name goes before an id";
  EXPECT_EQ(*ChooseRegion("25", image, set), 2u);
  EXPECT_EQ(*ChooseRegion("c\xff", image, set), 2u);
  EXPECT_EQ(*ChooseRegion("c\\xff", image, set), 2u) << "as it is shown";
  EXPECT_EQ(*ChooseRegion("twin 24", image, set), 1u);
  EXPECT_EQ(*ChooseRegion("inferred", image, set), 0u);
  const auto twins = ChooseRegion("twin", image, set);
  EXPECT_TRUE(absl::IsFailedPrecondition(twins.status()));
  EXPECT_THAT(std::string(twins.status().message()), HasSubstr("b (id 24), c\\xff (id 25)"));
  const auto lost = ChooseRegion("lost", image, set);
  EXPECT_TRUE(absl::IsNotFound(lost.status()));
  EXPECT_THAT(std::string(lost.status().message()), HasSubstr("nothing was received"));
}

}  // namespace
}  // namespace corefleet
