#ifndef COREFLEET_COLLECTOR_UPLOAD_ANNOUNCEMENT_H_
#define COREFLEET_COLLECTOR_UPLOAD_ANNOUNCEMENT_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "collector/spool/outgoing_crash.h"
#include "core/crash/region_set.h"
#include "core/manifest/manifest.h"

namespace corefleet {

// A region set that has been read once and announced, and that is read again as it travels. Remembers 8 bytes
// a chunk of what it read first, so that a file that changed in between is noticed before its bytes leave.
// Keeps the set's bytes alive. One thread at a time.
class Announcement final : public OutgoingCrash {
 public:
  // Reads every region once. Codes: ByteSource::ReadAt's, and Validate's for a set that no server takes.
  static absl::StatusOr<Announcement> Of(const RegionSet& set);

  const Manifest& manifest() const override { return manifest_; }
  const CrashClues& clues() const override { return clues_; }

  // Reads and encodes a chunk.
  //   OUT_OF_RANGE  there is no such chunk
  //   ABORTED       its bytes are not those that were announced
  //   other codes   ByteSource::ReadAt's
  absl::StatusOr<OutgoingChunk> Read(uint32_t region, uint64_t chunk) override;

 private:
  Announcement() = default;
  absl::Status Announce(const Region& region);
  absl::StatusOr<ByteView> ReadRaw(const ByteSource& bytes, uint64_t chunk);

  Manifest manifest_;
  CrashClues clues_;  // none: whoever sends from files has not looked into them
  std::vector<std::shared_ptr<const ByteSource>> sources_;
  std::vector<std::vector<uint64_t>> marks_;  // the first 8 bytes of each chunk's digest
  std::vector<uint8_t> buffer_;
};

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_UPLOAD_ANNOUNCEMENT_H_
