// Cores as qdl and `cat` put them together, whole and with each region left out, against what is true.
#include "core/minidump/assembled.h"

#include <algorithm>
#include <cstdio>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/elf/elf_header.h"
#include "core/reassembly/reassemble.h"
#include "core/rebuild.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/corpus.h"

namespace corefleet {
namespace {

// A real crash as the tools put it together.
struct Parts {
  std::string header, text;
  std::vector<ProgramHeader> loads;
  std::vector<std::string> bytes;  // of each load
};

Parts PartsOf(const CorpusCase& crash) {
  Parts parts;
  parts.header = crash.file("md_KELF1.BIN");
  parts.text = crash.file("md_Kvmcorein2.BIN");
  const std::string& whole = crash.file("expected_core.elf");
  const ElfHeader header = *ParseElfHeader(BytesOf(parts.header));
  for (const ProgramHeader& load : ParseProgramHeaders(BytesOf(parts.header), header, 1000)) {
    if (load.type != kSegmentLoad) continue;
    parts.loads.push_back(load);
    parts.bytes.push_back(whole.substr(load.offset, load.file_size));
  }
  return parts;
}

std::string Assemble(const Parts& parts, std::optional<size_t> without = std::nullopt) {
  std::string file = parts.header + parts.text;
  for (size_t i = 0; i < parts.bytes.size(); ++i) {
    if (i != without) file += parts.bytes[i];
  }
  return file;
}

Rebuilt RebuildFile(const std::string& bytes) {
  RegionSet set;
  Region file;
  file.kind = RegionKind::kArtifact;
  file.file_name = "minidump.elf";
  file.bytes = std::make_shared<MemorySource>(absl::string_view(bytes));
  set.regions.push_back(file);
  return Rebuild(set, nullptr);
}

std::string Defects(const CoreImage& image) {
  std::string text;
  for (const Defect& d : image.defects)
    absl::StrAppend(&text, DefectCodeName(d.code), " [", d.region, "] ", d.detail, "\n");
  return text;
}

bool Has(const CoreImage& image, DefectCode code) {
  return std::any_of(image.defects.begin(), image.defects.end(),
                     [code](const Defect& d) { return d.code == code; });
}

// How many loads the image has, each with the right bytes.
size_t CountRight(const Parts& parts, const CoreImage& image) {
  size_t right = 0;
  for (const Segment& segment : image.segments) {
    if (!segment.region || segment.available == 0) continue;
    const std::string got = [&] {
      const auto bytes = ReadBytes(*image.sources[*segment.region], 0, segment.available);
      return std::string(TextOf(*bytes));
    }();
    bool found = false;
    for (size_t i = 0; i < parts.loads.size() && !found; ++i) {
      const ProgramHeader& load = parts.loads[i];
      if (load.paddr != segment.paddr || load.vaddr != segment.vaddr || load.file_size != segment.size)
        continue;
      found = absl::StartsWith(parts.bytes[i], got);
      right += found && got.size() == parts.bytes[i].size();
    }
    EXPECT_TRUE(found) << segment.name << " " << segment.id.value_or(0) << " has wrong bytes\n"
                       << Defects(image);
  }
  return right;
}

size_t WithBytes(const Parts& parts) {
  return std::count_if(parts.bytes.begin(), parts.bytes.end(),
                       [](const std::string& b) { return !b.empty(); });
}

TEST(AssembledTest, AWholeFileIsAsGoodAsTheFilesItWasMadeOf) {
  for (const CorpusCase& crash : ReadCorpus()) {
    SCOPED_TRACE(crash.name);
    const Parts parts = PartsOf(crash);
    ASSERT_EQ(Assemble(parts), crash.file("expected_core.elf"));
    const CoreImage image = RebuildFile(crash.file("expected_core.elf")).image;
    const CoreImage straight = Reassemble(RegionsOf(crash, WithTable::kNo));
    EXPECT_EQ(CountRight(parts, image), WithBytes(parts)) << Defects(image);
    EXPECT_EQ(Defects(image), Defects(straight));
    EXPECT_EQ(image.series, straight.series);
    EXPECT_EQ(image.command_line, straight.command_line);
    EXPECT_EQ(image.source, "meminspect");
    ASSERT_EQ(image.segments.size(), straight.segments.size());
    for (size_t i = 0; i < image.segments.size(); ++i) {
      EXPECT_EQ(image.segments[i].id, straight.segments[i].id);
      EXPECT_EQ(image.segments[i].name, straight.segments[i].name);
    }
  }
}

// qdl writes nothing for a region that it does not have. (Of all ten cases: docs/formats/assembled.md.)
TEST(AssembledTest, EachRegionLeftOutInTurn) {
  size_t kept = 0, right = 0, exact = 0, files = 0;
  for (const char* name : {"a47-null-oops", "d53-null-nokaslr", "e612-badptr-v3"}) {
    const CorpusCase crash = ReadCorpusCase(name);
    const Parts parts = PartsOf(crash);
    for (size_t gone = 0; gone < parts.loads.size(); ++gone) {
      if (parts.bytes[gone].empty()) continue;
      SCOPED_TRACE(absl::StrCat(crash.name, " without load ", gone));
      const CoreImage image = RebuildFile(Assemble(parts, gone)).image;
      const size_t found = CountRight(parts, image);
      const size_t left = WithBytes(parts) - 1;
      EXPECT_LE(found, left);
      EXPECT_TRUE(Has(image, DefectCode::kRegionMissing)) << Defects(image);
      if (found < left) {
        EXPECT_TRUE(Has(image, DefectCode::kRegionAmbiguous)) << Defects(image);
      }
      ++files;
      exact += found == left;
      kept += left;
      right += found;
    }
  }
  // The rest are marks of eight bytes of which one is missing, and nothing tells which.
  EXPECT_GT(right * 100, kept * 90);
  std::printf("files %zu, every other region found in %zu; regions %zu of %zu\n", files, exact, right, kept);
}

}  // namespace
}  // namespace corefleet
