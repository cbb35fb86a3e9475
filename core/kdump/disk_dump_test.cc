#include <map>

#include "absl/strings/str_cat.h"
#include "core/elf/elf_notes.h"
#include "core/kdump/disk_dump_header.h"
#include "core/kdump/disk_dump_writer.h"
#include "core/kdump/flattened_writer.h"
#include "core/kdump/vmcore.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace corefleet {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

DiskDumpContents SomeDump() {
  DiskDumpContents contents;
  contents.release = "6.1.0-53-amd64";
  contents.version = "#1 SMP Debian";
  contents.vmcoreinfo =
      "OSRELEASE=6.1.0-53-amd64\nPAGESIZE=4096\nSYMBOL(_stext)=ffffffff81000000\nNUMBER(phys_base)=0\n";
  for (int cpu = 0; cpu < 3; ++cpu)
    AppendNote("CORE", kNotePrstatus, std::vector<uint8_t>(336), &contents.notes);
  for (const uint64_t frame : {3, 4, 0x1000, 0x1005})
    contents.pages[frame].assign(4096, static_cast<uint8_t>(frame));
  return contents;
}

// Memory out of a map, as a reader of compressed pages would give it.
class FakeOpener final : public DumpOpener {
 public:
  class Memory final : public DumpedMemory {
   public:
    explicit Memory(std::map<uint64_t, std::vector<uint8_t>> pages) : pages_(std::move(pages)) {}
    absl::Status ReadPhysical(uint64_t paddr, absl::Span<uint8_t> out) const override {
      const auto page = pages_.find(paddr / 4096);
      if (page == pages_.end()) return absl::NotFoundError("not dumped");
      std::copy_n(page->second.begin() + paddr % 4096, out.size(), out.begin());
      return absl::OkStatus();
    }
    uint64_t PhysicalRunFrom(uint64_t paddr, uint64_t want) const override {
      return pages_.contains(paddr / 4096) ? std::min<uint64_t>(want, 4096 - paddr % 4096) : 0;
    }
    absl::Status ReadVirtual(uint64_t, absl::Span<uint8_t>) const override {
      return absl::NotFoundError("no");
    }
    uint64_t ReadableFrom(uint64_t, uint64_t) const override { return 0; }
    Endian endian() const override { return Endian::kLittle; }
    uint32_t word_size() const override { return 8; }

   private:
    const std::map<uint64_t, std::vector<uint8_t>> pages_;
  };

  absl::StatusOr<std::shared_ptr<const DumpedMemory>> Open(
      const std::vector<std::shared_ptr<const ByteSource>>& parts) const override {
    parts_seen = parts.size();
    if (!answer.ok()) return answer;
    return std::make_shared<Memory>(SomeDump().pages);
  }

  mutable size_t parts_seen = 0;
  absl::Status answer;
};

Pieces Unpack(const std::vector<std::vector<uint8_t>>& files, const DumpOpener* opener) {
  std::vector<Artifact> artifacts;
  for (const std::vector<uint8_t>& bytes : files) {
    Artifact artifact;
    artifact.file_name = absl::StrCat("vmcore.", artifacts.size() + 1);
    artifact.head.assign(bytes.begin(), bytes.begin() + std::min(bytes.size(), kArtifactHeadBytes));
    artifact.bytes = std::make_shared<MemorySource>(bytes);
    artifacts.push_back(std::move(artifact));
  }
  Pieces out;
  UnpackCompressedDumps(artifacts, opener, &out);
  return out;
}

std::string Defects(const Pieces& pieces) {
  std::string text;
  for (const Defect& d : pieces.defects)
    absl::StrAppend(&text, DefectCodeName(d.code), " [", d.region, "] ", d.detail, "\n");
  return text;
}

TEST(DiskDumpHeader, ReadsWhatTheWriterWrote) {
  const MemorySource file(WriteDiskDump(SomeDump()));
  const auto header = ReadDiskDumpHeader(file);
  ASSERT_TRUE(header.ok()) << header.status();
  EXPECT_EQ(header->release, "6.1.0-53-amd64");
  EXPECT_EQ(header->kernel_version, "#1 SMP Debian");
  EXPECT_EQ(header->machine_name, "x86_64");
  EXPECT_EQ(header->version, 6u);
  EXPECT_EQ(header->block_size, 4096u);
  EXPECT_EQ(header->page_frames, 0x1006u);
  EXPECT_EQ(ReadVmcoreinfoText(file, *header), SomeDump().vmcoreinfo);
  EXPECT_EQ(CountPrstatus(file, *header), 3u);
  EXPECT_EQ(MissingTail(file, *header), "");
}

TEST(DiskDumpHeader, CutAtEveryPlaceIsSaid) {
  const std::vector<uint8_t> whole = WriteDiskDump(SomeDump());
  for (size_t size = 0; size < whole.size(); size += 97) {
    const MemorySource file(std::vector<uint8_t>(whole.begin(), whole.begin() + size));
    const auto header = ReadDiskDumpHeader(file);
    EXPECT_EQ(header.ok(), size >= 4096 + 104) << size;
    if (!header.ok()) continue;
    EXPECT_NE(MissingTail(file, *header), "") << size;
  }
}

TEST(DiskDumpHeader, HostileNumbers) {
  std::vector<uint8_t> bytes = WriteDiskDump(SomeDump());
  std::vector<uint8_t> other = bytes;
  std::fill_n(other.begin() + 428, 4, 0xff);
  EXPECT_TRUE(absl::IsInvalidArgument(ReadDiskDumpHeader(MemorySource(other)).status())) << "block size";
  other = bytes;
  std::fill_n(other.begin() + 432, 8, 0xff);
  const MemorySource far(other);
  const auto header = ReadDiskDumpHeader(far);
  ASSERT_TRUE(header.ok());
  EXPECT_THAT(MissingTail(far, *header), HasSubstr("before its page descriptors"));
  other = bytes;
  std::fill_n(other.begin() + 4096 + 32, 32, 0xff);
  const MemorySource away(other);
  EXPECT_EQ(ReadVmcoreinfoText(away, *ReadDiskDumpHeader(away)), "");
  EXPECT_EQ(CountPrstatus(away, *ReadDiskDumpHeader(away)), 0u);
}

TEST(CompressedDump, HeaderAloneTellsTheKernel) {
  const std::vector<uint8_t> file = WriteDiskDump(SomeDump());
  EXPECT_TRUE(LooksLikeCompressedDump(file));
  EXPECT_FALSE(LooksLikeVmcore(file));
  const Pieces pieces = Unpack({file}, nullptr);
  ASSERT_TRUE(pieces.dump.has_value());
  EXPECT_EQ(pieces.dump->release, "6.1.0-53-amd64");
  EXPECT_EQ(pieces.dump->machine, 62);
  EXPECT_EQ(pieces.dump->prstatus_count, 3u);
  EXPECT_EQ(pieces.dump->memory, nullptr);
  EXPECT_EQ(pieces.dump->file->size(), file.size());
  EXPECT_THAT(Defects(pieces), HasSubstr("UNSUPPORTED [vmcore.1] only its header was read"));
}

TEST(CompressedDump, MemoryThroughTheOpener) {
  const FakeOpener opener;
  for (const bool flattened : {false, true}) {
    std::vector<uint8_t> file = WriteDiskDump(SomeDump());
    if (flattened) file = Flatten(file, 4000);
    const Pieces pieces = Unpack({file}, &opener);
    EXPECT_EQ(Defects(pieces), "");
    ASSERT_NE(pieces.dump->memory, nullptr);
    std::vector<uint8_t> bytes(8);
    EXPECT_TRUE(pieces.dump->memory->ReadVirtual(0xffffffff81005000, absl::MakeSpan(bytes)).ok());
    EXPECT_THAT(bytes, testing::Each(5)) << "arithmetic";
  }
}

TEST(CompressedDump, RefusalsOfTheOpenerAreDefects) {
  FakeOpener opener;
  opener.answer = absl::UnimplementedError("no snappy");
  EXPECT_THAT(Defects(Unpack({WriteDiskDump(SomeDump())}, &opener)),
              HasSubstr("UNSUPPORTED [vmcore.1] only its header was read: no snappy"));
  opener.answer = absl::InvalidArgumentError("bad");
  EXPECT_THAT(Defects(Unpack({WriteDiskDump(SomeDump())}, &opener)), HasSubstr("CONTAINER_DAMAGED"));
}

std::vector<std::vector<uint8_t>> SplitDump() {
  std::vector<std::vector<uint8_t>> files;
  DiskDumpContents contents = SomeDump();
  contents.split = true;
  for (const auto& [first, end] : {std::pair{0x800u, 0x1006u}, std::pair{0u, 0x800u}}) {
    contents.first_frame = first;
    contents.end_frame = end;
    files.push_back(WriteDiskDump(contents));
  }
  return files;
}

TEST(CompressedDump, PartsOfASplitDumpAreOne) {
  const FakeOpener opener;
  const Pieces pieces = Unpack(SplitDump(), &opener);
  EXPECT_EQ(Defects(pieces), "");
  EXPECT_EQ(opener.parts_seen, 2u);
  EXPECT_EQ(pieces.dump->file, nullptr) << "there is no one file";
}

TEST(CompressedDump, MissingAndRepeatedParts) {
  const FakeOpener opener;
  std::vector<std::vector<uint8_t>> files = SplitDump();
  EXPECT_THAT(Defects(Unpack({files[0]}, &opener)), HasSubstr("page frames 0 to 2047 is not here"));
  EXPECT_THAT(Defects(Unpack({files[1]}, &opener)), HasSubstr("page frames 2048 to 4101 is not here"));
  EXPECT_THAT(Defects(Unpack({files[0], files[1], files[1]}, &opener)), HasSubstr("REGION_DUPLICATE"));
  EXPECT_EQ(opener.parts_seen, 2u);
}

TEST(CompressedDump, CutOrMarkedIncomplete) {
  const FakeOpener opener;
  DiskDumpContents contents = SomeDump();
  std::vector<uint8_t> file = WriteDiskDump(contents);
  file.resize(file.size() - 1);
  EXPECT_THAT(Defects(Unpack({file}, &opener)), HasSubstr("REGION_TRUNCATED"));
  contents.status = kDumpIncompleteStatus;
  EXPECT_THAT(Defects(Unpack({WriteDiskDump(contents)}, &opener)), HasSubstr("DUMP_INCOMPLETE"));
}

// libkdumpfile reads zeros where a file was cut; the fake reads what was there before.
TEST(CompressedDump, WhatWasCutOffIsNotRead) {
  const FakeOpener opener;
  const std::vector<uint8_t> whole = WriteDiskDump(SomeDump());
  const size_t data = whole.size() - SomeDump().pages.size() * 4096;
  for (size_t size = data - 100; size < whole.size(); size += 501) {
    const Pieces pieces = Unpack({{whole.begin(), whole.begin() + size}}, &opener);
    ASSERT_NE(pieces.dump->memory, nullptr);
    size_t end = data;
    for (const auto& [frame, bytes] : SomeDump().pages) {
      end += 4096;
      std::vector<uint8_t> page(4096);
      EXPECT_EQ(pieces.dump->memory->ReadPhysical(frame * 4096, absl::MakeSpan(page)).ok(), end <= size)
          << frame << " " << size;
      EXPECT_EQ(pieces.dump->memory->PhysicalRunFrom(frame * 4096 + 1, 10), end <= size ? 10u : 0u);
    }
  }
}

TEST(CompressedDump, PagesThatFoundNoRoomAreNotRead) {
  const FakeOpener opener;
  DiskDumpContents contents = SomeDump();
  contents.status = kDumpIncompleteStatus;
  std::vector<uint8_t> file = WriteDiskDump(contents);
  const size_t descs = file.size() - contents.pages.size() * (4096 + kPageDescBytes);
  std::fill_n(file.begin() + descs + kPageDescBytes, kPageDescBytes, 0);  // of the second page
  const Pieces pieces = Unpack({file}, &opener);
  EXPECT_EQ(pieces.dump->memory->PhysicalRunFrom(3 * 4096, 8192), 4096u);
  EXPECT_EQ(pieces.dump->memory->PhysicalRunFrom(0x1000 * 4096, 1), 1u);
}

TEST(CompressedDump, AnotherDumpBesideIsSaid) {
  const FakeOpener opener;
  DiskDumpContents other = SomeDump();
  other.release = "5.10";
  other.pages.erase(3);
  const Pieces pieces = Unpack({WriteDiskDump(other), WriteDiskDump(SomeDump())}, &opener);
  EXPECT_EQ(pieces.dump->release, "6.1.0-53-amd64");
  EXPECT_THAT(Defects(pieces), HasSubstr("REGION_AMBIGUOUS [vmcore.1]"));
}

}  // namespace
}  // namespace corefleet
