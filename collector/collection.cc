#include "collector/collection.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "collector/source/change_notice.h"
#include "core/manifest/manifest.h"

namespace corefleet {
namespace {

// Between two looks while files come in one after another.
constexpr absl::Duration kBreather = absl::Milliseconds(200);
// Where the kernel tells of changes, looking is only a safety net; where it does not, it is all there is.
constexpr absl::Duration kSlowPoll = absl::Minutes(10);
constexpr absl::Duration kBlindPoll = absl::Seconds(5);

Uploader::Dependencies WithLogging(IngestClient* client, Clock* clock) {
  return {
      .client = client, .clock = clock, .random = SystemRandom(), .on_retry = [](const absl::Status& status) {
        Log(LogLevel::kWarning, "upload interrupted", {{"reason", status.ToString()}});
      }};
}

}  // namespace

UploadSink::UploadSink(const Uploader::Options& options, IngestClient* client, Clock* clock,
                       SentCrashes* sent)
    : uploader_(options, WithLogging(client, clock)), sent_(sent) {}

absl::StatusOr<Fate> UploadSink::Accept(const FoundCrash& crash) {
  for (const std::string& skipped : crash.skipped)
    Log(LogLevel::kWarning, "not taken", {{"path", crash.path}, {"file", skipped}});
  for (const std::string& note : crash.notes)
    Log(LogLevel::kInfo, "found", {{"path", crash.path}, {"note", note}});
  const absl::StatusOr<Manifest> manifest = MakeManifest(crash.regions);
  if (!manifest.ok()) {
    Log(LogLevel::kWarning, "cannot read",
        {{"path", crash.path}, {"reason", std::string(manifest.status().message())}});
    return manifest.status();
  }
  const CrashUid uid = UidOf(*manifest);
  if (sent_->Has(uid)) {
    Log(LogLevel::kInfo, "sent before", {{"path", crash.path}});
    return Fate::kSafe;
  }
  return Conclude(crash, uid, uploader_.Upload(crash.regions));
}

absl::StatusOr<Fate> UploadSink::Conclude(const FoundCrash& crash, const CrashUid& uid,
                                          const UploadResult& result) {
  const bool stored = !result.crash.empty();
  Log(stored ? LogLevel::kInfo : LogLevel::kError, stored ? "crash sent" : "crash not sent",
      {{"path", crash.path},
       {"crash", result.crash},
       {"outcome", std::string(OutcomeName(result.outcome))},
       {"reason", result.reason}});
  switch (result.outcome) {
    case UploadOutcome::kStored:
    case UploadOutcome::kStoredInPart:
    case UploadOutcome::kAlreadyStored: {
      const absl::Status remembered = sent_->Add(uid, result.crash);
      // It is safe on the server; not remembering costs a question after a restart.
      if (!remembered.ok())
        Log(LogLevel::kWarning, "cannot remember", {{"reason", std::string(remembered.message())}});
      return Fate::kSafe;
    }
    case UploadOutcome::kRefused:
      ++refused_;
      return Fate::kRefused;
    case UploadOutcome::kStopped:
    case UploadOutcome::kUnreachable:
      unreachable_ = true;
      return absl::UnavailableError(result.reason);
    case UploadOutcome::kChanged:
      return absl::AbortedError(result.reason);
  }
  return Fate::kRefused;
}

void WatchForEver(WatchedFolders* folders, CrashSink* sink, Clock* clock) {
  ChangeNotice notice;
  absl::Status last;
  for (;;) {
    // Watches first, looks after: what comes in between wakes us up.
    const bool told = notice.Watch(folders->FoldersToWatch());
    const absl::Status status = folders->Drain(*sink);
    if (!status.ok() && status != last)
      Log(LogLevel::kWarning, "cannot take everything", {{"reason", status.ToString()}});
    last = status;
    const absl::Duration idle = told && status.ok() ? kSlowPoll : kBlindPoll;
    notice.Wait(std::min(folders->UntilDue(), idle));
    clock->Sleep(kBreather);
  }
}

}  // namespace corefleet
