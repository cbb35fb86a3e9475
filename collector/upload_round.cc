#include "collector/upload_round.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "collector/upload/refusal.h"

namespace corefleet {
namespace {

// What a device has memory for: two copies of it are made on the way to the socket.
constexpr uint64_t kWindowBytes = 512 << 10;
// What may go uncounted when the power goes.
constexpr uint64_t kSaveEveryBytes = 1 << 20;
// How long a server that refuses for a reason that only people can cure is left alone.
constexpr absl::Duration kUntilSomebodyLooks = absl::Minutes(30);
constexpr absl::Duration kUntilTheLinkChanges = absl::Minutes(5);
// A pace that would hold a message for longer than this lets the server believe that we are gone.
constexpr absl::Duration kMaxPause = absl::Seconds(20);

bool IsUnreached(const UploadResult& result) {
  return result.outcome == UploadOutcome::kUnreachable && SoundsUnreached(result.status.code()) &&
         RefusalOf(result.status) == Refusal();
}

absl::string_view NameOf(UploadOutcome outcome) {
  switch (outcome) {
    case UploadOutcome::kStored:
      return "stored";
    case UploadOutcome::kAlreadyStored:
      return "already_stored";
    case UploadOutcome::kStoredInPart:
      return "stored_in_part";
    case UploadOutcome::kRefused:
      return "refused";
    case UploadOutcome::kUnreachable:
      return "failed";
    case UploadOutcome::kStopped:
      return "stopped";
    case UploadOutcome::kChanged:
      return "damaged";
  }
  return "failed";
}

}  // namespace

void StoppableClock::Sleep(absl::Duration duration) { stop_->WaitForNotificationWithTimeout(duration); }

absl::Duration UploadRounds::Run() {
  wait_ = absl::InfiniteDuration();
  done_.clear();
  while (!deps_.stop->HasBeenNotified()) {
    const std::optional<SpoolEntry> entry = PickEntry();
    if (!entry) {
      deps_.ledger->RoundDone();
      break;
    }
    if (!MayBegin() || SendOne(*entry) == Next::kEndRound) break;
  }
  Disconnect();
  return wait_;
}

// The first in the spool's order of those that failed least.
std::optional<SpoolEntry> UploadRounds::PickEntry() const {
  std::optional<SpoolEntry> best;
  int best_failures = 0;
  for (SpoolEntry& entry : deps_.spool->List()) {
    if (entry.wait > absl::ZeroDuration() || done_.count(entry.id) > 0) continue;
    const auto failed = failures_.find(entry.id);
    const int failures = failed == failures_.end() ? 0 : failed->second;
    if (best && failures >= best_failures) continue;
    best = std::move(entry);
    best_failures = failures;
  }
  return best;
}

bool UploadRounds::MayBegin() {
  if (const absl::Duration wait = deps_.ledger->UntilCrash(); wait > absl::ZeroDuration()) {
    EndRound(wait, "budget");
    return false;
  }
  switch (PermissionFor(deps_.standing())) {
    case Permission::kNoConsent:
      DropForWantOfConsent();
      EndRound(absl::InfiniteDuration(), "consent");
      return false;
    case Permission::kWait:
      EndRound(kUntilTheLinkChanges, "metered_link");
      return false;
    case Permission::kSend:
    case Permission::kLogOnly:
      break;
  }
  return true;
}

UploadRounds::Next UploadRounds::SendOne(const SpoolEntry& entry) {
  done_.insert(entry.id);
  if (!entry.clues_tried && deps_.read_clues) deps_.read_clues(entry);
  absl::StatusOr<std::unique_ptr<OutgoingCrash>> crash = deps_.spool->OpenEntry(entry.id);
  if (!crash.ok()) return Unreadable(entry, crash.status());
  return TryServers(entry, crash->get());
}

UploadRounds::Next UploadRounds::TryServers(const SpoolEntry& entry, OutgoingCrash* crash) {
  const size_t servers = deps_.config->servers.size();
  UploadResult result;
  for (size_t tried = 0; tried < servers && !deps_.stop->HasBeenNotified(); ++tried) {
    const absl::StatusOr<IngestClient*> client = Connect();
    if (client.ok()) {
      result = Upload(entry, crash, *client);
      if (!IsUnreached(result)) return Conclude(entry, result);
    } else {
      result = {.reason = std::string(client.status().message()), .status = client.status()};
    }
    Disconnect();
    server_ = (server_ + 1) % servers;
  }
  return Conclude(entry, result);
}

DeviceId UploadRounds::NameFor(const SpoolEntry& entry) const {
  const CollectorConfig& config = *deps_.config;
  const DeviceId& device = entry.tags.device.empty() ? config.device : entry.tags.device;
  return config.named_by_certificate && device == config.device ? DeviceId() : device;
}

UploadResult UploadRounds::Upload(const SpoolEntry& entry, OutgoingCrash* crash, IngestClient* client) {
  Uploader uploader({.device = NameFor(entry),
                     .note = entry.tags.note,
                     .retry = RetryPolicy::WhileItPays(),
                     .max_window_bytes = kWindowBytes,
                     .account = Account()},
                    {.client = client,
                     .clock = deps_.clock,
                     .random = deps_.random,
                     .may_send = [this](uint64_t bytes, Want want) { return MaySend(bytes, want); }});
  UploadResult result = uploader.Upload(*crash);
  if (result.progressed) deps_.ledger->Progressed();
  return result;
}

absl::Status UploadRounds::Allowed() {
  if (deps_.stop->HasBeenNotified()) return absl::CancelledError("stopping");
  switch (PermissionFor(deps_.standing())) {
    case Permission::kNoConsent:
      return absl::PermissionDeniedError("consent");
    case Permission::kWait:
      return absl::FailedPreconditionError("metered_link");
    case Permission::kLogOnly:
    case Permission::kSend:
      return absl::OkStatus();
  }
  return absl::OkStatus();
}

absl::Status UploadRounds::MaySend(uint64_t bytes, Want want) {
  RETURN_IF_ERROR(Allowed());
  if (bytes == 0) return absl::OkStatus();
  if (want != Want::kLogOnly && PermissionFor(deps_.standing()) == Permission::kLogOnly) {
    return absl::FailedPreconditionError("metered_link");
  }
  if (deps_.ledger->UntilBytes() > absl::ZeroDuration()) return absl::ResourceExhaustedError("budget");
  for (absl::Duration left = deps_.ledger->Pace(bytes); left > absl::ZeroDuration(); left -= kMaxPause) {
    deps_.clock->Sleep(std::min(left, kMaxPause));
    RETURN_IF_ERROR(Allowed());
  }
  deps_.ledger->BytesSent(bytes);
  unsaved_bytes_ += bytes;
  if (unsaved_bytes_ >= kSaveEveryBytes) {
    unsaved_bytes_ = 0;
    deps_.ledger->Save(/*sync=*/false).IgnoreError();
  }
  return absl::OkStatus();
}

UploadRounds::Next UploadRounds::Conclude(const SpoolEntry& entry, const UploadResult& result) {
  const bool stored = !result.crash.empty();
  deps_.ledger->Count(absl::StrCat("uploads.", NameOf(result.outcome)));
  Log(stored ? LogLevel::kInfo : LogLevel::kWarning, stored ? "crash sent" : "crash not sent",
      {{"entry", absl::StrCat(entry.id)},
       {"uid", entry.uid.value()},
       {"crash", result.crash},
       {"outcome", std::string(NameOf(result.outcome))},
       {"rule", result.rule},
       {"reason", result.reason}});
  switch (result.outcome) {
    case UploadOutcome::kStored:
    case UploadOutcome::kAlreadyStored:
    case UploadOutcome::kStoredInPart:
      return Stored(entry, result);
    case UploadOutcome::kRefused:
      return Refused(entry, result);
    case UploadOutcome::kUnreachable:
      return Unreachable(entry, result);
    case UploadOutcome::kChanged:
      return Unreadable(entry, result.status);
    case UploadOutcome::kStopped:
      break;
  }
  if (absl::IsPermissionDenied(result.status)) DropForWantOfConsent();
  if (absl::IsFailedPrecondition(result.status)) {
    // The link allows the logs that a server asks for alone; this crash is not one, the next may be.
    wait_ = std::min(wait_, kUntilTheLinkChanges);
    deps_.ledger->Say("waiting_for", "metered_link");
    return Next::kGoOn;
  }
  const bool budget = absl::IsResourceExhausted(result.status);
  return EndRound(budget ? std::max(deps_.ledger->UntilBytes(), absl::Minutes(1)) : absl::InfiniteDuration(),
                  std::string(result.status.message()));
}

UploadRounds::Next UploadRounds::Stored(const SpoolEntry& entry, const UploadResult& result) {
  failures_.erase(entry.id);
  deps_.ledger->CrashSent();
  if (account_) deps_.spool->LossesReported(*account_);
  absl::Status status;
  if (result.ask_again > absl::ZeroDuration()) {
    status = deps_.spool->KeepRest(entry.id, result.ask_again);
  } else {
    // Remembered before it goes: else a folder that still has it would bring it back.
    status = deps_.sent->Add(entry.uid, result.crash);
    status.Update(deps_.spool->Sent(entry.id));
  }
  if (!status.ok()) Log(LogLevel::kWarning, "cannot note what was sent", {{"reason", status.ToString()}});
  deps_.ledger->Save(/*sync=*/true).IgnoreError();
  return Next::kGoOn;
}

UploadRounds::Next UploadRounds::Refused(const SpoolEntry& entry, const UploadResult& result) {
  if (!IsFinal(result.status)) {
    return Failure(entry, kUntilSomebodyLooks, false, result.reason);
  }
  // The server has counted it under this reason; it is no loss of ours.
  const std::string reason = RefusalOf(result.status).reason;
  deps_.ledger->Count(absl::StrCat("refused.", absl::AsciiStrToLower(reason)));
  failures_.erase(entry.id);
  absl::Status status = deps_.sent->Add(entry.uid, absl::StrCat("refused: ", reason));
  status.Update(deps_.spool->Refused(entry.id));
  if (!status.ok()) Log(LogLevel::kWarning, "cannot note what was refused", {{"reason", status.ToString()}});
  deps_.ledger->Save(/*sync=*/true).IgnoreError();
  return Next::kGoOn;
}

UploadRounds::Next UploadRounds::Unreachable(const SpoolEntry& entry, const UploadResult& result) {
  const Refusal refusal = RefusalOf(result.status);
  if (IsAboutOneCrash(refusal) && !refusal.not_before_next_boot) {
    deps_.spool->Postpone(entry.id, std::max(refusal.wait, absl::Minutes(1)));
    return Next::kGoOn;
  }
  return Failure(entry, refusal.wait, refusal.not_before_next_boot, result.reason);
}

UploadRounds::Next UploadRounds::Unreadable(const SpoolEntry& entry, const absl::Status& status) {
  if (absl::IsNotFound(status)) return Next::kGoOn;
  deps_.ledger->SayError(absl::StrCat("entry ", entry.id, ": ", status.message()));
  if (absl::IsDataLoss(status) || absl::IsAborted(status)) {
    deps_.spool->Quarantine(entry.id).IgnoreError();
    return Next::kGoOn;
  }
  ++failures_[entry.id];
  return Next::kGoOn;
}

void UploadRounds::DropForWantOfConsent() {
  int dropped = 0;
  for (const SpoolEntry& entry : deps_.spool->List()) {
    if (deps_.spool->Drop(entry.id, LossReason::kConsent).ok()) ++dropped;
  }
  if (dropped > 0) Log(LogLevel::kWarning, "consent is withdrawn", {{"dropped", absl::StrCat(dropped)}});
}

UploadRounds::Next UploadRounds::EndRound(absl::Duration wait, const std::string& why) {
  wait_ = wait;
  deps_.ledger->Say("waiting_for", why);
  return Next::kEndRound;
}

UploadRounds::Next UploadRounds::Failure(const SpoolEntry& entry, absl::Duration server_delay,
                                         bool not_before_next_boot, const std::string& why) {
  ++failures_[entry.id];
  deps_.ledger->SayError(why);
  deps_.ledger->Failed(server_delay, not_before_next_boot);
  return EndRound(deps_.ledger->UntilDue(), server_delay > absl::ZeroDuration() ? "server" : "retry");
}

absl::StatusOr<IngestClient*> UploadRounds::Connect() {
  const absl::MutexLock lock(&mutex_);
  if (client_ == nullptr) {
    server_ %= deps_.config->servers.size();
    ASSIGN_OR_RETURN(client_, deps_.connect(deps_.config->servers[server_]));
    if (deps_.stop->HasBeenNotified()) client_->Cancel();
  }
  return client_.get();
}

void UploadRounds::Disconnect() {
  const absl::MutexLock lock(&mutex_);
  client_.reset();
}

void UploadRounds::Cancel() {
  const absl::MutexLock lock(&mutex_);
  if (client_ != nullptr) client_->Cancel();
}

DeviceAccount UploadRounds::Account() {
  account_ = deps_.spool->Losses();
  DeviceAccount account{.epoch = account_->epoch, .spooled = deps_.spool->Stats().entries};
  for (size_t i = 0; i < kLossReasons; ++i) {
    const auto reason = static_cast<LossReason>(i);
    if (account_->of(reason) > 0) account.lost.emplace_back(LossReasonName(reason), account_->of(reason));
  }
  return account;
}

}  // namespace corefleet
