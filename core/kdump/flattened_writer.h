#ifndef COREFLEET_CORE_KDUMP_FLATTENED_WRITER_H_
#define COREFLEET_CORE_KDUMP_FLATTENED_WRITER_H_

#include <cstdint>
#include <vector>

#include "core/bytes/byte_view.h"

namespace corefleet {

// Writes makedumpfile's flattened form (core/kdump/flattened.h), piece after piece as given.
class FlattenedWriter {
 public:
  FlattenedWriter();
  // `bytes` are the real file's from `offset` on.
  void Append(uint64_t offset, ByteView bytes);
  // The stream so far, with the end mark if `ended`.
  std::vector<uint8_t> Stream(bool ended = true) const;

 private:
  std::vector<uint8_t> stream_;
};

// A whole file as a stream of pieces of `piece_bytes`, of which the first is written again at the end, as
// makedumpfile does with a dump's header.
std::vector<uint8_t> Flatten(ByteView file, uint64_t piece_bytes);

}  // namespace corefleet

#endif  // COREFLEET_CORE_KDUMP_FLATTENED_WRITER_H_
