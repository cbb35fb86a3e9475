#ifndef COREFLEET_COLLECTOR_UPLOAD_UPLOADER_H_
#define COREFLEET_COLLECTOR_UPLOAD_UPLOADER_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "collector/upload/ingest_client.h"
#include "collector/upload/refusal.h"
#include "collector/upload/retry_policy.h"
#include "collector/upload/send_window.h"
#include "core/crash/ids.h"
#include "core/crash/region_set.h"

namespace corefleet {

enum class UploadOutcome {
  kStored,         // the server has it, durably, because of this upload
  kAlreadyStored,  // the server had it before
  kStoredInPart,   // the server has as much as it asked for: the rest may be asked for later
  kRefused,        // the server will not take it as it is, or it cannot be sent: do not repeat
  kUnreachable,    // patience ran out; what was acknowledged is kept, and a later upload goes on from there
  kStopped,        // may_send said so; what was acknowledged is kept
  kChanged,        // the bytes are not those that were announced: open the crash again
};

struct UploadResult {
  UploadOutcome outcome = UploadOutcome::kUnreachable;
  std::string crash;   // the id, when stored
  std::string reason;  // one line, when not
  // Of what ended it, when it is not stored: the server's status, or the reader's. With a Refusal if the
  // server gave one.
  absl::Status status;
  Want want = Want::kAll;
  std::string rule;     // the operator's that decided what was wanted
  uint32_t weight = 1;  // the crash stands for so many like it
  // When stored in part: begin again after so long. Zero: never.
  absl::Duration ask_again = absl::ZeroDuration();
  bool progressed = false;  // something became durable on the way
};

// How far an upload is. Bytes of regions, before encoding.
struct UploadProgress {
  uint64_t durable_bytes = 0;
  uint64_t total_bytes = 0;
};

// Brings one crash after another to a server, through every break: begin, send what is missing, wait until it
// is durable, finish. After a break only what was not acknowledged travels again. Holds at most
// max_window_bytes of encoded bytes in memory, however large the crash. One thread at a time.
class Uploader {
 public:
  struct Options {
    DeviceId device;   // empty: the certificate says it
    std::string note;  // at most 1024 bytes of UTF-8
    RetryPolicy retry;
    uint64_t max_window_bytes = kMaxWindowBytes;  // in flight; 256 KiB to 8 MiB
    DeviceAccount account;                        // goes along with each BeginCrash
  };
  struct Dependencies {
    IngestClient* client;
    Clock* clock;
    std::function<double()> random;  // in [0, 1)
    // Called now and then; may be empty.
    std::function<void(const UploadProgress&)> on_progress;
    // Called before each wait with what went wrong; may be empty.
    std::function<void(const absl::Status&)> on_retry;
    // Asked before the crash begins (0 bytes, and what the server was heard to want: kAll), once more when
    // the server has said what it wants, and before each message of so many encoded bytes. May wait a little.
    // Not OK ends the upload with kStopped and that status. May be empty: everything may be sent.
    std::function<absl::Status(uint64_t bytes, Want want)> may_send;
  };

  Uploader(Options options, Dependencies dependencies);

  UploadResult Upload(const RegionSet& set);
  UploadResult Upload(OutgoingCrash& crash);

 private:
  Options options_;
  Dependencies dependencies_;
};

// "STORED" (in part, too), "ALREADY_STORED", "REFUSED"; the latter for everything that is not stored.
absl::string_view OutcomeName(UploadOutcome outcome);

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_UPLOAD_UPLOADER_H_
