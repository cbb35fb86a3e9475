#ifndef COREFLEET_CORE_KDUMP_DISK_DUMP_HEADER_H_
#define COREFLEET_CORE_KDUMP_DISK_DUMP_HEADER_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "core/bytes/byte_reader.h"
#include "core/bytes/byte_source.h"

namespace corefleet {

// The headers of makedumpfile's compressed format (KDUMP, and the older DISKDUMP), which alone say which
// kernel died. Source: docs/formats/kdump.md.

inline constexpr uint32_t kDumpCompressedZlib = 1;
inline constexpr uint32_t kDumpCompressedLzo = 2;
inline constexpr uint32_t kDumpCompressedSnappy = 4;
inline constexpr uint32_t kDumpIncompleteStatus = 8;
inline constexpr uint32_t kDumpExcludedVmemmap = 0x10;
inline constexpr uint32_t kDumpCompressedZstd = 0x20;
inline constexpr uint64_t kPageDescBytes = 24;

struct DiskDumpHeader {
  Endian endian = Endian::kLittle;
  bool wide = true;  // laid out by a 64-bit makedumpfile
  uint32_t version = 0;
  // utsname; raw bytes up to the NUL.
  std::string release, kernel_version, machine_name, node;
  uint64_t crash_seconds = 0;  // since 1970, by the clock of the machine that dumped
  uint32_t status = 0;         // kDump...
  uint64_t block_size = 0;     // bytes; also of a page: 1 KiB to 64 KiB, a power of two
  uint64_t sub_header_blocks = 0;
  uint64_t bitmap_blocks = 0;  // of both bitmaps
  uint64_t page_frames = 0;    // page frame numbers are below this
  uint32_t cpu_count = 0;
  // Of the sub header; 0 where the version has none, or the machine's word size is not 64.
  uint32_t dump_level = 0;
  bool split = false;
  uint64_t first_frame = 0, end_frame = 0;  // of a split dump's part
  uint64_t vmcoreinfo_offset = 0, vmcoreinfo_size = 0;
  uint64_t notes_offset = 0, notes_size = 0;

  // Where things are in the file, in bytes.
  uint64_t bitmaps_offset() const { return (1 + sub_header_blocks) * block_size; }
  uint64_t bitmaps_size() const { return bitmap_blocks * block_size; }
  uint64_t descriptors_offset() const { return bitmaps_offset() + bitmaps_size(); }
};

bool LooksLikeDiskDump(ByteView head);

// Reads the first two blocks. Every size in the result is checked against its range, none against the file.
//   INVALID_ARGUMENT  no such dump, or its header contradicts itself
//   OUT_OF_RANGE      it ends within its header
//   other codes       ReadAt's
absl::StatusOr<DiskDumpHeader> ReadDiskDumpHeader(const ByteSource& file);

// VMCOREINFO's text; "" when there is none, or the file ends before it. Reads at most 64 KiB.
std::string ReadVmcoreinfoText(const ByteSource& file, const DiskDumpHeader& header);

// How many NT_PRSTATUS notes the dump has. Reads at most 16 MiB.
uint32_t CountPrstatus(const ByteSource& file, const DiskDumpHeader& header);

// What the file lacks at its end, for a person; "" when all of its pages are in it, as far as its last
// descriptors tell. Reads one bitmap, at most 64 MiB of it, and the last descriptors.
std::string MissingTail(const ByteSource& file, const DiskDumpHeader& header);

}  // namespace corefleet

#endif  // COREFLEET_CORE_KDUMP_DISK_DUMP_HEADER_H_
