#include <algorithm>

#include "core/kdump/disk_dump_writer.h"
#include "core/kdump/elf_dump_writer.h"
#include "core/kdump/flattened_writer.h"
#include "core/kdump/vmcore.h"
#include "tests/support/fuzz_target.h"

namespace corefleet {
namespace {

const char kX86[] =
    "OSRELEASE=6.1.0\nPAGESIZE=4096\nSYMBOL(_stext)=ffffffff81000000\nSYMBOL(swapper_pg_dir)="
    "ffffffff81001000\n"
    "NUMBER(phys_base)=0\n";
const char kArm64[] =
    "OSRELEASE=6.12.0\nPAGESIZE=16384\nSYMBOL(_stext)=ffffc00080010000\nSYMBOL(swapper_pg_dir)="
    "ffffc00080020000\n"
    "NUMBER(VA_BITS)=52\nNUMBER(kimage_voffset)=0xffffc00040000000\nNUMBER(PHYS_OFFSET)=0x40000000\n";

}  // namespace

std::vector<std::string> FuzzSeeds() {
  std::vector<std::string> seeds;
  for (const auto& [machine, info] : {std::pair{uint16_t{62}, kX86}, std::pair{uint16_t{183}, kArm64}}) {
    ElfDumpContents elf;
    elf.machine = machine;
    elf.vmcoreinfo = info;
    elf.loads = {{0xffffffff81000000, 0x1000000, std::vector<uint8_t>(8192, 0x63)},
                 {0, 0x40020000, std::vector<uint8_t>(100, 3), 4096}};
    const std::vector<uint8_t> file = WriteElfDump(elf);
    seeds.emplace_back(TextOf(file));
    seeds.emplace_back(TextOf(Flatten(file, 2000)));
  }
  DiskDumpContents dump;
  dump.vmcoreinfo = kX86;
  dump.block_size = 1024;
  dump.pages = {{3, std::vector<uint8_t>(1024, 1)}, {77, std::vector<uint8_t>(1024, 2)}};
  seeds.emplace_back(TextOf(WriteDiskDump(dump)));
  dump.split = true;
  dump.end_frame = 50;
  seeds.emplace_back(TextOf(WriteDiskDump(dump)));
  return seeds;
}

}  // namespace corefleet

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace corefleet;
  Artifact file;
  file.file_name = "vmcore";
  file.head.assign(data, data + std::min(size, kArtifactHeadBytes));
  file.bytes = std::make_shared<MemorySource>(std::vector<uint8_t>(data, data + size));
  LooksLikeVmcore(file.head);
  LooksLikeCompressedDump(file.head);
  Pieces out;
  UnpackVmcores({file}, nullptr, &out);
  FUZZ_CHECK(out.dump.has_value() || !out.defects.empty());
  if (!out.dump) return 0;
  FUZZ_CHECK(out.dump->file != nullptr);
  for (const Region& load : out.dump->loads)
    FUZZ_CHECK(load.bytes != nullptr && load.bytes->size() <= out.dump->file->size());
  if (out.dump->memory == nullptr) return 0;
  // Whatever the page tables say: what is said to be readable is.
  std::vector<uint8_t> bytes(64);
  for (const uint64_t vaddr : {uint64_t{0xffffffff81000000}, uint64_t{0xffffc00080020000}, UINT64_MAX - 7}) {
    const uint64_t run = out.dump->memory->ReadableFrom(vaddr, bytes.size());
    FUZZ_CHECK(run <= bytes.size());
    if (run != 0) FUZZ_CHECK(out.dump->memory->ReadVirtual(vaddr, absl::MakeSpan(bytes).first(run)).ok());
  }
  return 0;
}
