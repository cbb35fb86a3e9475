#include "collector/spool/durable_spool.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "core/bytes/escape.h"

namespace corefleet {
namespace {

constexpr uint64_t kBlockBytes = 4096;
// Thirty thousand years.
constexpr uint64_t kLastSecond = uint64_t{1} << 40;
// How much of an entry's age a kill may take back.
constexpr absl::Duration kStampEvery = absl::Hours(1);

uint64_t MarkOf(absl::string_view what) {
  if (what.empty()) return 0;
  const Sha256Digest digest = Sha256Of(BytesOf(what));
  uint64_t mark = 0;
  std::memcpy(&mark, digest.data(), sizeof(mark));
  return mark == 0 ? 1 : mark;
}

void Merge(const CrashClues& found, CrashClues* clues) {
  const auto take = [](const std::string& from, std::string* to) {
    if (!from.empty()) *to = from;
  };
  take(found.build_id, &clues->build_id);
  take(found.kernel_release, &clues->kernel_release);
  take(found.panic, &clues->panic);
  take(found.os_version, &clues->os_version);
  take(found.source, &clues->source);
  if (found.captured_at) clues->captured_at = found.captured_at;
  if (found.priority != 0) clues->priority = found.priority;
}

}  // namespace

std::string EntryName(SpoolId id) { return absl::StrFormat("%016x.crash", id); }

uint64_t OnDisk(uint64_t bytes) { return (bytes + kBlockBytes - 1) / kBlockBytes * kBlockBytes; }

absl::Duration StoredSeconds(uint64_t count) {
  return absl::Seconds(static_cast<int64_t>(std::min(count, kLastSecond)));
}

bool TakesNoWrites(const absl::Status& status) {
  return absl::IsFailedPrecondition(status) || absl::IsPermissionDenied(status);
}

absl::StatusOr<std::unique_ptr<Spool>> Spool::Open(std::unique_ptr<SpoolFolder> folder,
                                                   const SpoolLimits& limits, Dependencies dependencies) {
  if (dependencies.clock == nullptr) dependencies.clock = BootClock::Real();
  auto spool = std::make_unique<DurableSpool>(std::move(folder), limits, std::move(dependencies));
  RETURN_IF_ERROR(spool->Load());
  return spool;
}

DurableSpool::DurableSpool(std::unique_ptr<SpoolFolder> folder, const SpoolLimits& limits,
                           Dependencies dependencies)
    : folder_(std::move(folder)), limits_(limits), dependencies_(std::move(dependencies)) {}

// --- Time.

absl::Duration DurableSpool::Up() const {
  return up_at_start_ + (dependencies_.clock->SinceBoot() - boot_at_start_);
}

void DurableSpool::StampLedger() {
  LedgerPage& page = ledger_->page();
  page.up_seconds = static_cast<uint64_t>(absl::ToInt64Seconds(Up()));
  page.boot_seconds = static_cast<uint64_t>(absl::ToInt64Seconds(dependencies_.clock->SinceBoot()));
  page.boot_id = dependencies_.boot_id;
  stamped_ = Up();
}

absl::Status DurableSpool::SaveLedger() {
  StampLedger();
  return ledger_->Save();
}

absl::Status DurableSpool::Noted(absl::Status status) {
  if (status.ok() || absl::IsFailedPrecondition(status)) read_only_ = !status.ok();
  return status;
}

// --- Reading.

SpoolEntry DurableSpool::Describe(SpoolId id, const Held& held) const {
  SpoolEntry entry{.id = id, .uid = held.uid, .tags = held.tags};
  entry.tags.clues = held.state.clues;
  entry.stored_bytes = OnDisk(held.file_bytes);
  entry.raw_bytes = held.raw_bytes;
  entry.regions = held.regions;
  const absl::Duration up = Up();
  entry.age = std::max(up - StoredSeconds(held.put_at), absl::ZeroDuration());
  const absl::Duration until = std::max(StoredSeconds(held.state.wait_until), held.postponed);
  entry.wait = std::max(until - up, absl::ZeroDuration());
  entry.rest_only = held.state.rest_only;
  entry.clues_tried = held.state.clues_tried;
  return entry;
}

std::vector<SpoolEntry> DurableSpool::List() const {
  absl::MutexLock lock(&mutex_);
  const std::vector<Waiting> all = AllWaiting();
  std::vector<SpoolEntry> listed;
  for (const size_t index : SendingOrder(all)) {
    const SpoolId id = all[index].id;
    listed.push_back(Describe(id, entries_.at(id)));
  }
  return listed;
}

absl::StatusOr<SpoolEntry> DurableSpool::Find(SpoolId id) const {
  absl::MutexLock lock(&mutex_);
  const auto it = entries_.find(id);
  if (it == entries_.end()) return absl::NotFoundError(absl::StrCat("no spooled crash ", id));
  return Describe(id, it->second);
}

absl::StatusOr<std::unique_ptr<OutgoingCrash>> DurableSpool::OpenEntry(SpoolId id) {
  absl::MutexLock lock(&mutex_);
  const auto it = entries_.find(id);
  if (it == entries_.end()) return absl::NotFoundError(absl::StrCat("no spooled crash ", id));
  absl::StatusOr<std::unique_ptr<SpoolBytes>> file = folder_->Read(EntryName(id));
  if (absl::IsNotFound(file.status())) return absl::DataLossError("somebody removed the spooled crash");
  RETURN_IF_ERROR(file.status());
  ASSIGN_OR_RETURN(ParsedEntry entry, ParseEntry(**file));
  if (UidOf(entry.footer.manifest) != it->second.uid)
    return absl::DataLossError("the spooled crash is another one");
  // What could not be written down holds all the same.
  entry.state = it->second.state;
  return std::unique_ptr<OutgoingCrash>(
      std::make_unique<SpooledCrash>(*std::move(file), std::move(entry), it->second.lease));
}

absl::StatusOr<std::unique_ptr<SpoolBytes>> DurableSpool::EntryBytes(SpoolId id) {
  absl::MutexLock lock(&mutex_);
  if (entries_.find(id) == entries_.end()) return absl::NotFoundError(absl::StrCat("no spooled crash ", id));
  return folder_->Read(EntryName(id));
}

SpoolStats DurableSpool::Stats() const {
  absl::MutexLock lock(&mutex_);
  SpoolStats stats{.entries = static_cast<uint32_t>(entries_.size()), .bytes = Use().bytes};
  stats.quarantined = static_cast<uint32_t>(quarantined_.size());
  std::set<std::string> kinds;
  for (const Waiting& waiting : AllWaiting()) kinds.insert(waiting.kind);
  stats.kinds = static_cast<uint32_t>(kinds.size());
  for (const auto& [id, held] : entries_) stats.oldest = std::max(stats.oldest, Describe(id, held).age);
  stats.rests_dropped = rests_dropped_;
  stats.read_only = read_only_;
  stats.losses_unsaved = ledger_->unsaved();
  for (const LossAccount& account : ledger_->page().accounts) {
    for (size_t i = 0; i < kLossReasons; ++i) stats.lost[i] += account.counts[i];
  }
  if (const auto room = folder_->FreeRoom(); room.ok()) stats.room = *room;
  return stats;
}

// --- Deciding.

void DurableSpool::Tidy() {
  absl::MutexLock lock(&mutex_);
  RemoveGone();
  DropTooOld();
  SpoolLimits own = limits_;
  own.min_free_bytes = own.min_free_inodes = 0;
  MakeRoom(nullptr, Mercy::kNone, own, 0, 0).IgnoreError();
  MakeRoom(nullptr, Mercy::kSpareRare, limits_, 0, 0).IgnoreError();
  const bool stale = !entries_.empty() && Up() - stamped_ >= kStampEvery;
  if (ledger_->unsaved() || stale) Noted(SaveLedger()).IgnoreError();
}

// --- What became of an entry.

absl::Status DurableSpool::Sent(SpoolId id) {
  absl::MutexLock lock(&mutex_);
  return Remove(id);
}

absl::Status DurableSpool::Refused(SpoolId id) {
  absl::MutexLock lock(&mutex_);
  return Remove(id);
}

absl::Status DurableSpool::Drop(SpoolId id, LossReason reason) {
  absl::MutexLock lock(&mutex_);
  return entries_.count(id) == 0 ? absl::OkStatus() : DropAll({{id, reason}});
}

absl::Status DurableSpool::Quarantine(SpoolId id) {
  absl::MutexLock lock(&mutex_);
  const auto it = entries_.find(id);
  if (it == entries_.end()) return absl::OkStatus();
  const uint64_t bytes = it->second.file_bytes;
  // Whatever becomes of the file, nobody shall be offered it again.
  entries_.erase(it);
  return PutAside(id, bytes);
}

void DurableSpool::Postpone(SpoolId id, absl::Duration wait) {
  absl::MutexLock lock(&mutex_);
  const auto it = entries_.find(id);
  if (it != entries_.end()) it->second.postponed = Up() + wait;
}

absl::Status DurableSpool::KeepRest(SpoolId id, absl::Duration ask_again) {
  absl::MutexLock lock(&mutex_);
  const auto it = entries_.find(id);
  if (it == entries_.end()) return absl::OkStatus();
  it->second.state.rest_only = true;
  const absl::Duration wait = std::clamp(ask_again, absl::ZeroDuration(), absl::Hours(24 * 3650));
  it->second.state.wait_until = static_cast<uint64_t>(absl::ToInt64Seconds(Up() + wait));
  return SaveState(id, &it->second);
}

absl::Status DurableSpool::SetClues(SpoolId id, const CrashClues& clues) {
  absl::MutexLock lock(&mutex_);
  const auto it = entries_.find(id);
  if (it == entries_.end()) return absl::OkStatus();
  Merge(CleanClues(clues), &it->second.state.clues);
  it->second.state.clues_tried = true;
  return SaveState(id, &it->second);
}

absl::Status DurableSpool::CluesFailed(SpoolId id) { return SetClues(id, {}); }

absl::Status DurableSpool::SaveState(SpoolId id, Held* held) {
  const std::string record = EncodeState(held->state);
  if (held->state_end - held->footer_end + record.size() > kMaxStateBytes)
    return absl::ResourceExhaustedError("too many changes for one entry");
  absl::StatusOr<std::unique_ptr<SpoolFile>> file = folder_->Change(EntryName(id));
  absl::Status status = file.status();
  if (status.ok()) {
    // What a power cut left behind the last whole record must not stand behind this one.
    status.Update((*file)->Truncate(held->state_end));
    if (status.ok()) status = (*file)->WriteAt(held->state_end, BytesOf(record));
    if (status.ok()) status = (*file)->Sync();
  }
  if (status.ok()) held->file_bytes = held->state_end += record.size();
  return Noted(std::move(status));
}

// --- Losses.

void DurableSpool::CountLoss(LossReason reason, absl::string_view what) {
  absl::MutexLock lock(&mutex_);
  StampLedger();
  Noted(ledger_->CountOnce(reason, MarkOf(what))).IgnoreError();
}

LossAccount DurableSpool::Losses() const {
  absl::MutexLock lock(&mutex_);
  return ledger_->ToReport();
}

void DurableSpool::LossesReported(const LossAccount& account) {
  absl::MutexLock lock(&mutex_);
  ledger_->Reported(account);
}

}  // namespace corefleet
