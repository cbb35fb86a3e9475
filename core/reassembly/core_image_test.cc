#include "core/reassembly/core_image.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/support/corpus.h"
#include "tests/support/true_image.h"

namespace corefleet {
namespace {

void Add(CoreImage* image, uint64_t vaddr, std::string bytes, uint64_t size) {
  Segment segment;
  segment.vaddr = vaddr;
  segment.paddr = vaddr & 0xffffffff;
  segment.has_vaddr = segment.has_paddr = true;
  segment.size = size;
  segment.available = bytes.size();
  if (!bytes.empty()) segment.region = image->sources.size();
  image->segments.push_back(segment);
  if (!bytes.empty()) image->sources.push_back(std::make_shared<MemorySource>(absl::string_view(bytes)));
}

std::string ReadAll(const CoreImage& image, uint64_t vaddr, size_t n) {
  std::string out(n, '?');
  absl::Status status = image.ReadVirtual(vaddr, absl::MakeSpan(reinterpret_cast<uint8_t*>(out.data()), n));
  return status.ok() ? out : std::string(absl::StatusCodeToString(status.code()));
}

TEST(CoreImageTest, ReadsOverSegmentsThatTouchAndStopsAtHoles) {
  CoreImage image;
  Add(&image, 0xffff800000001004, "efgh", 4);
  Add(&image, 0xffff800000001000, "abcd", 4);
  Add(&image, 0xffff80000000100a, "xy", 2);
  image.IndexSegments();
  EXPECT_EQ(ReadAll(image, 0xffff800000001002, 4), "cdef");
  EXPECT_EQ(ReadAll(image, 0xffff800000001006, 3), "NOT_FOUND");
  EXPECT_EQ(ReadAll(image, 0xffff800000000fff, 2), "NOT_FOUND");
  EXPECT_EQ(image.ReadableFrom(0xffff800000001001, 100), 7u);
  EXPECT_EQ(image.ReadableFrom(0xffff800000001001, 3), 3u);
  EXPECT_EQ(image.ReadableFrom(0xffff800000001008, 1), 0u);
}

TEST(CoreImageTest, TheFirstListedOfOverlappingSegmentsAnswersAsFarAsItHasBytes) {
  CoreImage image;
  Add(&image, 0x1002, "AB", 8);  // cut short: of eight bytes two are there
  Add(&image, 0x1000, "abcdefgh", 8);
  image.IndexSegments();
  EXPECT_EQ(ReadAll(image, 0x1000, 8), "abABefgh");
}

TEST(CoreImageTest, AMissingSegmentHasNoBytes) {
  CoreImage image;
  Add(&image, 0x1000, "", 8);
  image.IndexSegments();
  EXPECT_EQ(ReadAll(image, 0x1000, 1), "NOT_FOUND");
  EXPECT_EQ(image.ReadableFrom(0x1000, 1), 0u);
}

TEST(CoreImageTest, TheLastByteOfTheAddressSpaceIsReadable) {
  CoreImage image;
  Add(&image, UINT64_MAX - 1, "yz", 2);
  Add(&image, 0, "0", 1);
  image.IndexSegments();
  EXPECT_EQ(ReadAll(image, UINT64_MAX - 1, 2), "yz");
  EXPECT_EQ(ReadAll(image, UINT64_MAX, 2), "NOT_FOUND") << "a read must not wrap to address 0";
  EXPECT_EQ(image.ReadableFrom(UINT64_MAX - 1, 100), 2u);
}

TEST(CoreImageTest, AnEmptyReadIsAlwaysThere) { EXPECT_TRUE(CoreImage().ReadVirtual(5, {}).ok()); }

// A region saved under another name than the one that is asked for.
void AddAt(CoreImage* image, uint64_t vaddr, uint64_t paddr, std::string bytes) {
  Add(image, vaddr, bytes, bytes.size());
  image->segments.back().paddr = paddr;
}

CoreImage ImageOf(uint16_t machine, absl::string_view vmcoreinfo) {
  CoreImage image;
  image.e_machine = machine;
  image.vmcoreinfo = Vmcoreinfo::Parse(BytesOf(vmcoreinfo), nullptr);
  return image;
}

constexpr char kArm64[] =
    "NUMBER(VA_BITS)=48\nNUMBER(kimage_voffset)=0xffff7fffc0000000\nNUMBER(PHYS_OFFSET)=0x40000000\n"
    "NUMBER(KERNELPACMASK)=0x7f000000000000\nSYMBOL(_stext)=ffff800008010000\n"
    "SYMBOL(init_uts_ns)=ffff80000a000000\n";

TEST(CoreImageTranslationTest, X86_64sImageIsFoundByItsLinearAddress) {
  CoreImage image = ImageOf(62, "NUMBER(phys_base)=4096\n");
  AddAt(&image, 0xffff888001001000, 0x1001000, "abcdefgh");
  image.IndexSegments();
  EXPECT_EQ(ReadAll(image, 0xffffffff81000000, 8), "abcdefgh");
  EXPECT_EQ(ReadAll(image, 0xffffffff81000004, 5), "NOT_FOUND");
  EXPECT_EQ(image.ReadableFrom(0xffffffff81000002, 100), 6u);
  EXPECT_EQ(image.ReadableFrom(0xffffffff81000008, 100), 0u);
}

TEST(CoreImageTranslationTest, X86_64sLinearMapIsLearned) {
  CoreImage image = ImageOf(62, "NUMBER(phys_base)=4096\n");
  AddAt(&image, 0xffff99a380200000, 0x200000, "xx");
  AddAt(&image, 0xffffffff81000000, 0x1001000, "abcdefgh");
  image.IndexSegments();
  EXPECT_EQ(ReadAll(image, 0xffff99a381001000, 8), "abcdefgh");
}

TEST(CoreImageTranslationTest, Arm64IsFoundByEitherAddress) {
  CoreImage image = ImageOf(183, kArm64);
  AddAt(&image, 0xffff000008100000, 0x48100000, "in the image");
  AddAt(&image, 0xffff800009000000, 0x49000000, "linear");
  image.IndexSegments();
  EXPECT_EQ(ReadAll(image, 0xffff800008100000, 12), "in the image");
  EXPECT_EQ(ReadAll(image, 0xffff000009000000, 6), "linear");
  EXPECT_EQ(ReadAll(image, 0xf2ff000009000000, 6), "linear") << "a tag";
  EXPECT_EQ(ReadAll(image, 0xf2ff800009000000, 6), "linear") << "a tag on an address that a segment has";
}

TEST(CoreImageTranslationTest, BehindTheImageMayBeVmallocMemory) {
  CoreImage image = ImageOf(183, kArm64);
  AddAt(&image, 0xffff00000a000000, 0x4a000000, std::string(8192, 'x'));
  image.IndexSegments();
  // The last symbol's page is image; the next one nobody knows.
  EXPECT_EQ(ReadAll(image, 0xffff80000a000ffe, 2), "xx");
  EXPECT_EQ(ReadAll(image, 0xffff80000a000ffe, 3), "NOT_FOUND");
}

TEST(CoreImageTranslationTest, WhatALoadContradictsIsNotUsed) {
  CoreImage image = ImageOf(62, "NUMBER(phys_base)=4096\n");
  AddAt(&image, 0xffff888001001000, 0x1001000, "abcdefgh");
  AddAt(&image, 0xffffffff82000000, 0x7000000, "elsewhere");
  image.IndexSegments();
  EXPECT_EQ(ReadAll(image, 0xffffffff81000000, 8), "NOT_FOUND");
  EXPECT_EQ(ReadAll(image, 0xffffffff82000000, 9), "elsewhere");
}

TEST(CoreImageTranslationTest, VmallocMemoryTeachesNothing) {
  CoreImage image = ImageOf(62, "");
  AddAt(&image, 0xffffc90000123000, 0x1001000, "vmalloc");
  AddAt(&image, 0xffffffff81000000, 0x1002000, "image");
  image.IndexSegments();
  EXPECT_EQ(ReadAll(image, 0xffffc90000124000, 5), "NOT_FOUND");
}

// Of every real crash: each region is found by its virtual address also when only its physical one is known.
TEST(CoreImageTranslationTest, RealRegionsAreFoundWithoutTheirVirtualAddress) {
  for (const CorpusCase& crash : ReadCorpus()) {
    const CoreImage whole = TrueImage(crash);
    size_t found = 0;
    for (size_t i = 0; i < whole.segments.size(); ++i) {
      CoreImage image = whole;
      image.segments[i].has_vaddr = false;
      image.IndexSegments();
      const Segment& segment = whole.segments[i];
      const std::string truth = ReadAll(whole, segment.vaddr, segment.available);
      const std::string bytes = ReadAll(image, segment.vaddr, segment.available);
      if (bytes == "NOT_FOUND") continue;
      EXPECT_EQ(bytes, truth) << crash.name << " " << segment.name;
      ++found;
    }
    EXPECT_GE(found * 10, whole.segments.size() * 8) << crash.name;
  }
}

TEST(CoreImageTest, SaysHowFarAHoleReachesAtLeast) {
  CoreImage image;
  Add(&image, 0xffff800000001000, "abcd", 4);
  Add(&image, 0xffff800000002000, "efgh", 4);
  image.IndexSegments();
  EXPECT_EQ(image.MissingFrom(0xffff800000001003, 100), 0u);
  EXPECT_EQ(image.MissingFrom(0xffff800000001004, 100), 100u);
  EXPECT_EQ(image.MissingFrom(0xffff800000001004, 1 << 20), 0xffcu);
  EXPECT_EQ(image.MissingFrom(UINT64_MAX, 1 << 20), 0u) << "nothing is said of the last address";
}

// Over every edge that a translated address can cross.
TEST(CoreImageTest, NothingThatIsSaidToBeMissingCanBeRead) {
  CoreImage image;
  image.e_machine = 183;
  image.vmcoreinfo = Vmcoreinfo::Parse(BytesOf("NUMBER(VA_BITS)=48\nNUMBER(PHYS_OFFSET)=0x40000000\n"
                                               "NUMBER(kimage_voffset)=0xffff7fffc8000000\n"
                                               "NUMBER(KERNELPACMASK)=0xff000000000000\n"
                                               "SYMBOL(_stext)=ffff800008010000\n"),
                                       &image.defects);
  for (const uint64_t paddr : {0x40000000, 0x40001040, 0x40010000, 0x40010ff8, 0x40012004, 0x50000000}) {
    Segment segment;
    segment.paddr = paddr;
    segment.has_paddr = true;
    segment.size = segment.available = 12;
    segment.region = image.sources.size();
    image.segments.push_back(segment);
    image.sources.push_back(std::make_shared<MemorySource>(absl::string_view("abcdefghijkl")));
  }
  Add(&image, 0xffff800008011800, "vmalloc", 7);
  image.segments.back().has_paddr = false;
  image.IndexSegments();
  uint64_t said = 0;
  for (const uint64_t start :
       {0xffff000000000000 - 64, 0xffff000000000000, 0xffff800000000000 - 0x2000, 0xffff80000800f000,
        0xffff800008010000, UINT64_MAX - 0x2000, 0xff80800008010000}) {
    for (uint64_t n = 0; n < 0x4000; n += 7) {
      const uint64_t at = start + n;
      const uint64_t missing = image.MissingFrom(at, 0x800);
      said += missing;
      for (uint64_t i = 0; i < missing; i += 1 + i / 64)
        ASSERT_EQ(image.ReadableFrom(at + i, 1), 0u) << std::hex << at << "+" << i;
      if (missing == 0) continue;
      ASSERT_EQ(image.ReadableFrom(at + missing - 1, 1), 0u) << std::hex << at;
    }
  }
  EXPECT_GT(said, 1u << 20);
}

}  // namespace
}  // namespace corefleet
