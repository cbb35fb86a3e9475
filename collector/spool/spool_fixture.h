#ifndef COREFLEET_COLLECTOR_SPOOL_SPOOL_FIXTURE_H_
#define COREFLEET_COLLECTOR_SPOOL_SPOOL_FIXTURE_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "collector/spool/faulty_spool_folder.h"
#include "collector/spool/spool.h"
#include "core/digest/chunk.h"
#include "gtest/gtest.h"

namespace corefleet {

// Bytes that do not compress, and are others for every seed.
inline std::vector<uint8_t> Noise(size_t size, uint64_t seed) {
  std::vector<uint8_t> bytes(size);
  uint64_t state = seed * 0x9e3779b97f4a7c15 + 1;
  for (uint8_t& byte : bytes) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    byte = static_cast<uint8_t>(state);
  }
  return bytes;
}

// A crash of one region.
inline RegionSet CrashOf(std::vector<uint8_t> bytes, const std::string& name = "md_KLOG.BIN") {
  RegionSet set;
  Region region;
  region.file_name = name;
  region.name = "KLOG";
  region.bytes = std::make_shared<MemorySource>(std::move(bytes));
  set.regions.push_back(std::move(region));
  return set;
}

inline RegionSet CrashOf(const std::string& text) {
  return CrashOf(std::vector<uint8_t>(text.begin(), text.end()));
}

inline SpoolTags TagsOf(const std::string& panic, const std::string& source = "pstore") {
  SpoolTags tags;
  tags.device = DeviceId("edge-1");
  tags.clues.panic = panic;
  tags.clues.source = source;
  tags.boot_id = "boot-2";
  return tags;
}

// All bytes of a region, decoded.
inline std::string ContentOf(OutgoingCrash& crash, uint32_t region = 0) {
  std::string content;
  const uint64_t size = crash.manifest().regions[region].size;
  for (uint64_t chunk = 0; chunk < ChunkCount(size); ++chunk) {
    const absl::StatusOr<OutgoingChunk> read = crash.Read(region, chunk);
    EXPECT_TRUE(read.ok()) << read.status();
    if (!read.ok()) return "unreadable";
    const auto raw =
        DecodeChunk(read->encoded.encoding, BytesOf(read->encoded.bytes), read->raw_size, read->sha256);
    EXPECT_TRUE(raw.ok()) << raw.status();
    if (raw.ok()) content.append(raw->begin(), raw->end());
  }
  return content;
}

inline std::string ContentOf(Spool* spool, SpoolId id) {
  const auto crash = spool->OpenEntry(id);
  EXPECT_TRUE(crash.ok()) << crash.status();
  return crash.ok() ? ContentOf(**crash) : "unreadable";
}

// A spool on a disk in memory that can be opened again.
class SpoolTest : public testing::Test {
 protected:
  SpoolTest() {
    limits_.max_bytes = 4 << 20;
    limits_.min_free_bytes = 1 << 20;
    limits_.max_entries = 20;
    Reopen();
  }
  void Reopen() {
    spool_.reset();
    auto spool = Spool::Open(disk_.Open(), limits_, {.clock = &clock_, .boot_id = boot_id_, .known = known_});
    ASSERT_TRUE(spool.ok()) << spool.status();
    spool_ = *std::move(spool);
  }
  // Puts a crash and expects that it is there.
  SpoolId Put(const std::string& text, const std::string& panic = "") {
    const auto put = spool_->Put(CrashOf(text), TagsOf(panic));
    EXPECT_TRUE(put.ok()) << put.status();
    return put.ok() ? put->id : 0;
  }
  std::vector<SpoolId> Ids() const {
    std::vector<SpoolId> ids;
    for (const SpoolEntry& entry : spool_->List()) ids.push_back(entry.id);
    return ids;
  }
  uint64_t Lost(LossReason reason) const { return spool_->Losses().of(reason); }
  static std::string NameOf(SpoolId id, const std::string& suffix = ".crash") {
    char name[32];
    snprintf(name, sizeof(name), "%016llx", static_cast<unsigned long long>(id));
    return name + suffix;
  }

  FaultyDisk disk_;
  FakeBootClock clock_;
  SpoolLimits limits_;
  std::string boot_id_ = "boot-2";
  std::function<bool(const CrashUid&)> known_;
  std::unique_ptr<Spool> spool_;
};

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_SPOOL_SPOOL_FIXTURE_H_
