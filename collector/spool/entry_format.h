#ifndef COREFLEET_COLLECTOR_SPOOL_ENTRY_FORMAT_H_
#define COREFLEET_COLLECTOR_SPOOL_ENTRY_FORMAT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "collector/spool/spool.h"
#include "core/bytes/byte_view.h"
#include "core/digest/chunk.h"
#include "core/digest/digest.h"
#include "core/manifest/manifest.h"

namespace corefleet {

// The parts of an entry's file (docs/formats/spool.md). Decoding is total: an entry may come from a stick
// that anybody wrote. Every Decode gives DATA_LOSS for what is none.

// The first bytes of the file, written last.
struct EntryHead {
  uint64_t footer_at = 0;    // bytes from the start of the file
  uint32_t footer_size = 0;  // bytes
  uint32_t footer_crc = 0;   // CRC-32C

  friend bool operator==(const EntryHead&, const EntryHead&) = default;
};

inline constexpr uint64_t kEntryHeadBytes = 32;
inline constexpr uint32_t kMaxFooterBytes = 4 << 20;

std::string EncodeHead(const EntryHead& head);
absl::StatusOr<EntryHead> DecodeHead(ByteView bytes);

// What a chunk is, in the table behind it.
struct ChunkRow {
  ChunkEncoding encoding = ChunkEncoding::kRaw;
  uint32_t stored = 0;    // bytes
  Sha256Digest sha256{};  // of the raw bytes

  friend bool operator==(const ChunkRow&, const ChunkRow&) = default;
};

inline constexpr uint64_t kRowsPerTable = 1024;
// Bytes of a table of `rows` rows.
inline constexpr uint64_t TableBytes(uint64_t rows) { return rows * 37 + 4; }

std::string EncodeTable(absl::Span<const ChunkRow> rows);
// `bytes` must have TableBytes of some number of rows.
absl::StatusOr<std::vector<ChunkRow>> DecodeTable(ByteView bytes);

// Everything that was known when the crash was put.
struct EntryFooter {
  Manifest manifest;
  SpoolTags tags;
  uint64_t put_at = 0;           // seconds that the device had been up, of all its boots
  std::vector<uint64_t> tables;  // where they are, bytes from the start of the file

  // How many chunks the regions have. At most 2^34.
  uint64_t chunks() const;
};

std::string EncodeFooter(const EntryFooter& footer);
// Also checks that the number of tables is what the manifest needs.
absl::StatusOr<EntryFooter> DecodeFooter(ByteView bytes);

// What became known later. Each change is one more record behind the footer; the last whole one counts.
struct EntryState {
  bool clues_tried = false;
  bool rest_only = false;
  uint64_t wait_until = 0;  // on put_at's clock
  CrashClues clues;

  friend bool operator==(const EntryState&, const EntryState&) = default;
};

// More bytes of records than this are not read.
inline constexpr uint64_t kMaxStateBytes = 64 << 10;

std::string EncodeState(const EntryState& state);
// Finds the last whole record at the front of `bytes`, and says in `used` where the next one belongs. False
// if there is none; then `state` is as it was. Total.
bool DecodeLastState(ByteView bytes, EntryState* state, uint64_t* used);

// Cuts and cleans what a stranger, or a dead kernel, wrote into them: every text printable UTF-8 on one line,
// at most 256 bytes (the note 1024); a device's name that is none becomes empty.
SpoolTags CleanTags(const SpoolTags& tags);
CrashClues CleanClues(const CrashClues& clues);

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_SPOOL_ENTRY_FORMAT_H_
