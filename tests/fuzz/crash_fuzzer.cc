// A whole crash with a few things wrong: the input is a list of patches to a real one, which is then put
// together, read and exported. So small inputs reach deep, and libFuzzer need not invent an ELF core first.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "core/analyze.h"
#include "core/bytes/byte_source.h"
#include "core/export/artifact.h"
#include "core/printk/kernel_log.h"
#include "core/rebuild.h"
#include "tests/support/corpus.h"
#include "tests/support/fuzz_target.h"

namespace corefleet {
namespace {

// One for each of: static ring, enlarged ring, arm64 with more CPUs, the ring's text missing.
// As many of tests/corpus/inputs get seeds of their own.
constexpr int kInputs = 16;
constexpr const char* kSamples[] = {"a47-null-oops", "c612-biglog-numa", "d53-bug-work-8cpu",
                                    "e612-badptr-v3"};
constexpr size_t kPatchBytes = 16;
constexpr size_t kMaxPatches = 64;

struct Patch {
  uint8_t region;  // index, modulo what is there
  uint8_t operation;
  uint8_t width;  // bytes of value
  uint8_t spare;
  uint32_t offset;  // in the region, modulo its size
  uint64_t value;
};
static_assert(sizeof(Patch) == kPatchBytes);

enum Operation : uint8_t { kSet, kCut, kDrop, kRepeat, kRename, kSwap, kSetWords, kOperations };

struct MutableRegion {
  Region region;
  std::vector<uint8_t> bytes;
};

void SetBytes(const Patch& patch, std::vector<uint8_t>* bytes) {
  if (bytes->empty()) return;
  const size_t at = patch.offset % bytes->size();
  const size_t width = std::min<size_t>({1u + patch.width % 8, bytes->size() - at});
  std::memcpy(bytes->data() + at, &patch.value, width);
}

// Pointers and sizes stand at multiples of eight.
void SetWord(Patch patch, std::vector<uint8_t>* bytes) {
  patch.offset &= ~uint32_t{7};
  patch.width = 7;
  SetBytes(patch, bytes);
}

void Apply(const Patch& patch, std::vector<MutableRegion>* regions) {
  if (regions->empty()) return;
  const size_t index = patch.region % regions->size();
  MutableRegion& target = (*regions)[index];
  switch (patch.operation % kOperations) {
    case kSet:
      return SetBytes(patch, &target.bytes);
    case kSetWords:
      return SetWord(patch, &target.bytes);
    case kCut:
      if (!target.bytes.empty()) target.bytes.resize(patch.offset % target.bytes.size());
      return;
    case kDrop:
      regions->erase(regions->begin() + static_cast<ptrdiff_t>(index));
      return;
    case kRepeat:
      if (regions->size() < kMaxRegions) regions->push_back(MutableRegion(target));
      return;
    case kRename:
      target.region.name.assign(reinterpret_cast<const char*>(&patch.value), sizeof(patch.value));
      target.region.id = patch.offset;
      return;
    case kSwap:
      std::swap(target.bytes, (*regions)[patch.offset % regions->size()].bytes);
      return;
  }
}

std::vector<MutableRegion> Sample(uint8_t choice) {
  static const std::vector<RegionSet>* const samples = [] {
    auto* read = new std::vector<RegionSet>;
    for (const char* name : kSamples) {
      const CorpusCase crash = ReadCorpusCase(name);
      read->push_back(RegionsOf(crash, WithTable::kNo));
      read->push_back(RegionsOf(crash, WithTable::kYes));
    }
    for (const CorpusCase& crash : ReadInputCorpus()) read->push_back(InputsOf(crash));
    return read;
  }();
  RegionSet set = (*samples)[choice % samples->size()];
  std::vector<MutableRegion> regions;
  for (Region& region : set.regions) {
    std::vector<uint8_t> bytes = *ReadBytes(*region.bytes, 0, region.bytes->size());
    regions.push_back({.region = std::move(region), .bytes = std::move(bytes)});
  }
  return regions;
}

RegionSet SetOf(std::vector<MutableRegion> regions) {
  RegionSet set;
  for (MutableRegion& each : regions) {
    each.region.bytes = std::make_shared<MemorySource>(std::move(each.bytes));
    set.regions.push_back(std::move(each.region));
  }
  return set;
}

// Its beginning and its end; whole artifacts would make every run slow.
void ReadEnds(const ByteSource& artifact) {
  const uint64_t size = std::min<uint64_t>(artifact.size(), 1 << 16);
  ReadBytes(artifact, 0, size).IgnoreError();
  ReadBytes(artifact, artifact.size() - size, size).IgnoreError();
}

void ReadEverything(const RegionSet& received) {
  const Rebuilt rebuilt = Rebuild(received, nullptr);
  const CoreImage& image = rebuilt.image;
  const Analysis analysis = Analyze(image, rebuilt.set);
  // Nothing that was received may go without a word: the first regions are the received ones, as they were.
  FUZZ_CHECK(rebuilt.set.regions.size() >= received.regions.size());
  for (size_t i = 0; i < received.regions.size(); ++i) {
    FUZZ_CHECK(rebuilt.set.regions[i].bytes == received.regions[i].bytes);
  }
  RenderRaw(analysis.log);
  RenderText(analysis.log);
  for (const ArtifactKind kind :
       {ArtifactKind::kCore, ArtifactKind::kZero, ArtifactKind::kConcat, ArtifactKind::kRaw,
        ArtifactKind::kVmcoreinfo, ArtifactKind::kConfig, ArtifactKind::kLog, ArtifactKind::kKdump}) {
    const auto artifact = MakeArtifact(kind, image, kind == ArtifactKind::kRaw ? received : rebuilt.set);
    if (artifact.ok()) ReadEnds(**artifact);
  }
}

std::string Seed(uint8_t sample, const std::vector<Patch>& patches) {
  std::string seed(1, static_cast<char>(sample));
  for (const Patch& patch : patches) seed.append(reinterpret_cast<const char*>(&patch), sizeof(patch));
  return seed;
}

}  // namespace

std::vector<std::string> FuzzSeeds() {
  std::vector<std::string> seeds;
  for (uint8_t sample = 0; sample < 2 * std::size(kSamples) + kInputs; ++sample) {
    seeds.push_back(Seed(sample, {}));
    seeds.push_back(
        Seed(sample, {{.region = 0, .operation = kSetWords, .offset = 32, .value = ~uint64_t{0}},
                      {.region = 1, .operation = kSet, .width = 3, .offset = 90, .value = 0x3d3d3d3d}}));
    seeds.push_back(
        Seed(sample, {{.region = 0, .operation = kDrop}, {.region = 30, .operation = kCut, .offset = 100}}));
  }
  return seeds;
}

}  // namespace corefleet

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::vector<corefleet::MutableRegion> regions = corefleet::Sample(data[0]);
  const size_t patches = std::min((size - 1) / corefleet::kPatchBytes, corefleet::kMaxPatches);
  for (size_t i = 0; i < patches; ++i) {
    corefleet::Patch patch;
    std::memcpy(&patch, data + 1 + i * corefleet::kPatchBytes, sizeof(patch));
    corefleet::Apply(patch, &regions);
  }
  corefleet::ReadEverything(corefleet::SetOf(std::move(regions)));
  return 0;
}
