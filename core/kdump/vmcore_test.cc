#include "core/kdump/vmcore.h"

#include <numeric>

#include "core/kdump/elf_dump.h"
#include "core/kdump/elf_dump_writer.h"
#include "core/kdump/flattened_writer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace corefleet {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kImage = 0xffffffff81000000;
constexpr uint64_t kLinear = 0xffff888000000000;
const char kInfo[] =
    "OSRELEASE=6.1.0-test\nPAGESIZE=4096\nSYMBOL(_stext)=ffffffff81000000\nSYMBOL(swapper_pg_dir)="
    "ffffffff81002000\n"
    "NUMBER(phys_base)=0\nNUMBER(pgtable_l5_enabled)=0\n";

std::vector<uint8_t> Page(uint8_t first) {
  std::vector<uint8_t> page(4096);
  std::iota(page.begin(), page.end(), first);
  return page;
}

ElfDumpContents TwoLoads() {
  ElfDumpContents contents;
  contents.machine = 62;
  contents.cpus = 70;  // more notes than a meminspect core ever has come before VMCOREINFO
  contents.vmcoreinfo = kInfo;
  contents.loads = {{kImage, 0x1000000, Page(1)}, {kLinear + 0x5000, 0x5000, Page(2), 0x3000}};
  return contents;
}

std::vector<Artifact> ArtifactsOf(const std::vector<std::vector<uint8_t>>& files) {
  std::vector<Artifact> artifacts;
  for (const std::vector<uint8_t>& bytes : files) {
    Artifact artifact;
    artifact.received = static_cast<uint32_t>(artifacts.size());
    artifact.file_name = "vmcore";
    artifact.head.assign(bytes.begin(), bytes.begin() + std::min(bytes.size(), kArtifactHeadBytes));
    artifact.bytes = std::make_shared<MemorySource>(bytes);
    artifacts.push_back(std::move(artifact));
  }
  return artifacts;
}

Pieces Unpack(const std::vector<std::vector<uint8_t>>& files) {
  Pieces out;
  UnpackVmcores(ArtifactsOf(files), nullptr, &out);
  return out;
}

bool Has(const Pieces& pieces, DefectCode code) {
  for (const Defect& defect : pieces.defects) {
    if (defect.code == code) return true;
  }
  return false;
}

TEST(Vmcore, LoadsAreWindows) {
  const std::vector<uint8_t> file = WriteElfDump(TwoLoads());
  EXPECT_TRUE(LooksLikeVmcore(file));
  EXPECT_FALSE(LooksLikeCompressedDump(file));
  const Pieces pieces = Unpack({file});
  EXPECT_TRUE(pieces.defects.empty()) << pieces.defects[0].detail;
  ASSERT_TRUE(pieces.dump.has_value());
  const DumpedCore& core = *pieces.dump;
  EXPECT_EQ(core.machine, 62);
  EXPECT_TRUE(core.is_elf);
  EXPECT_EQ(core.prstatus_count, 70u);
  EXPECT_EQ(core.vmcoreinfo, kInfo);
  EXPECT_EQ(core.file->size(), file.size());
  ASSERT_EQ(core.loads.size(), 2u);
  EXPECT_EQ(core.loads[1].paddr, 0x5000u);
  EXPECT_EQ(core.loads[1].vaddr, kLinear + 0x5000);
  EXPECT_EQ(core.loads[1].table_size, 0x3000u) << "memory whose last two pages were left out";
  EXPECT_EQ(core.loads[1].bytes->size(), 4096u);
  EXPECT_EQ(*ReadBytes(*core.loads[1].bytes, 0, 4096), Page(2));
}

TEST(Vmcore, MemoryIsTranslated) {
  const Pieces pieces = Unpack({WriteElfDump(TwoLoads())});
  const DumpedMemory& memory = *pieces.dump->memory;
  std::vector<uint8_t> bytes(16);
  ASSERT_TRUE(memory.ReadVirtual(kImage + 8, absl::MakeSpan(bytes)).ok());
  EXPECT_EQ(bytes[0], 9);
  ASSERT_TRUE(memory.ReadVirtual(kLinear + 0x5000, absl::MakeSpan(bytes)).ok()) << "learned from the load";
  EXPECT_EQ(bytes[0], 2);
  EXPECT_TRUE(absl::IsNotFound(memory.ReadVirtual(kLinear + 0x6000, absl::MakeSpan(bytes))))
      << "was left out";
  EXPECT_TRUE(absl::IsNotFound(memory.ReadVirtual(kImage + 4090, absl::MakeSpan(bytes))));
  EXPECT_TRUE(absl::IsNotFound(memory.ReadVirtual(UINT64_MAX - 3, absl::MakeSpan(bytes))));
  EXPECT_EQ(memory.ReadableFrom(kImage + 90, UINT64_MAX), 4006u);
  EXPECT_EQ(memory.ReadableFrom(kLinear + 0x6000, 10), 0u);
}

void Store(uint64_t value, uint64_t at, std::vector<uint8_t>* bytes) {
  for (int i = 0; i < 8; ++i) (*bytes)[at + i] = static_cast<uint8_t>(value >> (8 * i));
}

// 0x1002000: the root, then a table for the image (2 MiB pages) and three for one page of vmalloc memory.
ElfDumpContents WithPageTables() {
  ElfDumpContents contents = TwoLoads();
  std::vector<uint8_t> tables(6 * 4096);
  const auto table = [](int n) { return 0x1002000 + uint64_t{4096} * n; };
  Store(table(1) | 0x63, 511 * 8, &tables);            // image: 0xffffff8000000000 and up
  Store(table(2) | 0x63, 4096 + 510 * 8, &tables);     // its GiB at 0xffffffff80000000
  Store(0x1000000 | 0xe3, 2 * 4096 + 8 * 8, &tables);  // its 2 MiB at 0xffffffff81000000
  Store(table(3) | 0x63, 402 * 8, &tables);            // 0xffffc90000000000
  Store(table(4) | 0x63, 3 * 4096, &tables);
  Store(table(5) | 0x63, 4 * 4096, &tables);
  Store(0x8000000000005063, 5 * 4096 + 8, &tables);  // its second page is physical 0x5000
  contents.loads.push_back({0, 0x1002000, tables});
  for (ElfDumpContents::Load& load : contents.loads) load.vaddr = 0;  // as QEMU writes it
  return contents;
}

TEST(Vmcore, PageTablesOfADumpWithoutVirtualAddresses) {
  const Pieces pieces = Unpack({WriteElfDump(WithPageTables())});
  const DumpedMemory& memory = *pieces.dump->memory;
  EXPECT_EQ(pieces.dump->loads[0].vaddr, std::nullopt);
  std::vector<uint8_t> bytes(16);
  ASSERT_TRUE(memory.ReadVirtual(0xffffc90000001000, absl::MakeSpan(bytes)).ok());
  EXPECT_EQ(bytes[0], 2);
  ASSERT_TRUE(memory.ReadVirtual(kImage, absl::MakeSpan(bytes)).ok());
  EXPECT_EQ(bytes[0], 1);
  EXPECT_TRUE(absl::IsNotFound(memory.ReadVirtual(0xffffc90000002000, absl::MakeSpan(bytes))));
  EXPECT_TRUE(absl::IsNotFound(memory.ReadVirtual(kLinear + 0x5000, absl::MakeSpan(bytes))))
      << "nothing teaches where the linear map is";
  EXPECT_EQ(memory.ReadableFrom(0xffffc90000001000, 1 << 20), 4096u);
}

TEST(Vmcore, PageTableOfAnotherKernelIsNotBelieved) {
  ElfDumpContents contents = WithPageTables();
  Store(0x2000000 | 0xe3, 2 * 4096 + 8 * 8, &contents.loads[2].bytes);
  const Pieces pieces = Unpack({WriteElfDump(contents)});
  std::vector<uint8_t> bytes(16);
  ASSERT_TRUE(pieces.dump->memory->ReadVirtual(kImage, absl::MakeSpan(bytes)).ok()) << "by arithmetic";
  EXPECT_EQ(bytes[0], 1);
}

TEST(Vmcore, FlattenedIsTheSame) {
  const std::vector<uint8_t> file = WriteElfDump(TwoLoads());
  const std::vector<uint8_t> stream = Flatten(file, 1000);
  EXPECT_TRUE(LooksLikeVmcore(stream));
  EXPECT_FALSE(LooksLikeCompressedDump(stream));
  const Pieces pieces = Unpack({stream});
  EXPECT_TRUE(pieces.defects.empty());
  EXPECT_EQ(*ReadBytes(*pieces.dump->file, 0, file.size()), file);
  EXPECT_EQ(*ReadBytes(*pieces.dump->loads[0].bytes, 0, 4096), Page(1));
}

TEST(Vmcore, CutAnywhereGivesWhatIsThere) {
  const std::vector<uint8_t> file = WriteElfDump(TwoLoads());
  for (size_t size = 64; size < file.size(); size += 321) {
    const Pieces pieces = Unpack({{file.begin(), file.begin() + size}});
    EXPECT_FALSE(pieces.defects.empty()) << size;
    ASSERT_TRUE(pieces.dump.has_value());
    EXPECT_EQ(pieces.dump->machine, 62);
  }
  const Pieces pieces = Unpack({{file.begin(), file.end() - 4097}});
  ASSERT_TRUE(Has(pieces, DefectCode::kRegionTruncated));
  EXPECT_THAT(pieces.defects[0].detail, HasSubstr("2 of 2 loads are cut or missing, 4097 bytes"));
}

TEST(Vmcore, SaysThatItIsIncomplete) {
  ElfDumpContents contents = TwoLoads();
  contents.flags = 1;
  EXPECT_TRUE(Has(Unpack({WriteElfDump(contents)}), DefectCode::kDumpIncomplete));
}

TEST(Vmcore, OverwrittenNotes) {
  std::vector<uint8_t> file = WriteElfDump(TwoLoads());
  std::fill_n(file.begin() + 4096, 64, 0xff);
  const Pieces pieces = Unpack({file});
  EXPECT_TRUE(Has(pieces, DefectCode::kNotesDamaged));
  EXPECT_EQ(pieces.dump->vmcoreinfo, kInfo);
}

TEST(Vmcore, MoreLoadsThanTheHeaderCanCount) {
  ElfDumpContents contents = TwoLoads();
  contents.cpus = 0;
  contents.loads.assign(70'000, {});
  for (size_t i = 0; i < contents.loads.size(); ++i) contents.loads[i].paddr = 4096 * i;
  contents.loads[60'000].bytes = {42};
  const Pieces pieces = Unpack({WriteElfDump(contents)});
  EXPECT_EQ(pieces.dump->loads.size(), kMaxDumpLoads);
  EXPECT_EQ(pieces.dump->loads[60'000].bytes->size(), 1u);
  ASSERT_TRUE(Has(pieces, DefectCode::kHeaderDamaged));
  EXPECT_THAT(pieces.defects[0].detail, HasSubstr("4464 program headers"));
}

TEST(Vmcore, ThirtyTwoBitAndBigEndianAreRefusedByName) {
  for (const auto& [wide, big, words] :
       {std::tuple{false, false, "a 32-bit little-endian ELF core of machine 40"},
        std::tuple{false, true, "a 32-bit big-endian ELF core of machine 40"},
        std::tuple{true, true, "a 64-bit big-endian ELF core of machine 40"}}) {
    std::vector<uint8_t> file(4096);
    const std::vector<uint8_t> ident = {0x7f, 'E', 'L', 'F', uint8_t(wide ? 2 : 1), uint8_t(big ? 2 : 1), 1};
    std::copy(ident.begin(), ident.end(), file.begin());
    file[16 + big] = 4;  // ET_CORE
    file[18 + big] = 40;
    const absl::string_view text = "OSRELEASE=5.10.0-arm\nPAGESIZE=4096\n";
    std::copy(text.begin(), text.end(), file.begin() + 1000);
    EXPECT_TRUE(LooksLikeVmcore(file));
    const Pieces pieces = Unpack({file});
    ASSERT_TRUE(Has(pieces, DefectCode::kUnsupported));
    EXPECT_THAT(pieces.defects[0].detail, HasSubstr(words));
    EXPECT_EQ(pieces.dump->vmcoreinfo, text);
    EXPECT_TRUE(pieces.dump->loads.empty());
  }
}

TEST(Vmcore, AProcessIsNoMachine) {
  ElfDumpContents contents;
  contents.machine = 62;
  contents.loads = {{0x400000, 0, Page(1)}};
  EXPECT_FALSE(LooksLikeVmcore(WriteElfDump(contents)));
  contents.loads[0].paddr = 0x1000;
  EXPECT_TRUE(LooksLikeVmcore(WriteElfDump(contents)));
  EXPECT_FALSE(LooksLikeVmcore(std::vector<uint8_t>(100, 0xff)));
  EXPECT_FALSE(LooksLikeVmcore({}));
}

// A file of zeros behind its beginning, that counts what is read of it.
class CountingSource final : public ByteSource {
 public:
  CountingSource(std::vector<uint8_t> start, uint64_t size) : start_(std::move(start)), size_(size) {}
  uint64_t size() const override { return size_; }
  absl::Status ReadAt(uint64_t offset, absl::Span<uint8_t> out) const override {
    if (absl::Status status = CheckRange(offset, out.size(), size_); !status.ok()) return status;
    read += out.size();
    for (size_t i = 0; i < out.size(); ++i) out[i] = offset + i < start_.size() ? start_[offset + i] : 0;
    return absl::OkStatus();
  }
  mutable uint64_t read = 0;

 private:
  const std::vector<uint8_t> start_;
  const uint64_t size_;
};

TEST(Vmcore, OfGigabytesOnlyWhatIsNeededIsRead) {
  constexpr uint64_t kSize = uint64_t{2} << 30;
  ElfDumpContents contents = TwoLoads();
  contents.loads.pop_back();
  std::vector<uint8_t> start = WriteElfDump(contents);
  const uint64_t load_header = 64 + 56;
  Store(kSize, load_header + 32, &start);  // p_filesz
  Store(kSize, load_header + 40, &start);  // p_memsz
  Artifact file;
  file.head.assign(start.begin(), start.end());
  const auto source = std::make_shared<CountingSource>(start, start.size() - 4096 + kSize);
  file.bytes = source;
  Pieces pieces;
  UnpackVmcores({file}, nullptr, &pieces);
  EXPECT_TRUE(pieces.defects.empty());
  std::vector<uint8_t> bytes(4096);
  ASSERT_TRUE(pieces.dump->memory->ReadPhysical(0x1000000 + kSize - 4096, absl::MakeSpan(bytes)).ok());
  ASSERT_TRUE(pieces.dump->memory->ReadVirtual(kImage, absl::MakeSpan(bytes)).ok());
  EXPECT_EQ(bytes, Page(1));
  EXPECT_LT(source->read, uint64_t{256} << 10);
}

TEST(Vmcore, OfTwoTheLargerIsRead) {
  ElfDumpContents larger = TwoLoads();
  larger.loads.push_back({0, 0x9000, Page(3)});
  const Pieces pieces = Unpack({WriteElfDump(TwoLoads()), WriteElfDump(larger)});
  EXPECT_EQ(pieces.dump->loads.size(), 3u);
  EXPECT_TRUE(Has(pieces, DefectCode::kRegionAmbiguous));
}

}  // namespace
}  // namespace corefleet
