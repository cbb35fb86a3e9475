#ifndef COREFLEET_COLLECTOR_UPLOAD_UPLOADER_H_
#define COREFLEET_COLLECTOR_UPLOAD_UPLOADER_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "collector/upload/ingest_client.h"
#include "collector/upload/retry_policy.h"
#include "core/crash/ids.h"
#include "core/crash/region_set.h"

namespace corefleet {

enum class UploadOutcome {
  kStored,         // the server has it, durably, because of this upload
  kAlreadyStored,  // the server had it before
  kRefused,        // the server will not take it as it is, or it cannot be sent: do not repeat
  kUnreachable,    // patience ran out; what was acknowledged is kept, and a later upload goes on from there
  kChanged,        // the files changed under the upload: open them again
};

struct UploadResult {
  UploadOutcome outcome = UploadOutcome::kUnreachable;
  std::string crash;   // the id, when stored
  std::string reason;  // one line, when not
};

// How far an upload is. Bytes of regions, before encoding.
struct UploadProgress {
  uint64_t durable_bytes = 0;
  uint64_t total_bytes = 0;
};

// Brings one crash after another to a server, through every break: begin, send what is missing, wait until it
// is durable, finish. After a break only what was not acknowledged travels again. Holds at most the server's
// window of encoded bytes (and never more than 8 MiB) in memory, however large the crash. One thread at a
// time.
class Uploader {
 public:
  struct Options {
    DeviceId device;
    std::string note;  // at most 1024 bytes of UTF-8
    RetryPolicy retry;
  };
  struct Dependencies {
    IngestClient* client;
    Clock* clock;
    std::function<double()> random;  // in [0, 1)
    // Called now and then; may be empty.
    std::function<void(const UploadProgress&)> on_progress;
    // Called before each wait with what went wrong; may be empty.
    std::function<void(const absl::Status&)> on_retry;
  };

  Uploader(Options options, Dependencies dependencies);

  UploadResult Upload(const RegionSet& set);

 private:
  Options options_;
  Dependencies dependencies_;
};

// "STORED", "ALREADY_STORED", "REFUSED"; the latter for everything that is not stored.
absl::string_view OutcomeName(UploadOutcome outcome);

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_UPLOAD_UPLOADER_H_
