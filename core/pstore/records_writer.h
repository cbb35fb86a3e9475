#ifndef COREFLEET_CORE_PSTORE_RECORDS_WRITER_H_
#define COREFLEET_CORE_PSTORE_RECORDS_WRITER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace corefleet {

// What a kernel may compress a record with; kDeflate is raw, as all kernels since 6.6 do it.
enum class RecordCodec { kPlain, kDeflate, kZlib, kZstd, kLz4 };

// `record`, header line and all, as a kernel stores it. "" if the library fails.
std::string CompressRecord(absl::string_view record, RecordCodec codec);

// A dump that a kernel makes.
struct PstoreDump {
  std::string backend = "ramoops";  // "ramoops", "efi_pstore", "erst" or another
  std::string reason = "Panic";
  uint32_t count = 1;
  uint64_t seconds = 0;                     // since 1970, of an efi id
  uint64_t first_id = 0;                    // ramoops: the zone; erst: the id of part 1
  std::string text;                         // the end of the log, with <level>[stamp]
  size_t part_bytes = 0;                    // of text in a part; 0: all in one
  RecordCodec codec = RecordCodec::kPlain;  // another than plain gives .enc.z files
  std::string ecc_notice;                   // what ramoops writes behind it
};

struct PstoreFileBytes {
  std::string name;
  std::string bytes;
};

// The files that /sys/fs/pstore shows for `dump`, part 1 (the newest text) first. Parts end at line ends.
std::vector<PstoreFileBytes> WritePstoreDump(const PstoreDump& dump);

}  // namespace corefleet

#endif  // COREFLEET_CORE_PSTORE_RECORDS_WRITER_H_
