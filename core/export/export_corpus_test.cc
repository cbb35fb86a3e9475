// The files made from real crashes, whole and damaged.
#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "core/elf/elf_header.h"
#include "core/elf/elf_notes.h"
#include "core/export/artifact.h"
#include "core/reassembly/reassemble.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/corpus.h"

namespace corefleet {
namespace {

const std::vector<CorpusCase>& Corpus() {
  static const auto* const corpus = new std::vector<CorpusCase>(ReadCorpus());
  return *corpus;
}

absl::StatusOr<std::shared_ptr<const ByteSource>> Make(ArtifactKind kind, const RegionSet& set) {
  return MakeArtifact(kind, Reassemble(set), set);
}

std::vector<uint8_t> Bytes(const ByteSource& source) { return *ReadBytes(source, 0, source.size()); }

std::string Text(const ByteSource& source) {
  const std::vector<uint8_t> bytes = Bytes(source);
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

RegionSet Without(RegionSet set, const std::string& file) {
  set.regions.erase(std::remove_if(set.regions.begin(), set.regions.end(),
                                   [&](const Region& r) { return r.file_name == file; }),
                    set.regions.end());
  return set;
}

// Where two texts of one length differ: how often, and where first. Equal blocks are compared by memcmp:
// tests are compiled without optimization, and a byte at a time this was nine tenths of this file's time.
struct Difference {
  size_t bytes = 0;
  size_t first = std::string::npos;
};

Difference DifferenceOf(absl::string_view left, absl::string_view right) {
  constexpr size_t kBlock = 4096;
  Difference found;
  for (size_t block = 0; block < left.size(); block += kBlock) {
    if (left.substr(block, kBlock) == right.substr(block, kBlock)) continue;
    const size_t end = std::min(block + kBlock, left.size());
    for (size_t i = block; i < end; ++i) {
      if (left[i] == right[i]) continue;
      if (found.bytes++ == 0) found.first = i;
    }
  }
  return found;
}

struct OpenCore {
  std::vector<uint8_t> bytes;
  ElfHeader header;
  ProgramHeader notes;
  std::vector<ProgramHeader> loads;
};

OpenCore Open(const ByteSource& source) {
  OpenCore core;
  core.bytes = Bytes(source);
  core.header = ParseElfHeader(core.bytes).value();
  core.loads = ParseProgramHeaders(core.bytes, core.header, 4096);
  core.notes = core.loads.front();
  core.loads.erase(core.loads.begin());
  return core;
}

// What every consumer of cores needs (the experiments behind each are in docs/formats/core-file.md).
void ExpectProfile(const OpenCore& core) {
  EXPECT_EQ(core.notes.type, kSegmentNote);
  EXPECT_EQ(core.loads.size() + 1, core.header.program_header_count);
  ASSERT_FALSE(core.loads.empty());
  uint64_t first_byte = UINT64_MAX;
  for (size_t i = 0; i < core.loads.size(); ++i) {
    const ProgramHeader& load = core.loads[i];
    EXPECT_EQ(load.type, kSegmentLoad);
    EXPECT_EQ(load.align, 0u);
    EXPECT_LE(load.offset + load.file_size, core.bytes.size());
    if (load.file_size != 0) {
      EXPECT_EQ(load.file_size, load.memory_size);
      if (load.paddr != UINT64_MAX) {
        EXPECT_EQ(load.offset % 4096, load.paddr % 4096);
      }
      first_byte = std::min(first_byte, load.offset);
    }
    for (size_t j = i + 1; j < core.loads.size(); ++j) {
      const ProgramHeader& other = core.loads[j];
      if (load.paddr != UINT64_MAX && other.paddr != UINT64_MAX) {
        EXPECT_LE(load.paddr + load.memory_size, other.paddr) << "sorted, and no byte in two loads";
      }
      EXPECT_TRUE(load.vaddr + load.memory_size <= other.vaddr ||
                  other.vaddr + other.memory_size <= load.vaddr)
          << std::hex << load.vaddr << " and " << other.vaddr;
      if (load.file_size == 0 || other.file_size == 0) continue;
      const bool share = (load.offset + load.file_size - 1) / 4096 == other.offset / 4096;
      EXPECT_TRUE(!share || other.offset - load.offset == other.paddr - load.paddr) << "a foreign neighbour";
    }
  }
  EXPECT_LE(core.notes.offset + core.notes.file_size, first_byte) << "crash wants the notes before all data";
}

void ExpectHasAllRegions(const OpenCore& core, const CoreImage& image) {
  for (const Segment& segment : image.segments) {
    if (segment.available == 0) continue;
    std::vector<uint8_t> wanted(segment.available);
    ASSERT_TRUE(image.ReadPhysical(segment.paddr, absl::MakeSpan(wanted)).ok());
    uint64_t at = segment.paddr;
    const uint64_t end = segment.paddr + segment.available;
    for (const ProgramHeader& load : core.loads) {
      if (at == end || load.paddr > at || at - load.paddr >= load.file_size) continue;
      const uint64_t n = std::min(end - at, load.file_size - (at - load.paddr));
      EXPECT_TRUE(std::equal(wanted.begin() + (at - segment.paddr), wanted.begin() + (at - segment.paddr) + n,
                             core.bytes.begin() + load.offset + (at - load.paddr)))
          << segment.name;
      at += n;
    }
    EXPECT_EQ(at, end) << segment.name << " is not whole in the core";
  }
}

TEST(CorpusExportTest, ConcatIsWhatConcatenatingByHandGives) {
  for (const CorpusCase& crash : Corpus()) {
    const auto file = Make(ArtifactKind::kConcat, RegionsOf(crash, WithTable::kNo));
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_TRUE(Text(**file) == crash.file("expected_core.elf")) << crash.name;
  }
}

TEST(CorpusExportTest, AMissingRegionIsZerosInItsPlaceInConcat) {
  for (const CorpusCase& crash : Corpus()) {
    for (const auto& [name, bytes] : crash.files) {
      if (name.rfind("md_K", 0) != 0 || name == "md_KELF1.BIN") continue;
      const auto file = Make(ArtifactKind::kConcat, Without(RegionsOf(crash, WithTable::kNo), name));
      ASSERT_TRUE(file.ok()) << crash.name << " " << name << file.status();
      const std::string& whole = crash.file("expected_core.elf");
      const std::string holed = Text(**file);
      ASSERT_EQ(holed.size(), whole.size()) << crash.name << " " << name;
      const Difference different = DifferenceOf(whole, holed);
      EXPECT_LE(different.bytes, bytes.size()) << crash.name << " " << name;
      if (different.bytes != 0) {
        EXPECT_EQ(holed[different.first], '\0') << crash.name << " " << name;
      }
    }
  }
}

TEST(CorpusExportTest, CoreKeepsTheProfileAndEveryByte) {
  for (const CorpusCase& crash : Corpus()) {
    SCOPED_TRACE(crash.name);
    const RegionSet set = RegionsOf(crash, WithTable::kNo);
    const CoreImage image = Reassemble(set);
    for (ArtifactKind kind : {ArtifactKind::kCore, ArtifactKind::kZero}) {
      const auto file = MakeArtifact(kind, image, set);
      ASSERT_TRUE(file.ok()) << file.status();
      const OpenCore core = Open(**file);
      ExpectProfile(core);
      ExpectHasAllRegions(core, image);
      const std::vector<ElfNote> notes =
          WalkNotes(ByteView(core.bytes).subspan(core.notes.offset, core.notes.file_size));
      ASSERT_EQ(notes.size(), 3u);
      EXPECT_EQ(notes[0].descriptor_size, PrstatusBytes(core.header.machine));
      EXPECT_EQ(TextOf(notes[2].descriptor), crash.file("md_Kvmcorein2.BIN"));
      const bool lost = crash.name == "e612-badptr-v3";
      EXPECT_EQ(core.header.flags, lost ? 1u : 0u);
    }
  }
}

TEST(CorpusExportTest, CoreKeepsTheProfileWhateverIsMissing) {
  for (const CorpusCase& crash : Corpus()) {
    for (WithTable table : {WithTable::kNo, WithTable::kYes}) {
      for (absl::string_view name :
           {"md_KELF1.BIN", "md_Kvmcorein2.BIN", "md_Kprb22.BIN", "md_Kunknown33.BIN"}) {
        SCOPED_TRACE(crash.name + " without " + std::string(name));
        const RegionSet set = Without(RegionsOf(crash, table), std::string(name));
        const auto file = Make(ArtifactKind::kCore, set);
        ASSERT_TRUE(file.ok()) << file.status();
        const OpenCore core = Open(**file);
        ExpectProfile(core);
        EXPECT_EQ(core.header.flags, 1u);
      }
    }
  }
}

TEST(CorpusExportTest, AnyRangeIsTheSameAsThatRangeOfTheWhole) {
  const CorpusCase& crash = Corpus().front();
  const RegionSet set = RegionsOf(crash, WithTable::kNo);
  for (ArtifactKind kind : {ArtifactKind::kCore, ArtifactKind::kConcat, ArtifactKind::kRaw}) {
    const auto file = Make(kind, set);
    ASSERT_TRUE(file.ok());
    const std::vector<uint8_t> whole = Bytes(**file);
    for (uint64_t offset = 0; offset < whole.size(); offset += 3001) {
      const uint64_t n = std::min<uint64_t>(5003, whole.size() - offset);
      const auto part = ReadBytes(**file, offset, n);
      ASSERT_TRUE(part.ok());
      EXPECT_TRUE(std::equal(part->begin(), part->end(), whole.begin() + offset)) << offset;
    }
    uint8_t byte;
    EXPECT_EQ((*file)->ReadAt(whole.size(), absl::MakeSpan(&byte, 1)).code(), absl::StatusCode::kOutOfRange);
  }
}

TEST(CorpusExportTest, RawHasEveryFileInWhateverOrderTheyCame) {
  const CorpusCase& crash = Corpus().front();
  RegionSet set = RegionsOf(crash, WithTable::kYes);
  const std::string tar = Text(**Make(ArtifactKind::kRaw, set));
  std::reverse(set.regions.begin(), set.regions.end());
  EXPECT_TRUE(Text(**Make(ArtifactKind::kRaw, set)) == tar);
  for (const Region& region : set.regions) EXPECT_THAT(tar, testing::HasSubstr(region.file_name));
  EXPECT_EQ(tar.size() % 512, 0u);
}

TEST(CorpusExportTest, TextsAreWhatTheKernelHad) {
  for (const CorpusCase& crash : Corpus()) {
    const RegionSet set = RegionsOf(crash, WithTable::kNo);
    const std::string& raw = crash.file("md_Kvmcorein2.BIN");
    EXPECT_EQ(Text(**Make(ArtifactKind::kVmcoreinfo, set)), raw.substr(0, raw.find('\0')));
    EXPECT_EQ(Make(ArtifactKind::kConfig, set).status().code(), absl::StatusCode::kNotFound);
    if (crash.name == "e612-badptr-v3") continue;  // its log's text is not in the regions
    EXPECT_TRUE(Text(**Make(ArtifactKind::kLog, set)) == crash.file("dmesg.txt")) << crash.name;
  }
}

// Writes the files of every case where real debuggers can be tried on them; does nothing without the
// variable.
TEST(CorpusExportTest, ForRealTools) {
  const char* folder = std::getenv("COREFLEET_EXPORT_FOLDER");
  if (folder == nullptr) GTEST_SKIP() << "COREFLEET_EXPORT_FOLDER is not set";
  for (const CorpusCase& crash : Corpus()) {
    for (ArtifactKind kind : {ArtifactKind::kCore, ArtifactKind::kZero, ArtifactKind::kRaw}) {
      const std::string path = std::string(folder) + "/" + crash.name + "." + std::string(ArtifactName(kind));
      std::ofstream(path, std::ios::binary) << Text(**Make(kind, RegionsOf(crash, WithTable::kYes)));
    }
    const RegionSet set = Without(RegionsOf(crash, WithTable::kYes), "md_KELF1.BIN");
    std::ofstream(std::string(folder) + "/" + crash.name + ".headerless", std::ios::binary)
        << Text(**Make(ArtifactKind::kCore, set));
    const RegionSet bare = Without(RegionsOf(crash, WithTable::kNo), "md_KELF1.BIN");
    std::ofstream(std::string(folder) + "/" + crash.name + ".bare", std::ios::binary)
        << Text(**Make(ArtifactKind::kCore, bare));
  }
}

}  // namespace
}  // namespace corefleet
