#ifndef COREFLEET_CORE_MINIDUMP_RAW_DUMP_WRITER_H_
#define COREFLEET_CORE_MINIDUMP_RAW_DUMP_WRITER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "core/minidump/raw_dump_header.h"

namespace corefleet {

// One section to write: what firmware would have saved.
struct RawDumpFile {
  std::string name;  // cut to 20 bytes, as firmware cuts it
  std::vector<uint8_t> bytes;
  uint64_t base = 0;  // physical address, if a kDdrRange
  RawSectionType type = RawSectionType::kDdrRange;
};

struct RawDumpStorage {
  RawDumpMark mark = RawDumpMark::kFresh;
  // The partition's size in bytes. A section that does not fit any more is not written and flagged so, with
  // its size and no place, and the header says that storage was insufficient.
  uint64_t room = UINT64_MAX;
};

// The container as boot firmware writes it: headers, then the sections' bytes back to back. The same files
// give the same bytes. At most 2^32 - 1 files.
std::vector<uint8_t> WriteRawDump(const std::vector<RawDumpFile>& files, const RawDumpStorage& storage = {});

// The records alone, for who wants them to say something else than the truth.
void AppendRawDumpHeader(const RawDumpHeader& header, std::vector<uint8_t>* out);
void AppendRawDumpSection(const RawDumpSection& section, std::vector<uint8_t>* out);

}  // namespace corefleet

#endif  // COREFLEET_CORE_MINIDUMP_RAW_DUMP_WRITER_H_
