#ifndef COREFLEET_TESTS_BENCH_LOAD_CRASH_BODY_H_
#define COREFLEET_TESTS_BENCH_LOAD_CRASH_BODY_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "corefleet/v1/ingest.pb.h"

namespace corefleet {

// A region set as a device holds it: file names and bytes.
using RegionFiles = std::vector<std::pair<std::string, std::string>>;

// How the chunks travel.
enum class BodyEncoding { kRaw, kZstd };

// A crash that is ready to be sent: hashed, encoded and serialised before anybody measures. Immutable.
//
// One body serves for many crashes: its stamp, a region of eight bytes, is left to be filled in with the
// crash's number (StampedCrash), and every number makes a crash with an identity of its own.
class CrashBody {
 public:
  // One chunk as a field of PutChunksRequest, serialised: several of them one after the other are a message.
  struct Field {
    uint32_t region;
    uint64_t chunk;
    uint32_t raw_size;
    uint64_t offset;  // in wire()
    uint32_t size;
  };

  // Adds the stamp to `files` as their last region.
  CrashBody(const RegionFiles& files, BodyEncoding encoding, bool keep_raw);

  const corefleet::v1::BeginCrashRequest& announcement() const { return announcement_; }
  // All chunks but the stamp's, in order of region and chunk.
  const std::vector<Field>& fields() const { return fields_; }
  absl::string_view wire() const { return wire_; }
  // Index into fields() of a region's first chunk; the stamp's own is fields().size().
  size_t first_field(uint32_t region) const { return first_field_[region]; }
  uint32_t stamp_region() const { return static_cast<uint32_t>(first_field_.size() - 1); }
  uint64_t raw_bytes() const { return raw_bytes_; }
  // All regions one after the other, as a peer gets them. Empty unless it was asked for.
  absl::string_view raw() const { return raw_; }
  const std::string& raw_sha256() const { return raw_sha256_; }

 private:
  void AddRegion(const std::string& name, const std::string& bytes, BodyEncoding encoding);

  v1::BeginCrashRequest announcement_;
  std::vector<Field> fields_;
  std::vector<size_t> first_field_;
  std::string wire_;
  uint64_t raw_bytes_ = 0;
  std::string raw_;
  std::string raw_sha256_;  // lower-case hex
};

// One crash: a body with its stamp.
struct StampedCrash {
  StampedCrash(const CrashBody* body, uint64_t number);

  const CrashBody* body;
  v1::BeginCrashRequest announcement;
  std::string stamp_field;  // the stamp's chunk, serialised
  // SHA-256, in hex, over the sorted lines "NAME SIZE ROOT" of the regions: what the ledger knows the crash
  // by, and what can be computed again from the bytes that the archive gives back.
  std::string Content() const;
};

// The digest above, from the regions' lines.
std::string ContentOf(std::vector<std::string> lines);
std::string ContentLine(absl::string_view file_name, uint64_t size, absl::string_view root);

}  // namespace corefleet

#endif  // COREFLEET_TESTS_BENCH_LOAD_CRASH_BODY_H_
