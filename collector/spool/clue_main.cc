// The child's half of reading clues.
#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <list>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "collector/spool/clue_protocol.h"
#include "collector/spool/clue_reader.h"
#include "collector/spool/entry_file.h"
#include "core/analyze.h"
#include "core/crash/region_set.h"
#include "core/digest/digest.h"
#include "core/kdump/reader/confinement.h"
#include "core/rebuild.h"

namespace corefleet {
namespace {

// The entry, through a descriptor that was handed down.
class InheritedBytes final : public SpoolBytes {
 public:
  explicit InheritedBytes(uint64_t size) : size_(size) {}
  uint64_t size() const override { return size_; }
  absl::Status ReadAt(uint64_t offset, absl::Span<uint8_t> out) const override {
    while (!out.empty()) {
      const ssize_t got = pread(kClueEntry, out.data(), out.size(), static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return absl::DataLossError("the entry cannot be read");
      out.remove_prefix(static_cast<size_t>(got));
      offset += static_cast<uint64_t>(got);
    }
    return absl::OkStatus();
  }

 private:
  const uint64_t size_;
};

// Decoded chunks, those that were used last. This process has one thread.
class ChunkCache {
 public:
  explicit ChunkCache(SpooledCrash* crash) : crash_(crash) {}

  // The chunk's bytes, or null if they cannot be read. Good until the next call.
  const std::vector<uint8_t>* Get(uint32_t region, uint64_t chunk) {
    for (auto it = chunks_.begin(); it != chunks_.end(); ++it) {
      if (it->region != region || it->chunk != chunk) continue;
      chunks_.splice(chunks_.begin(), chunks_, it);
      return &chunks_.front().raw;
    }
    absl::StatusOr<std::vector<uint8_t>> raw = crash_->ReadRaw(region, chunk);
    if (!raw.ok()) return nullptr;
    if (chunks_.size() == kMaxChunks) chunks_.pop_back();
    chunks_.push_front({region, chunk, *std::move(raw)});
    return &chunks_.front().raw;
  }

 private:
  static constexpr size_t kMaxChunks = 64;
  struct Chunk {
    uint32_t region;
    uint64_t chunk;
    std::vector<uint8_t> raw;
  };
  SpooledCrash* const crash_;
  std::list<Chunk> chunks_;
};

class RegionBytes final : public ByteSource {
 public:
  RegionBytes(ChunkCache* cache, uint32_t region, uint64_t size)
      : cache_(cache), region_(region), size_(size) {}
  uint64_t size() const override { return size_; }
  absl::Status ReadAt(uint64_t offset, absl::Span<uint8_t> out) const override {
    if (absl::Status status = CheckRange(offset, out.size(), size_); !status.ok()) return status;
    while (!out.empty()) {
      const std::vector<uint8_t>* const raw = cache_->Get(region_, offset / kChunkBytes);
      if (raw == nullptr) return absl::DataLossError("a chunk is damaged");
      const size_t skip = offset % kChunkBytes;
      const size_t take = std::min(out.size(), raw->size() - skip);
      std::copy_n(raw->begin() + static_cast<ptrdiff_t>(skip), take, out.begin());
      out.remove_prefix(take);
      offset += take;
    }
    return absl::OkStatus();
  }

 private:
  ChunkCache* const cache_;
  const uint32_t region_;
  const uint64_t size_;
};

RegionSet RegionsOf(const Manifest& manifest, ChunkCache* cache) {
  RegionSet set;
  for (uint32_t i = 0; i < manifest.regions.size(); ++i) {
    const ManifestRegion& region = manifest.regions[i];
    set.regions.push_back({.kind = region.kind,
                           .file_name = region.file_name,
                           .name = region.name,
                           .id = region.id,
                           .paddr = region.paddr,
                           .table_size = region.table_size,
                           .bytes = std::make_shared<RegionBytes>(cache, i, region.size)});
  }
  return set;
}

void AddText(const MaybeFact<std::string>& fact, std::string* out) {
  const std::string text = fact ? fact->value.substr(0, kMaxClueBytes) : "";
  out->push_back(static_cast<char>(text.size() & 0xff));
  out->push_back(static_cast<char>(text.size() >> 8));
  out->append(text);
}

int Answer(const std::string& answer) {
  const ssize_t sent = send(kClueSocket, answer.data(), answer.size(), MSG_NOSIGNAL);
  return sent == static_cast<ssize_t>(answer.size()) ? 0 : 1;
}

int ReadTheEntry() {
  struct stat info;
  if (fstat(kClueEntry, &info) != 0) return 2;
  auto file = std::make_unique<InheritedBytes>(static_cast<uint64_t>(info.st_size));
  absl::StatusOr<ParsedEntry> entry = ParseEntry(*file);
  if (!entry.ok()) return 3;
  SpooledCrash crash(std::move(file), *std::move(entry), nullptr);
  ChunkCache cache(&crash);
  const Rebuilt rebuilt = Rebuild(RegionsOf(crash.manifest(), &cache), /*opener=*/nullptr);
  const CrashFacts facts = Analyze(rebuilt.image, rebuilt.set).facts;
  std::string answer = kClueMark;
  AddText(facts.build_id, &answer);
  AddText(facts.release, &answer);
  AddText(facts.panic_reason, &answer);
  return Answer(answer);
}

}  // namespace

void MaybeRunClueReader(int argc, char** argv) {
  if (argc != 4 || absl::string_view(argv[1]) != kClueArgument) return;
  Confinement confinement;
  if (!absl::SimpleAtoi(argv[2], &confinement.processor_seconds) ||
      !absl::SimpleAtoi(argv[3], &confinement.address_space)) {
    _exit(4);
  }
  // OpenSSL opens its configuration at the first digest; later it may not.
  Sha256Of(ByteView());
  if (!ConfineThisProcess(confinement).ok()) _exit(5);
  // Nothing of the program that this also is shall run at its end.
  _exit(ReadTheEntry());
}

}  // namespace corefleet
