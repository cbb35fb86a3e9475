#ifndef COREFLEET_COLLECTOR_SPOOL_OUTGOING_CRASH_H_
#define COREFLEET_COLLECTOR_SPOOL_OUTGOING_CRASH_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/digest/chunk.h"
#include "core/digest/digest.h"
#include "core/manifest/manifest.h"

namespace corefleet {

// A chunk ready to travel.
struct OutgoingChunk {
  uint32_t region = 0;
  uint64_t chunk = 0;
  uint32_t raw_size = 0;
  Sha256Digest sha256{};  // of the raw bytes
  EncodedChunk encoded;
};

// What the device believes about a crash before anybody has analysed it (proto CrashHints). At most 256 bytes
// each.
struct CrashClues {
  std::string build_id;                   // of the kernel that died, lower-case hex
  std::string kernel_release;             // of the kernel that died
  std::string panic;                      // the last panic's first line
  std::string os_version;                 // of the boot that died, not of the one that uploads
  std::string source;                     // the source adapter's name
  std::optional<absl::Time> captured_at;  // empty: the device's clock was not set
  uint32_t priority = 0;                  // larger is more urgent

  friend bool operator==(const CrashClues&, const CrashClues&) = default;
};

// A crash that an uploader can announce and send: out of files, or out of the spool. One thread at a time.
class OutgoingCrash {
 public:
  virtual ~OutgoingCrash() = default;
  virtual const Manifest& manifest() const = 0;
  // May be empty in every part.
  virtual const CrashClues& clues() const = 0;

  // Reads a chunk, encoded.
  //   OUT_OF_RANGE  there is no such chunk
  //   ABORTED       its bytes are not those that were announced
  //   DATA_LOSS     the spool's copy is damaged
  //   other codes   ByteSource::ReadAt's
  virtual absl::StatusOr<OutgoingChunk> Read(uint32_t region, uint64_t chunk) = 0;
};

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_SPOOL_OUTGOING_CRASH_H_
