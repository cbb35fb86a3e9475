#include "core/kdump/translation.h"

#include <string>

#include "core/bytes/byte_view.h"
#include "core/elf/elf_header.h"
#include "gtest/gtest.h"

namespace corefleet {
namespace {

Translation Make(uint16_t machine, const std::string& text, const std::vector<KnownMapping>& known = {}) {
  return Translation::Of(machine, Vmcoreinfo::Parse(BytesOf(text), nullptr), known);
}

TEST(Translation, X86ImageByPhysBase) {
  // As a 6.1 kernel with KASLR exports it; phys_base is negative.
  const Translation translation =
      Make(kElfMachineX86_64, "NUMBER(phys_base)=-803209216\nNUMBER(KERNEL_IMAGE_SIZE)=1073741824\n");
  EXPECT_EQ(translation.ToPhysical(0xffffffffb8410000), 0x8610000u);
  EXPECT_EQ(translation.ToPhysical(0xffffffffb7c88600), 0x7e88600u);
  EXPECT_EQ(translation.ToPhysical(0xffffffffc0000000), std::nullopt) << "a module";
  EXPECT_EQ(translation.ToPhysical(0xffff8b6c8fe81000), std::nullopt) << "the linear map's base is random";
  EXPECT_EQ(translation.ToPhysical(0x1000), std::nullopt);
}

TEST(Translation, X86LinearMapIsLearned) {
  const Translation translation = Make(kElfMachineX86_64, "NUMBER(phys_base)=-803209216\n",
                                       {{0xffffffffb8410000, 0x8610000, 8},
                                        {0xffff8b6c8fe81000, 0xfe81000, 0x2a880},
                                        {0xffff888000000000, 0, 16}});  // somebody's mistake, of fewer bytes
  EXPECT_EQ(translation.ToPhysical(0xffff8b6c8f831800), 0xf831800u);
  EXPECT_EQ(translation.ToPhysical(0xffff8b6c80000000 - 1), std::nullopt);
  EXPECT_EQ(translation.ToPhysical(0xffffffffb8410000), 0x8610000u);
}

TEST(Translation, X86WithoutPhysBaseLearnsTheImageToo) {
  const Translation translation = Make(kElfMachineX86_64, "SYMBOL(phys_base)=ffffffff81a10010\n",
                                       {{0xffffffff81000000, 0x2000000, 0x1000000}});
  EXPECT_EQ(translation.ToPhysical(0xffffffff81a10010), 0x2a10010u);
}

TEST(Translation, Arm64) {
  const Translation translation = Make(kElfMachineAarch64,
                                       "PAGESIZE=4096\nSYMBOL(_stext)=ffffa686bc410000\nNUMBER(VA_BITS)="
                                       "48\nNUMBER(kimage_voffset)=0xffffa6867c200000\n"
                                       "NUMBER(PHYS_OFFSET)=0xffffb745c0000000\n");
  EXPECT_EQ(translation.ToPhysical(0xffffa686bd77c000), 0x4157c000u);
  EXPECT_EQ(translation.ToPhysical(0xffff48ba9feec380), 0x5feec380u);
  EXPECT_EQ(translation.ToPhysical(0xf4ff48ba9feec380), 0x5feec380u) << "tagged";
  EXPECT_EQ(translation.ToPhysical(0xffff800008000000), std::nullopt) << "vmalloc memory below the image";
  EXPECT_EQ(translation.ToPhysical(0xfffe000000000000), std::nullopt) << "under 48 bits";
}

TEST(Translation, Arm64OfFiftyTwoBitsOnHardwareWithFewer) {
  const Translation translation = Make(kElfMachineAarch64,
                                       "PAGESIZE=4096\nSYMBOL(_stext)=ffffb85485210000\nNUMBER(VA_BITS)="
                                       "52\nNUMBER(kimage_voffset)=0xffffb85445000000\n"
                                       "NUMBER(PHYS_OFFSET)=0xfff0956600000000\n");
  EXPECT_EQ(translation.ToPhysical(0xffffb85486a79000), 0x41a79000u);
  EXPECT_EQ(translation.ToPhysical(0xffff6a9a5fefbd40), 0x5fefbd40u);
}

TEST(Translation, Arm64SixteenKibPages) {
  const Translation translation =
      Make(kElfMachineAarch64,
           "PAGESIZE=16384\nSYMBOL(_stext)=ffffd4884ca10000\nNUMBER(VA_BITS)=52\nNUMBER(kimage_voffset)="
           "0xffffd4880c800000\n"
           "NUMBER(PHYS_OFFSET)=0x40000000\nNUMBER(KERNELPACMASK)=0xfff0000000000000\n");
  EXPECT_EQ(translation.ToPhysical(0xffffd4884e72c000), 0x41f2c000u);
  EXPECT_EQ(translation.ToPhysical(0xfff000002ff89c00), 0x6ff89c00u);
  EXPECT_EQ(translation.Canonical(0x12b000002ff89c00), 0xfff000002ff89c00u) << "signed pointer";
}

TEST(Translation, Arm64BeforeTheHalvesWereSwapped) {
  const Translation translation =
      Make(kElfMachineAarch64,
           "SYMBOL(_stext)=ffff000008080000\nNUMBER(VA_BITS)=48\nNUMBER(kimage_voffset)=0xfffeffffc8000000\n"
           "NUMBER(PHYS_OFFSET)=0x40000000\n");
  EXPECT_EQ(translation.ToPhysical(0xffff800000000000), 0x40000000u);
  EXPECT_EQ(translation.ToPhysical(0xffff000008080000), 0x40080000u);
}

TEST(Translation, Riscv64) {
  const Translation translation =
      Make(243,
           "NUMBER(PAGE_OFFSET)=0xff60000000000000\nNUMBER(phys_ram_base)=0x80000000\n"
           "NUMBER(KERNEL_LINK_ADDR)=0xffffffff80000000\nNUMBER(va_kernel_pa_offset)=0xfffffffeffe00000\n");
  EXPECT_EQ(translation.ToPhysical(0xff60000000001000), 0x80001000u);
  EXPECT_EQ(translation.ToPhysical(0xffffffff80200000), 0x80400000u);
}

TEST(Translation, HostileNumbersGiveNoAddress) {
  EXPECT_TRUE(
      Make(kElfMachineAarch64, "NUMBER(VA_BITS)=64\nNUMBER(PHYS_OFFSET)=0\nNUMBER(kimage_voffset)=0\n")
          .empty());
  EXPECT_TRUE(Make(kElfMachineAarch64, "NUMBER(VA_BITS)=0\nNUMBER(PHYS_OFFSET)=0\n").empty());
  EXPECT_EQ(Make(kElfMachineX86_64, "NUMBER(phys_base)=0\nNUMBER(KERNEL_IMAGE_SIZE)=0\n")
                .ToPhysical(0xffffffff80000000),
            std::nullopt);
  EXPECT_TRUE(Make(0, "").empty());
  EXPECT_EQ(Make(0, "", {{UINT64_MAX - 15, 0x1000, UINT64_MAX}}).ToPhysical(UINT64_MAX), 0x100fu);
}

}  // namespace
}  // namespace corefleet
