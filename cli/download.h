#ifndef COREFLEET_CLI_DOWNLOAD_H_
#define COREFLEET_CLI_DOWNLOAD_H_

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "base/clock.h"
#include "core/bytes/byte_view.h"
#include "corefleet/v1/archive.grpc.pb.h"

namespace corefleet {

// Fetches a stream of ReadArtifactResponses, whichever call it comes from. Each piece's place and crc32c are
// checked before it is handed on, and each call's SHA-256 at its end. When the link breaks, it goes on behind
// the last piece.
struct Download {
  using Reader = std::unique_ptr<grpc::ClientReaderInterface<v1::ReadArtifactResponse>>;

  // Starts a call that answers from `offset` to the end.
  std::function<Reader(grpc::ClientContext* context, uint64_t offset)> open;
  // Told the size of the whole before the first piece, once. Not OK: the download ends with that status.
  std::function<absl::Status(uint64_t total)> on_size;
  // Takes the next bytes. Not OK: the download ends with that status.
  std::function<absl::Status(ByteView bytes)> write;
  Clock* clock;
};

// Runs it from `offset`, which may be the end already. Status: what the server or a callback said; DATA_LOSS
// for bytes that arrived damaged; UNAVAILABLE after five breaks in a row without a single new byte.
absl::Status RunDownload(const Download& download, uint64_t offset);

}  // namespace corefleet

#endif  // COREFLEET_CLI_DOWNLOAD_H_
