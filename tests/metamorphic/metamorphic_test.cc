// What must not matter: a crash is handed over in another way, and what is read from it stays the same, but
// for what each test says. Over made-up kernels of several seeds, and over the real crashes.
#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "core/minidump/address_table.h"
#include "core/minidump/qaic_writer.h"
#include "core/minidump/raw_dump_writer.h"
#include "core/simulate/random.h"
#include "core/simulate/received.h"
#include "core/simulate/simulate.h"
#include "gtest/gtest.h"
#include "tests/metamorphic/fingerprint.h"
#include "tests/support/corpus.h"

namespace corefleet {
namespace {

// A crash as a folder of region files and, at the end, the address table.
struct Sample {
  std::string name;
  RegionSet set;
};

SimulationOptions MadeUp(uint64_t seed) {
  static constexpr const char* kReleases[] = {"4.19.0", "5.10.0", "6.1.0", "6.6.0", "6.12.0"};
  SimulationOptions options;
  options.kernel.release = kReleases[seed % std::size(kReleases)];
  options.kernel.architecture = seed % 2 == 0 ? Architecture::kArm64 : Architecture::kX86_64;
  options.kernel.seed = seed;
  options.kernel.cpus = 1 + seed % 8;
  options.source = static_cast<SimulatedSource>(seed % 3);  // the three series
  options.crash = AllCrashKinds()[seed % AllCrashKinds().size()].kind;
  options.log_shift = 14;
  return options;
}

Sample Simulated(uint64_t seed) {
  const absl::StatusOr<SimulatedCrash> crash = Simulate(MadeUp(seed));
  EXPECT_TRUE(crash.ok()) << crash.status();
  return {absl::StrCat("seed ", seed), ReceivedFrom(crash->files)};
}

const std::vector<Sample>& Samples() {
  static const auto* const samples = [] {
    auto* all = new std::vector<Sample>;
    for (uint64_t seed = 1; seed <= 12; ++seed) all->push_back(Simulated(seed));
    for (const CorpusCase& crash : ReadCorpus())
      all->push_back({crash.name, RegionsOf(crash, WithTable::kYes)});
    return all;
  }();
  return *samples;
}

bool IsTable(const Region& region) { return region.kind != RegionKind::kMemory; }

RegionSet WithoutTable(RegionSet set) {
  set.regions.erase(std::remove_if(set.regions.begin(), set.regions.end(), IsTable), set.regions.end());
  return set;
}

std::vector<uint8_t> BytesOfRegion(const Region& region) {
  return *ReadBytes(*region.bytes, 0, region.bytes->size());
}

// Same in everything, but for these codes of defects, of which `b` may have more.
void ExpectSameBut(const Sample& sample, const RegionSet& changed,
                   const std::vector<std::string>& more_defects, bool more_regions = false) {
  SCOPED_TRACE(sample.name);
  const Fingerprint before = FingerprintOf(sample.set);
  Fingerprint after = FingerprintOf(changed);
  if (after.defects.count("REGION_AMBIGUOUS") > before.defects.count("REGION_AMBIGUOUS"))
    after.facts["state"] = before.facts.at("state");
  for (const std::string& code : more_defects) {
    const size_t had = before.defects.count(code);
    after.defects.erase(code);
    for (size_t i = 0; i < had; ++i) after.defects.insert(code);
  }
  if (more_regions) {
    std::multiset<std::string> kept;
    std::set_intersection(before.regions.begin(), before.regions.end(), after.regions.begin(),
                          after.regions.end(), std::inserter(kept, kept.begin()));
    after.regions = kept;
  }
  EXPECT_EQ(Differences(before, after), "");
}

TEST(MetamorphicTest, TheOrderOfArrivalMeansNothing) {
  for (const Sample& sample : Samples()) {
    for (const uint64_t seed : {1, 2, 3}) {
      RegionSet shuffled = sample.set;
      Random random(seed, "order");
      for (size_t i = shuffled.regions.size(); i > 1; --i)
        std::swap(shuffled.regions[i - 1], shuffled.regions[random.Below(i)]);
      ExpectSameBut(sample, shuffled, {});
    }
  }
}

TEST(MetamorphicTest, AHealthySetNeedsNoTable) {
  for (const Sample& sample : Samples()) ExpectSameBut(sample, WithoutTable(sample.set), {});
}

// The extra regions are listed, as duplicates; each is named.
TEST(MetamorphicTest, ExactDuplicatesOnlyGetNamed) {
  for (const Sample& sample : Samples()) {
    Random random(7, sample.name);
    RegionSet more = sample.set;
    for (int copies = 0; copies < 5; ++copies) {
      Region copy = more.regions[random.Below(sample.set.regions.size())];
      copy.file_name =
          absl::StrCat("md_2d_", copies,
                       copy.file_name.substr(
                           copy.file_name.find('K') == std::string::npos ? 0 : copy.file_name.find('K')));
      if (!IsTable(copy)) more.regions.push_back(std::move(copy));
    }
    ExpectSameBut(sample, more, {"REGION_DUPLICATE"}, /*more_regions=*/true);
  }
}

// Two files with each other's names: the table says where what is called so lies, and its size, and the
// header knows what lies there. Named where somebody can tell; a region that only its size places is called
// ambiguous, and a crash with one is PARTIAL.
TEST(MetamorphicTest, ExchangedNamesChangeNoFact) {
  for (const Sample& sample : Samples()) {
    for (const uint64_t seed : {1, 2, 3, 4}) {
      Random random(seed, sample.name);
      RegionSet renamed = sample.set;
      std::vector<size_t> files;
      for (size_t i = 0; i < renamed.regions.size(); ++i) {
        if (!IsTable(renamed.regions[i])) files.push_back(i);
      }
      Region& a = renamed.regions[random.Pick(files)];
      Region& b = renamed.regions[random.Pick(files)];
      // Of one size they could be told apart by nobody.
      if (a.bytes->size() == b.bytes->size()) continue;
      SCOPED_TRACE(absl::StrCat(a.file_name, " <-> ", b.file_name));
      std::swap(a.file_name, b.file_name);
      std::swap(a.name, b.name);
      std::swap(a.id, b.id);
      ExpectSameBut(sample, renamed, {"REGION_MISLABELLED", "REGION_AMBIGUOUS"});
    }
  }
}

// --- The same regions in containers

// The regions with the addresses that the table gives them.
std::vector<RawDumpFile> Sections(const RegionSet& set) {
  AddressTable table;
  for (const Region& region : set.regions) {
    if (IsTable(region)) table = ParseAddressTable(BytesOfRegion(region));
  }
  std::vector<RawDumpFile> sections;
  for (const Region& region : set.regions) {
    if (IsTable(region)) continue;
    RawDumpFile section{region.file_name, BytesOfRegion(region)};
    for (const AddressRow& row : table.rows) {
      if (row.name == region.name && row.id == region.id.value_or(0)) section.base = row.paddr;
    }
    sections.push_back(std::move(section));
  }
  return sections;
}

Region Artifact(std::string name, std::vector<uint8_t> bytes) {
  Region region;
  region.kind = RegionKind::kArtifact;
  region.file_name = std::move(name);
  region.bytes = std::make_shared<MemorySource>(std::move(bytes));
  return region;
}

TEST(MetamorphicTest, ARawDumpIsTheFolder) {
  for (const Sample& sample : Samples()) {
    RegionSet packed;
    packed.regions.push_back(Artifact("rawdump.bin", WriteRawDump(Sections(sample.set))));
    ExpectSameBut(sample, packed, {});
  }
}

TEST(MetamorphicTest, AContainerMayBeTwo) {
  for (const Sample& sample : Samples()) {
    const std::vector<RawDumpFile> all = Sections(sample.set);
    const auto middle = all.begin() + static_cast<ptrdiff_t>(all.size() / 2);
    RegionSet packed;
    packed.regions.push_back(
        Artifact("rawdump.0", WriteRawDump(std::vector<RawDumpFile>(all.begin(), middle))));
    packed.regions.push_back(
        Artifact("rawdump.1", WriteRawDump(std::vector<RawDumpFile>(middle, all.end()))));
    ExpectSameBut(sample, packed, {});
  }
}

TEST(MetamorphicTest, AnAic100BlobIsTheFolder) {
  for (const Sample& sample : Samples()) {
    std::vector<QaicFile> files;
    for (RawDumpFile& section : Sections(sample.set))
      files.push_back({section.name, section.name, section.base, std::move(section.bytes)});
    RegionSet packed;
    packed.regions.push_back(Artifact("sahara-ramdump.bin", WriteQaic(files)));
    ExpectSameBut(sample, packed, {});
  }
}

// --- Another place in memory

// Where the kernel lies shows in the regions' addresses, in pointers among their bytes, in the offset, and in
// the line in which panic() says it; nothing else is different.
TEST(MetamorphicTest, TheSlideMovesOnlyAddresses) {
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    SimulationOptions options = MadeUp(seed);
    const Fingerprint before = FingerprintOf(ReceivedFrom(Simulate(options)->files));
    for (const uint64_t kaslr_seed : {77, 78}) {
      options.kernel.kaslr_seed = kaslr_seed;
      Fingerprint after = FingerprintOf(ReceivedFrom(Simulate(options)->files));
      EXPECT_NE(after.facts["kaslr_offset"], before.facts.at("kaslr_offset"));
      after.facts["kaslr_offset"] = before.facts.at("kaslr_offset");
      EXPECT_EQ(after.regions.size(), before.regions.size());
      after.regions = before.regions;
      const auto without_addresses = [](const std::string& log) {
        std::vector<std::string> lines = absl::StrSplit(log, '\n');
        for (std::string& line : lines) {
          for (const char* said : {"Kernel Offset:", "RBX:", "RSI:", "R08:", "R11:", "R14:", "GS:"}) {
            const size_t at = line.find(said);
            if (at != std::string::npos) line.resize(at);
          }
        }
        return absl::StrJoin(lines, "\n");
      };
      EXPECT_EQ(without_addresses(after.log), without_addresses(before.log));
      after.log = before.log;
      EXPECT_EQ(Differences(before, after), "");
    }
  }
}

}  // namespace
}  // namespace corefleet
