#ifndef COREFLEET_STORAGE_PACK_STORE_H_
#define COREFLEET_STORAGE_PACK_STORE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "core/bytes/byte_view.h"

namespace corefleet {

// Where a pack lies. Opaque outside the store that gave it; kept in the database.
struct PackRef {
  std::string key;      // the segment's or the object's name
  uint64_t offset = 0;  // of the pack in it, in bytes
  uint64_t size = 0;    // of the pack, in bytes

  friend bool operator==(const PackRef&, const PackRef&) = default;
};

// A pack that was written and that a power cut may still take. Its key is not closed while this lives. Must
// not outlive its store. Not thread-safe.
class WrittenPack {
 public:
  explicit WrittenPack(PackRef ref) : ref_(std::move(ref)) {}
  virtual ~WrittenPack() = default;
  WrittenPack(const WrittenPack&) = delete;
  WrittenPack& operator=(const WrittenPack&) = delete;

  const PackRef& ref() const { return ref_; }
  // When it returns OK the pack is durable: it survives kill -9 and a power cut. Blocks until then; calls
  // that wait at the same time share one sync. After an error the pack is lost, whatever a later call says.
  virtual absl::Status Sync() = 0;

 private:
  const PackRef ref_;
};

// Keeps packs. Thread-safe. Every method may return
//   UNAVAILABLE         the store does not answer; retry later
//   RESOURCE_EXHAUSTED  no space is left (Write, Put and Sync only)
class PackStore {
 public:
  virtual ~PackStore() = default;

  // Writes a pack, given in pieces that stand one behind the other in it. It leaves the caller's memory, and
  // is not yet durable. One that is never synced is a pack that no row names, if it stays at all.
  //   INVALID_ARGUMENT  more than 64 MiB
  virtual absl::StatusOr<std::unique_ptr<WrittenPack>> Write(absl::Span<const ByteView> pieces) = 0;

  // Write and Sync. Codes of both.
  absl::StatusOr<PackRef> PutPieces(absl::Span<const ByteView> pieces);
  absl::StatusOr<PackRef> Put(ByteView pack) { return PutPieces({pack}); }

  // Fills `out` from `offset` bytes into the pack.
  //   NOT_FOUND     no such pack
  //   OUT_OF_RANGE  the range leaves the pack
  //   DATA_LOSS     the store has fewer bytes than it promised
  virtual absl::Status Read(const PackRef& ref, uint64_t offset, absl::Span<uint8_t> out) = 0;

  // The keys under which packs lie and to which nothing is added any more, sorted. For reconciliation, as all
  // below.
  virtual absl::StatusOr<std::vector<std::string>> ClosedKeys() = 0;

  // What lies under a key, in order: every pack whose record is whole, by its checksum. What is torn or
  // damaged is skipped and counted; what was released is not there. Reads every byte.
  //   NOT_FOUND            no such key
  //   FAILED_PRECONDITION  it is still written to
  struct KeptPack {
    PackRef ref;
    std::string session;  // out of the pack's own index; empty if it has none
  };
  struct KeyContents {
    std::vector<KeptPack> packs;
    uint64_t damaged = 0;   // stretches that are no whole record: torn tails, and what a disk has spoilt
    absl::Time changed_at;  // when it was last written to
  };
  virtual absl::StatusOr<KeyContents> Contents(const std::string& key) = 0;

  // Gives back the room of a pack that nobody names. Reading it afterwards is NOT_FOUND or DATA_LOSS. OK if
  // it is gone. A power cut leaves the pack whole or released.
  //   FAILED_PRECONDITION  its key is still written to, or no such pack lies there
  virtual absl::Status Release(const PackRef& ref) = 0;
  // Removes a key and all that lies under it. OK if it is gone. A power cut may bring it back, whole.
  //   FAILED_PRECONDITION  it is still written to
  virtual absl::Status Remove(const std::string& key) = 0;

  // Bytes in use, and bytes that can still be written, as well as the store can tell.
  virtual uint64_t StoredBytes() = 0;
  virtual uint64_t FreeBytes() = 0;
};

}  // namespace corefleet

#endif  // COREFLEET_STORAGE_PACK_STORE_H_
