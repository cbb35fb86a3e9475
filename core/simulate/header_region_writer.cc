#include "core/simulate/header_region_writer.h"

#include <algorithm>
#include <utility>

#include "core/elf/elf_notes.h"

namespace corefleet {
namespace {

constexpr uint64_t kProgramHeaderRoom = 201;
constexpr uint64_t kVmcoreinfoName = 11;  // with its NUL
constexpr uint64_t kNoteHeaders = 3 * 12 + 8 + 8 + 12;
constexpr uint32_t kReadWrite = 6;
// Of struct elf_prpsinfo.
constexpr size_t kStateName = 1;
constexpr size_t kProgramName = 40;
constexpr size_t kArguments = 56;
constexpr size_t kMaxArguments = 79;

uint64_t RoundUp4(uint64_t size) { return (size + 3) & ~uint64_t{3}; }

}  // namespace

HeaderRegionParts PlanHeaderRegion(uint16_t machine, const std::vector<HeaderLoad>& loads,
                                   uint64_t vmcoreinfo_size, std::string command_line) {
  HeaderRegionParts parts;
  parts.header.type = kElfTypeCore;
  parts.header.machine = machine;
  parts.header.program_headers_offset = kElf64HeaderBytes;
  parts.header.program_header_bytes = kElf64ProgramHeaderBytes;
  parts.header.program_header_count = static_cast<uint16_t>(1 + loads.size());
  parts.command_line = std::move(command_line);
  const uint64_t bodies = PrstatusBytes(machine) + kPrpsinfoBytes;
  parts.vmcoreinfo_size = RoundUp4(vmcoreinfo_size);
  // Quirk: the kernel's sum has the notes' bodies twice, which leaves slack before the notes.
  parts.notes_offset = RoundUp4(kElf64HeaderBytes + bodies + kVmcoreinfoName + parts.vmcoreinfo_size +
                                kProgramHeaderRoom * kElf64ProgramHeaderBytes);
  const uint64_t notes_size = kNoteHeaders + bodies + parts.vmcoreinfo_size;
  parts.program_headers.push_back(
      {.type = kSegmentNote, .offset = parts.notes_offset, .file_size = notes_size});
  uint64_t offset = parts.notes_offset + notes_size;
  for (const HeaderLoad& load : loads) {
    const uint64_t size = RoundUp4(load.size);
    parts.program_headers.push_back(
        {kSegmentLoad, kReadWrite, offset, load.vaddr, load.paddr, size, size, 0});
    offset += size;
  }
  return parts;
}

std::vector<uint8_t> WriteHeaderRegion(const HeaderRegionParts& parts) {
  std::vector<uint8_t> bytes;
  AppendElfHeader(parts.header, &bytes);
  for (const ProgramHeader& load : parts.program_headers) AppendProgramHeader(load, &bytes);
  bytes.resize(parts.notes_offset);  // more program headers than there is room for run into the notes
  std::vector<uint8_t> prpsinfo(kPrpsinfoBytes);
  prpsinfo[kStateName] = 'R';
  const std::string program = "vmlinux";
  std::copy(program.begin(), program.end(), prpsinfo.begin() + kProgramName);
  std::copy_n(parts.command_line.begin(), std::min(parts.command_line.size(), kMaxArguments),
              prpsinfo.begin() + kArguments);
  AppendNote("CORE", kNotePrstatus, std::vector<uint8_t>(PrstatusBytes(parts.header.machine)), &bytes);
  AppendNote("CORE", kNotePrpsinfo, prpsinfo, &bytes);
  AppendNote("VMCOREINFO", kNoteVmcoreinfo, std::vector<uint8_t>(parts.vmcoreinfo_size), &bytes);
  bytes.resize(bytes.size() - parts.vmcoreinfo_size);  // the last body is region 2
  return bytes;
}

}  // namespace corefleet
