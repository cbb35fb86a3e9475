#include <benchmark/benchmark.h>

#include <cstring>

#include "core/export/core_file.h"
#include "core/rebuild.h"
#include "tests/support/corpus.h"

// How fast regions become a core, next to copying the core's bytes: only the ratio of two lines of one run
// means something. tests/bench/rates prints it.

namespace corefleet {
namespace {

constexpr char kCrash[] = "c612-biglog-numa";  // the largest

const RegionSet& Received() {
  static const auto* const set = new RegionSet(RegionsOf(ReadCorpusCase(kCrash), WithTable::kYes));
  return *set;
}

std::shared_ptr<const ByteSource> Core(const RegionSet& set) {
  return *MakeCoreFile(Rebuild(set, nullptr).image, Holes::kFault);
}

void CopyCore(benchmark::State& state) {
  const std::shared_ptr<const ByteSource> core = Core(Received());
  const std::vector<uint8_t> from = *ReadBytes(*core, 0, core->size());
  for (auto _ : state) {
    std::vector<uint8_t> to(from.size());
    std::memcpy(to.data(), from.data(), from.size());
    benchmark::DoNotOptimize(to.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * from.size()));
}
BENCHMARK(CopyCore);

void RebuildCore(benchmark::State& state) {
  size_t bytes = 0;
  for (auto _ : state) {
    const std::shared_ptr<const ByteSource> core = Core(Received());
    const std::vector<uint8_t> whole = *ReadBytes(*core, 0, core->size());
    benchmark::DoNotOptimize(whole.data());
    bytes += whole.size();
  }
  state.SetBytesProcessed(static_cast<int64_t>(bytes));
}
BENCHMARK(RebuildCore);

// Reading alone, of a core that is planned.
void ReadCore(benchmark::State& state) {
  const std::shared_ptr<const ByteSource> core = Core(Received());
  for (auto _ : state) {
    const std::vector<uint8_t> whole = *ReadBytes(*core, 0, core->size());
    benchmark::DoNotOptimize(whole.data());
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * core->size()));
}
BENCHMARK(ReadCore);

}  // namespace
}  // namespace corefleet

BENCHMARK_MAIN();
