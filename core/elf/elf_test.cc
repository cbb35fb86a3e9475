#include "core/elf/elf_header.h"
#include "core/elf/elf_notes.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace corefleet {
namespace {

std::vector<uint8_t> CoreWithLoads(uint16_t loads) {
  ElfHeader header;
  header.type = kElfTypeCore;
  header.machine = kElfMachineAarch64;
  header.flags = 1;
  header.program_headers_offset = kElf64HeaderBytes;
  header.program_header_bytes = kElf64ProgramHeaderBytes;
  header.program_header_count = loads;
  std::vector<uint8_t> bytes;
  AppendElfHeader(header, &bytes);
  for (uint16_t i = 0; i < loads; ++i) {
    AppendProgramHeader({kSegmentLoad, 6, 0x1000, 0xffff800000000000 + i, 0x80000000u + i, 8, 8, 0}, &bytes);
  }
  return bytes;
}

TEST(ElfTest, WhatIsWrittenIsReadBack) {
  const std::vector<uint8_t> bytes = CoreWithLoads(3);
  ASSERT_EQ(bytes.size(), 64u + 3 * 56u);
  const absl::StatusOr<ElfHeader> header = ParseElfHeader(bytes);
  ASSERT_TRUE(header.ok()) << header.status();
  EXPECT_EQ(header->type, kElfTypeCore);
  EXPECT_EQ(header->machine, kElfMachineAarch64);
  EXPECT_EQ(header->flags, 1u);
  const std::vector<ProgramHeader> loads = ParseProgramHeaders(bytes, *header, 100);
  ASSERT_EQ(loads.size(), 3u);
  EXPECT_EQ(loads[2].vaddr, 0xffff800000000002u);
  EXPECT_EQ(loads[2].paddr, 0x80000002u);
  EXPECT_EQ(loads[2].file_size, 8u);
}

TEST(ElfTest, EveryPrefixGivesOnlyWhatIsWholeInIt) {
  const std::vector<uint8_t> bytes = CoreWithLoads(3);
  for (size_t n = 0; n < bytes.size(); ++n) {
    const ByteView prefix = ByteView(bytes).first(n);
    const absl::StatusOr<ElfHeader> header = ParseElfHeader(prefix);
    ASSERT_EQ(header.ok(), n >= 64) << n;
    if (header.ok()) {
      EXPECT_EQ(ParseProgramHeaders(prefix, *header, 100).size(), (n - 64) / 56);
    }
  }
}

TEST(ElfTest, OtherClassesAreNamed) {
  std::vector<uint8_t> bytes = CoreWithLoads(0);
  bytes[4] = 1;
  EXPECT_EQ(ParseElfHeader(bytes).status().message(), "a 32-bit ELF core");
  bytes[4] = 2;
  bytes[5] = 2;
  EXPECT_EQ(ParseElfHeader(bytes).status().code(), absl::StatusCode::kUnimplemented);
}

TEST(ElfTest, ATableAnywhereElseThanInTheBytesIsEmpty) {
  const std::vector<uint8_t> bytes = CoreWithLoads(1);
  ElfHeader header = *ParseElfHeader(bytes);
  for (uint64_t offset : {uint64_t{65}, uint64_t{1} << 40, UINT64_MAX}) {
    header.program_headers_offset = offset;
    EXPECT_THAT(ParseProgramHeaders(bytes, header, 100), testing::IsEmpty()) << offset;
  }
}

TEST(ElfNotesTest, PadsToFourAndReadsBack) {
  std::vector<uint8_t> bytes;
  AppendNote("CORE", kNotePrpsinfo, BytesOf("12345"), &bytes);
  AppendNote("VMCOREINFO", kNoteVmcoreinfo, BytesOf("OSRELEASE=1\n"), &bytes);
  EXPECT_EQ(bytes.size(), 12u + 8 + 8 + 12 + 12 + 12);
  const std::vector<ElfNote> notes = WalkNotes(bytes);
  ASSERT_EQ(notes.size(), 2u);
  EXPECT_EQ(notes[0].name, "CORE");
  EXPECT_EQ(TextOf(notes[0].descriptor), "12345");
  EXPECT_EQ(notes[1].name, "VMCOREINFO");
  EXPECT_EQ(TextOf(notes[1].descriptor), "OSRELEASE=1\n");
}

TEST(ElfNotesTest, TheLastDescriptorMayBeElsewhere) {
  std::vector<uint8_t> bytes;
  AppendNote("VMCOREINFO", kNoteVmcoreinfo, BytesOf("OSRELEASE=1\n"), &bytes);
  const std::vector<ElfNote> notes = WalkNotes(ByteView(bytes).first(24));
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_EQ(notes[0].descriptor_size, 12u);
  EXPECT_TRUE(notes[0].descriptor.empty());
}

TEST(ElfNotesTest, HostileSizesEndTheWalk) {
  EXPECT_THAT(WalkNotes(std::vector<uint8_t>(100, 0xff)), testing::IsEmpty());
  EXPECT_THAT(WalkNotes(std::vector<uint8_t>(100, 0)), testing::IsEmpty());
}

}  // namespace
}  // namespace corefleet
