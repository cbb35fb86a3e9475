#ifndef COREFLEET_STORAGE_CONTRACT_CRASH_INDEX_FIXTURE_H_
#define COREFLEET_STORAGE_CONTRACT_CRASH_INDEX_FIXTURE_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "storage/contract/index_under_test.h"
#include "storage/crash_index.h"

namespace corefleet {

inline const absl::Time kNow = absl::FromUnixSeconds(1'790'000'000);  // 2026-09-21
inline constexpr absl::Duration kDay = absl::Hours(24);

inline Manifest ManifestNumber(int number) {
  Manifest manifest;
  manifest.regions.push_back({.file_name = absl::StrCat("md_K", number, ".BIN"), .id = 24, .size = 100});
  // Two regions that are not in canonical order: the stored order is the one that packs refer to.
  manifest.regions.push_back(
      {.file_name = "a\xff\n", .name = "a", .paddr = UINT64_MAX, .size = kMaxRegionBytes});
  return manifest;
}

inline StoredPack PackNumber(int number) {
  StoredPack pack{.ref = {absl::StrCat("key-", number / 2), static_cast<uint64_t>(number) << 33, 70000}};
  pack.entries.push_back({.region = 1,
                          .chunk = uint64_t{1} << 40,
                          .encoding = ChunkEncoding::kZstd,
                          .raw_size = kChunkBytes,
                          .stored_size = 500,
                          .offset = 2000});
  pack.entries.back().digest.fill(static_cast<uint8_t>(number));
  return pack;
}

inline CrashFacts FactsOf(const std::string& build, const std::string& release,
                          std::optional<uint64_t> taint) {
  CrashFacts facts{.analyzer_version = 1, .state = CrashState::kComplete};
  if (!build.empty()) facts.build_id = {{build, Provenance::kVmcoreinfo}};
  if (!release.empty()) facts.release = {{release, Provenance::kVmcoreinfo}};
  if (taint) facts.taint.mask = {{*taint, Provenance::kSymbol}};
  facts.regions.push_back({.name = "Kprb_info", .size = 1});
  facts.defects.push_back({DefectCode::kLogGap, "", "3 records"});
  return facts;
}

// An empty index of each engine, and what makes crashes in it.
class CrashIndexTest : public testing::TestWithParam<IndexFactory> {
 protected:
  CrashIndexTest() : under_test_(GetParam()()), index_(under_test_->index()) {}

  SessionId FreshSession() { return SessionId(absl::StrFormat("%032x", ++sessions_)); }
  CrashId FreshCrash(absl::Time when = kNow) {
    return CrashId::Make(when, {0, 0, 0, 0, 0, 0, 0, 0, static_cast<uint8_t>(crashes_ >> 8),
                                static_cast<uint8_t>(crashes_++)});
  }
  absl::StatusOr<BeginResult> Begin(int number, const std::string& device = "lab-1") {
    return index_->BeginSession(DeviceId(device), ManifestNumber(number), "note", SessionTerms(),
                                FreshSession(), kNow, kNow + kDay);
  }
  // A crash, received at `when`.
  CrashId Crash(int number, absl::Time when = kNow, const std::string& device = "lab-1") {
    const auto begun = Begin(number, device);
    EXPECT_TRUE(begun.ok()) << begun.status();
    const auto crash = index_->FinishSession(begun->session.id, FreshCrash(when), 100, 50);
    EXPECT_TRUE(crash.ok()) << crash.status();
    return crash.value_or(CrashId());
  }
  // Crashes with these facts, oldest first, a minute apart.
  std::vector<CrashId> Crashes(const std::vector<CrashFacts>& all) {
    std::vector<CrashId> ids;
    for (size_t i = 0; i < all.size(); ++i) {
      ids.push_back(Crash(static_cast<int>(i), kNow + absl::Minutes(i)));
      EXPECT_TRUE(index_->PutFacts(ids.back(), all[i]).ok());
    }
    return ids;
  }
  std::vector<CrashId> List(const CrashFilter& filter) {
    const auto page = index_->ListCrashes(filter, CrashId(), 1000);
    EXPECT_TRUE(page.ok()) << page.status();
    std::vector<CrashId> ids;
    if (!page.ok()) return ids;
    for (const StoredCrash& crash : page->crashes) ids.push_back(crash.id);
    return ids;
  }

  std::unique_ptr<IndexUnderTest> under_test_;
  CrashIndex* const index_;
  uint64_t sessions_ = 0;
  uint32_t crashes_ = 0;
};

}  // namespace corefleet

#endif  // COREFLEET_STORAGE_CONTRACT_CRASH_INDEX_FIXTURE_H_
