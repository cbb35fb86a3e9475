#ifndef COREFLEET_COLLECTOR_UPLOAD_CHUNK_CURSOR_H_
#define COREFLEET_COLLECTOR_UPLOAD_CHUNK_CURSOR_H_

#include <cstdint>
#include <vector>

#include "collector/upload/ingest_client.h"

namespace corefleet {

// Walks over the chunks of some ranges, which must outlive it.
class ChunkCursor {
 public:
  explicit ChunkCursor(const std::vector<ChunkRange>& ranges) : ranges_(ranges) { SkipEmpty(); }
  bool done() const { return range_ == ranges_.size(); }
  uint32_t region() const { return ranges_[range_].region; }
  uint64_t chunk() const { return ranges_[range_].first + offset_; }
  void Advance() {
    ++offset_;
    SkipEmpty();
  }

 private:
  void SkipEmpty() {
    while (!done() && offset_ >= ranges_[range_].count) {
      ++range_;
      offset_ = 0;
    }
  }

  const std::vector<ChunkRange>& ranges_;
  size_t range_ = 0;
  uint64_t offset_ = 0;
};

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_UPLOAD_CHUNK_CURSOR_H_
