#include "core/kdump/elf_dump_writer.h"

#include <algorithm>

#include "core/bytes/byte_view.h"
#include "core/elf/elf_header.h"
#include "core/elf/elf_notes.h"

namespace corefleet {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kMostHeaders = 0xffff;
constexpr uint64_t kSectionHeaderBytes = 64;
constexpr size_t kSectionHeadersField = 40;  // e_shoff
constexpr size_t kSectionInfoField = 44;     // sh_info

uint64_t PageUp(uint64_t value) { return (value + kPage - 1) / kPage * kPage; }

void Store(uint64_t value, size_t width, size_t at, std::vector<uint8_t>* out) {
  for (size_t i = 0; i < width; ++i) (*out)[at + i] = static_cast<uint8_t>(value >> (8 * i));
}

}  // namespace

std::vector<uint8_t> WriteElfDump(const ElfDumpContents& contents) {
  std::vector<uint8_t> notes;
  for (uint32_t cpu = 0; cpu < contents.cpus; ++cpu) {
    AppendNote("CORE", kNotePrstatus, std::vector<uint8_t>(PrstatusBytes(contents.machine)), &notes);
  }
  if (!contents.vmcoreinfo.empty()) {
    AppendNote("VMCOREINFO", kNoteVmcoreinfo, BytesOf(contents.vmcoreinfo), &notes);
  }
  const uint64_t count = 1 + contents.loads.size();
  const uint64_t section_at = kElf64HeaderBytes + count * kElf64ProgramHeaderBytes;
  const uint64_t notes_at = PageUp(section_at + kSectionHeaderBytes);

  ElfHeader header;
  header.type = kElfTypeCore;
  header.machine = contents.machine;
  header.flags = contents.flags;
  header.program_headers_offset = kElf64HeaderBytes;
  header.program_header_bytes = kElf64ProgramHeaderBytes;
  header.program_header_count = static_cast<uint16_t>(std::min(count, kMostHeaders));
  header.section_header_count = count >= kMostHeaders ? 1 : 0;
  std::vector<uint8_t> file;
  AppendElfHeader(header, &file);
  AppendProgramHeader({.type = kSegmentNote, .offset = notes_at, .file_size = notes.size()}, &file);
  uint64_t at = PageUp(notes_at + notes.size());
  for (const ElfDumpContents::Load& load : contents.loads) {
    AppendProgramHeader({.type = kSegmentLoad,
                         .flags = 7,
                         .offset = at,
                         .vaddr = load.vaddr,
                         .paddr = load.paddr,
                         .file_size = load.bytes.size(),
                         .memory_size = std::max<uint64_t>(load.memory_size, load.bytes.size())},
                        &file);
    at = PageUp(at + load.bytes.size());
  }
  file.resize(notes_at);
  if (count >= kMostHeaders) {
    Store(section_at, 8, kSectionHeadersField, &file);
    Store(count, 4, section_at + kSectionInfoField, &file);
  }
  file.insert(file.end(), notes.begin(), notes.end());
  for (const ElfDumpContents::Load& load : contents.loads) {
    file.resize(PageUp(file.size()));
    file.insert(file.end(), load.bytes.begin(), load.bytes.end());
  }
  return file;
}

}  // namespace corefleet
