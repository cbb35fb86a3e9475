#ifndef COREFLEET_COLLECTOR_SPOOL_ENTRY_FILE_H_
#define COREFLEET_COLLECTOR_SPOOL_ENTRY_FILE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "collector/spool/entry_format.h"
#include "collector/spool/outgoing_crash.h"
#include "collector/spool/spool_folder.h"

namespace corefleet {

// Writes an entry from front to end, whatever its size through the same few buffers. Errors: SpoolFile's. One
// thread at a time.
class EntryWriter {
 public:
  // `file` must outlive it. `manifest` says everything of the regions but their roots, and must be valid.
  EntryWriter(SpoolFile* file, Manifest manifest);

  // The next chunk, in the order of the regions. Its encoded bytes must not be more than its raw ones.
  absl::Status Add(const Sha256Digest& digest, const EncodedChunk& chunk);
  // After the last chunk: what was read. The roots are those of the chunks.
  const Manifest& manifest() const { return footer_.manifest; }
  // After the last chunk: writes what makes an entry of it, and syncs.
  absl::Status Finish(const SpoolTags& tags, uint64_t put_at);

  // Bytes of the file so far.
  uint64_t bytes() const { return written_ + buffer_.size(); }
  // At most so many are added by Finish, if nothing else is added before.
  uint64_t finish_bytes() const;

 private:
  absl::Status Write(absl::string_view bytes);
  absl::Status Flush();
  absl::Status WriteTable();
  // Regions that are complete get their roots.
  void CloseRegions();

  SpoolFile* const file_;
  EntryFooter footer_;
  const uint64_t manifest_bytes_;  // encoded
  RegionRoot root_;
  uint64_t chunks_left_;  // of the region
  size_t region_ = 0;
  std::vector<ChunkRow> rows_;
  std::string buffer_;
  uint64_t written_ = 0;
};

// What a file says it is, before its chunks were looked at.
struct ParsedEntry {
  EntryFooter footer;
  EntryState state;
  uint64_t footer_end = 0;  // bytes from the start of the file
  uint64_t state_end = 0;   // where the next state belongs
};

//   DATA_LOSS    it is no entry, or damaged
//   UNAVAILABLE  it cannot be read now
absl::StatusOr<ParsedEntry> ParseEntry(const SpoolBytes& file);

// A spooled crash that is read chunk by chunk. Memory: one table and one chunk, whatever its size.
class SpooledCrash final : public OutgoingCrash {
 public:
  // `lease` is kept as long as the object.
  SpooledCrash(std::unique_ptr<SpoolBytes> file, ParsedEntry entry, std::shared_ptr<void> lease);

  const Manifest& manifest() const override { return entry_.footer.manifest; }
  const CrashClues& clues() const override { return clues_; }
  absl::StatusOr<OutgoingChunk> Read(uint32_t region, uint64_t chunk) override;
  // The same, decoded.
  absl::StatusOr<std::vector<uint8_t>> ReadRaw(uint32_t region, uint64_t chunk);

 private:
  struct Placed {
    ChunkRow row;
    uint64_t offset = 0;
    uint32_t raw_size = 0;
  };
  absl::StatusOr<Placed> Find(uint32_t region, uint64_t chunk);
  absl::Status LoadTable(uint64_t table);
  // Reads and checks; the raw bytes go to `raw`.
  absl::StatusOr<OutgoingChunk> Take(uint32_t region, uint64_t chunk, std::vector<uint8_t>* raw);

  const std::unique_ptr<SpoolBytes> file_;
  const ParsedEntry entry_;
  const CrashClues clues_;
  const std::shared_ptr<void> lease_;
  std::vector<uint64_t> first_chunk_;  // of each region, counted through all
  uint64_t chunks_ = 0;
  uint64_t loaded_ = UINT64_MAX;  // the table that rows_ and offsets_ are of
  std::vector<ChunkRow> rows_;
  std::vector<uint64_t> offsets_;
};

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_SPOOL_ENTRY_FILE_H_
