#ifndef COREFLEET_CORE_KDUMP_DISK_DUMP_WRITER_H_
#define COREFLEET_CORE_KDUMP_DISK_DUMP_WRITER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/bytes/byte_view.h"
#include "core/kdump/disk_dump_header.h"

namespace corefleet {

// Both headers of version 6 of the format, a block each, little-endian, as a 64-bit makedumpfile lays them
// out. `header` must have a block size; names longer than 64 bytes are cut. `phys_base` is x86-64's.
std::vector<uint8_t> MakeDiskDumpHeader(const DiskDumpHeader& header, uint64_t phys_base);

// The descriptor of a page's bytes in the file.
void AppendPageDesc(uint64_t offset, uint32_t size, uint32_t flags, std::vector<uint8_t>* out);

// What a whole compressed dump is written from.
struct DiskDumpContents {
  std::string release = "6.1.0", version = "#1 SMP", machine_name = "x86_64";
  std::string vmcoreinfo;
  std::vector<uint8_t> notes;  // ELF notes
  uint64_t phys_base = 0;
  uint32_t status = 0;  // kDump...; what of it names a compression goes into each page's descriptor
  uint64_t block_size = 4096;
  std::map<uint64_t, std::vector<uint8_t>> pages;  // by frame number; of block_size bytes each
  uint64_t page_frames = 0;                        // 0: up to the last page
  // Of a split dump's part: its pages are those in [first_frame, end_frame).
  bool split = false;
  uint64_t first_frame = 0, end_frame = 0;
  // Compresses a page; one that does not get smaller is stored as it is. Null: none is compressed.
  std::function<std::vector<uint8_t>(ByteView page)> compress;
};

std::vector<uint8_t> WriteDiskDump(const DiskDumpContents& contents);

}  // namespace corefleet

#endif  // COREFLEET_CORE_KDUMP_DISK_DUMP_WRITER_H_
