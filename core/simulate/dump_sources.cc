#include "core/simulate/dump_sources.h"

#include <zlib.h>

#include <algorithm>
#include <map>
#include <utility>

#include "core/elf/elf_header.h"
#include "core/elf/elf_notes.h"
#include "core/kdump/disk_dump_header.h"
#include "core/kdump/disk_dump_writer.h"
#include "core/kdump/elf_dump_writer.h"
#include "core/kdump/flattened_writer.h"

namespace corefleet {
namespace {

constexpr uint64_t kImageBytes = 64 << 20;  // of a kernel, at most
constexpr uint64_t kFlatPiece = 65536;

// Physical memory by page frame number.
using Pages = std::map<uint64_t, std::vector<uint8_t>>;

Pages PagesOf(const ModelMemory& memory, uint64_t page_size) {
  Pages pages;
  for (const ModelRegion& region : memory.regions) {
    for (size_t done = 0; done < region.bytes.size();) {
      const uint64_t at = region.paddr + done;
      std::vector<uint8_t>& page = pages[at / page_size];
      page.resize(page_size);
      const size_t count = std::min<size_t>(region.bytes.size() - done, page_size - at % page_size);
      std::copy_n(region.bytes.begin() + static_cast<ptrdiff_t>(done), count,
                  page.begin() + static_cast<ptrdiff_t>(at % page_size));
      done += count;
    }
  }
  return pages;
}

uint64_t VaddrOf(const ModelKernel& kernel, uint64_t paddr) {
  const bool image = paddr >= kernel.text_paddr && paddr - kernel.text_paddr < kImageBytes;
  return image ? paddr - kernel.text_paddr + kernel.text_vaddr() : kernel.LinearVaddr(paddr);
}

// Pages that touch, in memory and by name, are one load.
std::vector<ElfDumpContents::Load> LoadsOf(const ModelKernel& kernel, const Pages& pages) {
  std::vector<ElfDumpContents::Load> loads;
  for (const auto& [frame, bytes] : pages) {
    const uint64_t paddr = frame * kernel.page_size;
    const uint64_t vaddr = VaddrOf(kernel, paddr);
    const bool goes_on = !loads.empty() && loads.back().paddr + loads.back().bytes.size() == paddr &&
                         loads.back().vaddr + loads.back().bytes.size() == vaddr;
    if (!goes_on) loads.push_back({.vaddr = vaddr, .paddr = paddr});
    loads.back().bytes.insert(loads.back().bytes.end(), bytes.begin(), bytes.end());
  }
  return loads;
}

std::vector<uint8_t> VmcoreBytes(const ModelKernel& kernel, const ModelMemory& memory) {
  ElfDumpContents contents;
  contents.machine = kernel.is_arm64() ? kElfMachineAarch64 : kElfMachineX86_64;
  contents.cpus = kernel.cpus;
  contents.vmcoreinfo = memory.vmcoreinfo;
  contents.loads = LoadsOf(kernel, PagesOf(memory, kernel.page_size));
  return WriteElfDump(contents);
}

std::vector<uint8_t> Deflate(ByteView page) {
  uLongf size = compressBound(page.size());
  std::vector<uint8_t> packed(size);
  if (compress2(packed.data(), &size, page.data(), page.size(), Z_BEST_SPEED) != Z_OK) size = 0;
  packed.resize(size);
  return packed;
}

}  // namespace

std::vector<SimulatedFile> WriteVmcoreFile(const ModelKernel& kernel, const ModelMemory& memory) {
  return {{"vmcore", VmcoreBytes(kernel, memory)}};
}

std::vector<SimulatedFile> WriteFlatVmcoreFile(const ModelKernel& kernel, const ModelMemory& memory) {
  return {{"vmcore.flat", Flatten(VmcoreBytes(kernel, memory), kFlatPiece)}};
}

std::vector<SimulatedFile> WriteKdumpFiles(const ModelKernel& kernel, const ModelMemory& memory, bool split) {
  DiskDumpContents contents;
  contents.release = kernel.release;
  contents.version = kernel.uts_version;
  contents.machine_name = kernel.is_arm64() ? "aarch64" : "x86_64";
  contents.vmcoreinfo = memory.vmcoreinfo;
  const uint16_t machine = kernel.is_arm64() ? kElfMachineAarch64 : kElfMachineX86_64;
  for (uint32_t cpu = 0; cpu < kernel.cpus; ++cpu)
    AppendNote("CORE", kNotePrstatus, std::vector<uint8_t>(PrstatusBytes(machine)), &contents.notes);
  AppendNote("VMCOREINFO", kNoteVmcoreinfo, BytesOf(memory.vmcoreinfo), &contents.notes);
  if (!kernel.is_arm64()) contents.phys_base = kernel.text_paddr - (kernel.text_vaddr() - 0xffffffff80000000);
  contents.status = kDumpCompressedZlib;
  contents.block_size = kernel.page_size;
  contents.compress = Deflate;
  Pages pages = PagesOf(memory, kernel.page_size);
  contents.page_frames = pages.rbegin()->first + 1;
  contents.split = split;
  if (!split) {
    contents.pages = std::move(pages);
    return {{"vmcore", WriteDiskDump(contents)}};
  }
  const auto middle = std::next(pages.begin(), static_cast<ptrdiff_t>(pages.size() / 2));
  const uint64_t border = middle->first;
  DiskDumpContents rest = contents;
  contents.pages = Pages(pages.begin(), middle);
  contents.end_frame = border;
  rest.pages = Pages(middle, pages.end());
  rest.first_frame = border;
  rest.end_frame = contents.page_frames;
  return {{"vmcore.0", WriteDiskDump(contents)}, {"vmcore.1", WriteDiskDump(rest)}};
}

}  // namespace corefleet
