// Real crashes as compressed dumps, read back by libkdumpfile.
#include <stdlib.h>

#include <algorithm>

#include "core/analyze.h"
#include "core/export/artifact.h"
#include "core/kdump/elf_dump_writer.h"
#include "core/kdump/flattened_writer.h"
#include "core/kdump/reader/child_dump_opener.h"
#include "core/rebuild.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/corpus.h"

namespace corefleet {
namespace {

std::vector<uint8_t> Bytes(const ByteSource& source) { return *ReadBytes(source, 0, source.size()); }

ChildDumpOpener Opener() {
  return ChildDumpOpener({.scratch_folder = getenv("TEST_TMPDIR"),
                          .program = "core/kdump/reader/reader_program",
                          .min_free_bytes = 0});
}

RegionSet OneFile(std::vector<uint8_t> bytes) {
  RegionSet set;
  set.regions.push_back({.kind = RegionKind::kArtifact,
                         .file_name = "vmcore",
                         .bytes = std::make_shared<MemorySource>(std::move(bytes))});
  return set;
}

// A whole machine's dump without virtual addresses, of the pages that a region set touches.
std::vector<uint8_t> VmcoreOf(const CoreImage& image) {
  ElfDumpContents contents;
  contents.machine = image.e_machine;
  contents.vmcoreinfo = image.vmcoreinfo.text();
  for (const CoreImage::Extent& extent : image.physical_extents()) {
    std::vector<uint8_t> bytes(extent.last - extent.first + 1);
    EXPECT_TRUE(image.ReadPhysical(extent.first, absl::MakeSpan(bytes)).ok());
    contents.loads.push_back({0, extent.first, std::move(bytes)});
  }
  return WriteElfDump(contents);
}

void ExpectSameCrash(const Analysis& was, const Rebuilt& rebuilt) {
  const Analysis now = Analyze(rebuilt.image, rebuilt.set);
  EXPECT_EQ(now.facts.release->value, was.facts.release->value);
  EXPECT_EQ(now.facts.build_id->value, was.facts.build_id->value);
  EXPECT_EQ(now.facts.arch->value, was.facts.arch->value);
  EXPECT_EQ(now.facts.log.records, was.facts.log.records);
  EXPECT_EQ(RenderRaw(now.log), RenderRaw(was.log));
}

class KdumpFileTest : public ::testing::TestWithParam<const char*> {};

TEST_P(KdumpFileTest, SameMemoryAndSameFacts) {
  const RegionSet set = RegionsOf(ReadCorpusCase(GetParam()), WithTable::kNo);
  const Rebuilt was = Rebuild(set, nullptr);
  const auto file = MakeArtifact(ArtifactKind::kKdump, was.image, was.set);
  ASSERT_TRUE(file.ok()) << file.status();
  const std::vector<uint8_t> bytes = Bytes(**file);
  EXPECT_EQ(bytes, Bytes(**MakeArtifact(ArtifactKind::kKdump, was.image, was.set)));

  const ChildDumpOpener opener = Opener();
  const Rebuilt now = Rebuild(OneFile(bytes), &opener);
  EXPECT_EQ(now.image.source, "kdump");
  ASSERT_NE(now.image.memory, nullptr);
  for (const CoreImage::Extent& extent : was.image.physical_extents()) {
    std::vector<uint8_t> expected(extent.last - extent.first + 1), got(expected.size());
    ASSERT_TRUE(was.image.ReadPhysical(extent.first, absl::MakeSpan(expected)).ok());
    ASSERT_TRUE(now.image.ReadPhysical(extent.first, absl::MakeSpan(got)).ok());
    ASSERT_EQ(got, expected);
  }
  ExpectSameCrash(Analyze(was.image, was.set), now);
  // A dump that came so is given back so.
  EXPECT_EQ(Bytes(**MakeArtifact(ArtifactKind::kKdump, now.image, now.set)), bytes);
  EXPECT_TRUE(absl::IsFailedPrecondition(MakeArtifact(ArtifactKind::kCore, now.image, now.set).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(MakeArtifact(ArtifactKind::kZero, now.image, now.set).status()));
}

TEST_P(KdumpFileTest, AVmcoreWithoutVirtualAddressesIsTheSameCrash) {
  const RegionSet set = RegionsOf(ReadCorpusCase(GetParam()), WithTable::kNo);
  const Rebuilt was = Rebuild(set, nullptr);
  const std::vector<uint8_t> vmcore = VmcoreOf(was.image);
  const Rebuilt now = Rebuild(OneFile(Flatten(vmcore, 65536)), nullptr);
  EXPECT_EQ(now.image.source, "vmcore");
  // The linear map's random base, which no load teaches, is where an enlarged log lives on x86-64.
  EXPECT_EQ(Bytes(**MakeArtifact(ArtifactKind::kCore, now.image, now.set)), vmcore);
  EXPECT_TRUE(absl::IsFailedPrecondition(MakeArtifact(ArtifactKind::kConcat, now.image, now.set).status()));
  ExpectSameCrash(Analyze(was.image, was.set), now);

  const auto kdump = MakeArtifact(ArtifactKind::kKdump, now.image, now.set);
  ASSERT_TRUE(kdump.ok()) << kdump.status();
  const ChildDumpOpener opener = Opener();
  ExpectSameCrash(Analyze(was.image, was.set), Rebuild(OneFile(Bytes(**kdump)), &opener));
}

INSTANTIATE_TEST_SUITE_P(Corpus, KdumpFileTest,
                         ::testing::Values("a47-null-oops", "c612-softlockup", "d53-bug-work-8cpu",
                                           "d53-null-nokaslr", "f16k-silent-hang"));

TEST(KdumpFile, CannotBeWrittenOfEverything) {
  CoreImage image;
  EXPECT_TRUE(absl::IsFailedPrecondition(MakeArtifact(ArtifactKind::kKdump, image, {}).status()))
      << "no machine";
  image.e_machine = 62;
  EXPECT_TRUE(absl::IsNotFound(MakeArtifact(ArtifactKind::kKdump, image, {}).status())) << "no memory";
  Segment segment;
  segment.has_paddr = true;
  segment.paddr = uint64_t{1} << 50;
  segment.size = segment.available = 1;
  segment.region = 0;
  image.segments = {segment};
  image.sources = {std::make_shared<MemorySource>(absl::string_view("x"))};
  image.IndexSegments();
  EXPECT_TRUE(absl::IsFailedPrecondition(MakeArtifact(ArtifactKind::kKdump, image, {}).status()))
      << "too high";
}

}  // namespace
}  // namespace corefleet
