#ifndef COREFLEET_STORAGE_SEGMENT_SEGMENT_SCAN_H_
#define COREFLEET_STORAGE_SEGMENT_SEGMENT_SCAN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/segment/file_system.h"

namespace corefleet {

// A record of a segment that is whole, or was released.
struct ScannedRecord {
  uint64_t offset = 0;  // of the pack in the segment
  uint64_t size = 0;    // of the pack
  bool released = false;
  std::string session;  // out of the pack's index; empty when released, and when the pack has none
};

struct SegmentScan {
  std::vector<ScannedRecord> records;  // in order
  uint64_t damaged = 0;                // stretches that are no record: torn tails, and what a disk has spoilt
};

// Reads a segment of `size` bytes from its front, and goes on behind what is damaged: where a damaged
// record's header still leads to a next one, there; else at the next place where a whole record starts. Holds
// one pack in memory at a time, at most kMaxPackBytes. What a device wrote into a pack may look like a
// record: it can come out of here only when the header of the pack around it is destroyed, so the caller must
// never act on bytes that the index names as part of something else.
//   UNAVAILABLE  the file cannot be read
absl::StatusOr<SegmentScan> ScanSegment(ReadFile* file, uint64_t size);

}  // namespace corefleet

#endif  // COREFLEET_STORAGE_SEGMENT_SEGMENT_SCAN_H_
