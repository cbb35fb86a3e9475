#include <benchmark/benchmark.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/analyze.h"
#include "tests/bench/facts/stored_crash.h"
#include "tests/bench/load/crash_plan.h"
#include "tests/support/corpus.h"

// What reading the facts of a stored crash costs, next to inflating and verifying its chunks once, which is
// the least it can cost: only the ratio of two lines of one run means something.

namespace corefleet {
namespace {

// `files` as the load generator's device announces them.
RegionSet SetOf(const RegionFiles& files) {
  const CrashBody body(files, BodyEncoding::kRaw, /*keep_raw=*/false);
  RegionSet set;
  for (size_t i = 0; i < files.size(); ++i) {
    const v1::ManifestRegion& region = body.announcement().regions(static_cast<int>(i));
    Region one{.kind = RegionKind::kMemory, .file_name = region.file_name(), .name = region.name()};
    if (region.has_id()) one.id = region.id();
    one.bytes = std::make_shared<MemorySource>(files[i].second);
    set.regions.push_back(std::move(one));
  }
  return set;
}

void DecodeChunks(benchmark::State& state, const std::shared_ptr<StoredInMemory>& crash) {
  for (auto _ : state) {
    if (!crash->DecodeAllChunks()) state.SkipWithError("a chunk is damaged");
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * crash->raw_bytes()));
}

void ReadFacts(benchmark::State& state, const std::shared_ptr<StoredInMemory>& crash) {
  for (auto _ : state) {
    const std::shared_ptr<const OpenedCrash> opened = crash->Open();
    const Analysis analysis = Analyze(opened->image(), opened->set());
    benchmark::DoNotOptimize(analysis.facts.regions.data());
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * crash->raw_bytes()));
}

void Register(const std::string& name, const RegionSet& received) {
  const auto crash = std::make_shared<StoredInMemory>(received);
  benchmark::RegisterBenchmark(absl::StrCat("DecodeChunks/", name).c_str(), DecodeChunks, crash)
      ->Unit(benchmark::kMillisecond);
  benchmark::RegisterBenchmark(absl::StrCat("ReadFacts/", name).c_str(), ReadFacts, crash)
      ->Unit(benchmark::kMillisecond);
}

void RegisterAll() {
  const std::vector<CorpusCase> cases = ReadCorpus();
  for (const CorpusCase& one : cases) Register(one.name, RegionsOf(one, WithTable::kYes));
  const CrashMaker maker(*ParsePlan("2M"), cases);
  for (uint64_t i = 0; i < cases.size(); ++i)
    Register(absl::StrCat("generated-2M-", i), SetOf(maker.Regions(i)));
}

}  // namespace
}  // namespace corefleet

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  corefleet::RegisterAll();
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
