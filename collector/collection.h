#ifndef COREFLEET_COLLECTOR_COLLECTION_H_
#define COREFLEET_COLLECTOR_COLLECTION_H_

#include <string>
#include <vector>

#include "base/clock.h"
#include "collector/source/crash_source.h"
#include "collector/source/watched_folders.h"
#include "collector/spool/sent_crashes.h"
#include "collector/upload/ingest_client.h"
#include "collector/upload/uploader.h"

namespace corefleet {

// Uploads what sources find, logs what became of each, and remembers what was sent. One thread at a time.
class UploadSink final : public CrashSink {
 public:
  // `client`, `clock` and `sent` must outlive it.
  UploadSink(const Uploader::Options& options, IngestClient* client, Clock* clock, SentCrashes* sent);

  // UNAVAILABLE when the server did not answer within the retry policy, ABORTED when the files changed
  // meanwhile.
  absl::StatusOr<Fate> Accept(const FoundCrash& crash) override;

  int refused() const { return refused_; }
  bool unreachable() const { return unreachable_; }

 private:
  absl::StatusOr<Fate> Conclude(const FoundCrash& crash, const CrashUid& uid, const UploadResult& result);

  Uploader uploader_;
  SentCrashes* sent_;
  int refused_ = 0;
  bool unreachable_ = false;
};

// Watches for ever: looks, uploads, and sleeps until something changes or becomes due.
[[noreturn]] void WatchForEver(WatchedFolders* folders, CrashSink* sink, Clock* clock);

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_COLLECTION_H_
