// Reading what an earlier run left in the folder.

#include <unistd.h>

#include <algorithm>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "collector/spool/durable_spool.h"

namespace corefleet {
namespace {

constexpr absl::string_view kEntrySuffix = ".crash";
constexpr absl::string_view kPartSuffix = ".part";
constexpr absl::string_view kDamagedSuffix = ".damaged";
constexpr size_t kMaxQuarantined = 8;

std::string DamagedName(SpoolId id) { return absl::StrFormat("%016x.damaged", id); }

// The number of a file of the spool's, if it is one.
std::optional<SpoolId> IdOf(absl::string_view name, absl::string_view suffix) {
  if (name.size() != 16 + suffix.size() || !absl::EndsWith(name, suffix)) return std::nullopt;
  uint64_t id = 0;
  if (!absl::SimpleHexAtoi(name.substr(0, 16), &id) || id == 0) return std::nullopt;
  // A number has one name only.
  if (name.substr(0, 16) != absl::StrFormat("%016x", id)) return std::nullopt;
  return id;
}

std::string RandomEpoch() {
  uint64_t random[2] = {1, 2};
  // It cannot fail for so few bytes once the kernel has any; then it blocks until it has.
  if (getentropy(random, sizeof(random)) != 0) random[0] = static_cast<uint64_t>(getpid());
  return absl::StrFormat("%016x%016x", random[0], random[1]);
}

}  // namespace

absl::Status DurableSpool::Load() {
  absl::MutexLock lock(&mutex_);
  ASSIGN_OR_RETURN(const std::vector<SpoolFolder::Listed> files, folder_->List());
  ledger_ = std::make_unique<LossLedger>(folder_.get(), RandomEpoch);
  SpoolId next = ledger_->page().next_id;
  for (const SpoolFolder::Listed& file : files) {
    for (const absl::string_view suffix : {kEntrySuffix, kPartSuffix, kDamagedSuffix}) {
      if (const std::optional<SpoolId> id = IdOf(file.name, suffix)) next = std::max(next, *id + 1);
    }
  }
  ledger_->page().next_id = next;
  StartClock();
  RemoveGone();
  for (const SpoolFolder::Listed& file : files) {
    if (IdOf(file.name, kPartSuffix)) folder_->Remove(file.name).IgnoreError();
    if (IdOf(file.name, kDamagedSuffix)) quarantined_[file.name] = OnDisk(file.size);
  }
  for (const SpoolFolder::Listed& file : files) {
    const std::optional<SpoolId> id = IdOf(file.name, kEntrySuffix);
    if (id && !ledger_->WasGoing(*id)) LoadEntry(*id, file.size);
  }
  // So that an entry's number is never given again, and a ledger is there before the disk is full.
  Noted(SaveLedger()).IgnoreError();
  return absl::OkStatus();
}

void DurableSpool::RemoveGone() {
  const std::vector<SpoolId> going = ledger_->page().going;
  if (going.empty()) return;
  std::vector<SpoolId> gone;
  for (const SpoolId id : going) {
    if (folder_->Remove(EntryName(id)).ok()) gone.push_back(id);
  }
  if (folder_->SyncNames().ok()) ledger_->Gone(gone);
}

void DurableSpool::LoadEntry(SpoolId id, uint64_t file_bytes) {
  const absl::StatusOr<std::unique_ptr<SpoolBytes>> file = folder_->Read(EntryName(id));
  absl::StatusOr<ParsedEntry> entry = file.ok() ? ParseEntry(**file) : file.status();
  if (absl::IsDataLoss(entry.status())) {
    PutAside(id, file_bytes).IgnoreError();
    return;
  }
  if (!entry.ok()) {
    // Too many open files, say: it is whole, and the next start reads it.
    unread_bytes_ += absl::IsNotFound(entry.status()) ? 0 : OnDisk(file_bytes);
    return;
  }
  Held held{.tags = entry->footer.tags, .uid = UidOf(entry->footer.manifest), .state = entry->state};
  held.put_at = static_cast<uint64_t>(absl::ToInt64Seconds(StoredSeconds(entry->footer.put_at)));
  // After a kill the ledger may know less than the entries.
  up_at_start_ = std::max(up_at_start_, StoredSeconds(held.put_at));
  held.raw_bytes = RawBytes(entry->footer.manifest);
  held.regions = static_cast<uint32_t>(entry->footer.manifest.regions.size());
  held.file_bytes = file_bytes;
  held.footer_end = entry->footer_end;
  held.state_end = entry->state_end;
  entries_.emplace(id, std::move(held));
}

absl::Status DurableSpool::PutAside(SpoolId id, uint64_t file_bytes) {
  const std::pair<SpoolId, LossReason> loss{id, LossReason::kSpoolDamaged};
  StampLedger();
  const absl::Status counted = ledger_->CountGoing({loss});
  absl::Status moved = TakesNoWrites(counted) ? counted : folder_->Rename(EntryName(id), DamagedName(id));
  if (!moved.ok()) {
    // It will be found damaged, and counted, at the next start.
    if (!counted.ok()) ledger_->Uncount({loss});
    return Noted(std::move(moved));
  }
  Log(LogLevel::kError, "a spooled crash is damaged", {{"file", DamagedName(id)}});
  quarantined_[DamagedName(id)] = OnDisk(file_bytes);
  if (folder_->SyncNames().ok()) ledger_->Gone({id});
  while (quarantined_.size() > kMaxQuarantined) {
    folder_->Remove(quarantined_.begin()->first).IgnoreError();
    quarantined_.erase(quarantined_.begin());
  }
  return absl::OkStatus();
}

void DurableSpool::StartClock() {
  const LedgerPage& page = ledger_->page();
  boot_at_start_ = dependencies_.clock->SinceBoot();
  const absl::Duration then = StoredSeconds(page.boot_seconds);
  const bool same_boot = page.boot_id == dependencies_.boot_id && then <= boot_at_start_;
  up_at_start_ = StoredSeconds(page.up_seconds) + boot_at_start_ - (same_boot ? then : absl::ZeroDuration());
  stamped_ = up_at_start_;
}

}  // namespace corefleet
