#ifndef COREFLEET_CORE_KDUMP_PAGE_INDEX_H_
#define COREFLEET_CORE_KDUMP_PAGE_INDEX_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "core/bytes/byte_source.h"
#include "core/kdump/disk_dump_header.h"
#include "core/kdump/dumped_memory.h"

namespace corefleet {

// Tells which pages of a compressed dump are in it whole. libkdumpfile reads what was cut off a file as
// zeros, which nobody could tell from memory that was zero. Thread-safe.
class PageIndex {
 public:
  // Reads the bitmap of dumped pages once, at most 64 MiB of it: frames beyond that are not in the index.
  // Keeps `file` alive; memory: 8 bytes per 32 KiB of bitmap.
  PageIndex(std::shared_ptr<const ByteSource> file, const DiskDumpHeader& header);

  // False for a page that was not dumped, whose descriptor or bytes are cut off, or that makedumpfile had no
  // room for.
  bool HasWhole(uint64_t frame) const;

  bool Covers(uint64_t frame) const { return frame >= first_frame_ && frame < end_frame_; }

 private:
  std::shared_ptr<const ByteSource> file_;
  DiskDumpHeader header_;
  uint64_t bitmap_at_ = 0;
  uint64_t first_frame_ = 0;
  uint64_t end_frame_ = 0;
  // Dumped pages of the file before each block of the bitmap.
  std::vector<uint64_t> dumped_before_;
};

// `memory`, of which only pages that one of `parts` has whole are read. Never null.
std::shared_ptr<const PhysicalMemory> OnlyWholePages(std::shared_ptr<const PhysicalMemory> memory,
                                                     std::vector<PageIndex> parts, uint64_t page_size);

}  // namespace corefleet

#endif  // COREFLEET_CORE_KDUMP_PAGE_INDEX_H_
