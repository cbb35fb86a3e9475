#include "collector/spool_sink.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"

namespace corefleet {
namespace {

// 2024: a clock that says less was never set.
constexpr absl::Time kEarliestPossible = absl::FromUnixSeconds(1704067200);

// The same file in the same state is counted once, however often it is met.
std::string WhatItIs(const FoundCrash& crash) {
  uint64_t bytes = 0;
  for (const Region& region : crash.regions.regions) bytes += region.bytes->size();
  return absl::StrCat(crash.path, "/", crash.regions.regions.size(), "/", bytes);
}

}  // namespace

absl::StatusOr<Fate> SpoolSink::Accept(const FoundCrash& crash) {
  for (const std::string& skipped : crash.skipped) {
    Log(LogLevel::kWarning, "not taken", {{"path", crash.path}, {"file", skipped}});
  }
  for (const std::string& note : crash.notes) {
    Log(LogLevel::kInfo, "found", {{"path", crash.path}, {"note", note}});
  }
  SpoolTags tags{.device = device_, .boot_id = time_.boot_id, .note = note_};
  tags.clues.source = crash.source;
  const absl::Time now = time_.wall->Now();
  if (now >= kEarliestPossible) tags.clues.captured_at = now;
  const absl::StatusOr<PutResult> put = spool_->Put(crash.regions, tags);
  if (!put.ok()) return NotSpooled(crash, put.status());
  return Spooled(crash, *put);
}

Fate SpoolSink::Spooled(const FoundCrash& crash, const PutResult& put) {
  if (put.outcome == PutOutcome::kSpooled) {
    ledger_->Count("collected");
    Log(LogLevel::kInfo, "crash spooled",
        {{"path", crash.path}, {"entry", absl::StrCat(put.id)}, {"uid", put.uid.value()}});
  }
  return Fate::kSafe;
}

absl::StatusOr<Fate> SpoolSink::NotSpooled(const FoundCrash& crash, const absl::Status& status) {
  Log(LogLevel::kWarning, "crash not spooled", {{"path", crash.path}, {"reason", status.ToString()}});
  ledger_->SayError(absl::StrCat("cannot spool ", crash.path, ": ", status.message()));
  const bool too_large = absl::IsOutOfRange(status);
  if (!too_large && !absl::IsInvalidArgument(status)) return status;
  spool_->CountLoss(too_large ? LossReason::kTooLarge : LossReason::kUnreadable, WhatItIs(crash));
  return Fate::kRefused;
}

}  // namespace corefleet
