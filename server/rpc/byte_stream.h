#ifndef COREFLEET_SERVER_RPC_BYTE_STREAM_H_
#define COREFLEET_SERVER_RPC_BYTE_STREAM_H_

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "core/bytes/byte_source.h"
#include "core/digest/digest.h"
#include "corefleet/v1/archive.pb.h"

namespace corefleet {

// Cuts a range of a source into ReadArtifactResponses. There is always one at least, so that a client learns
// the size of an empty file. One owner at a time.
class ByteStream {
 public:
  // `length` 0, or one that leaves the source, means to the end.
  //   OUT_OF_RANGE  `offset` is behind the end
  static absl::StatusOr<ByteStream> Start(std::shared_ptr<const ByteSource> source, uint64_t offset,
                                          uint64_t length);

  // Fills the next answer; false when all are given. Codes: ByteSource::ReadAt's.
  absl::StatusOr<bool> Next(v1::ReadArtifactResponse* response);

 private:
  ByteStream(std::shared_ptr<const ByteSource> source, uint64_t offset, uint64_t end)
      : source_(std::move(source)), next_(offset), end_(end) {}

  std::shared_ptr<const ByteSource> source_;
  uint64_t next_;
  uint64_t end_;
  Sha256 digest_;
  bool first_ = true;
  bool done_ = false;
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_RPC_BYTE_STREAM_H_
