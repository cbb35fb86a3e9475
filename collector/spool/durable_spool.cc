#include "collector/spool/durable_spool.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "core/bytes/escape.h"

namespace corefleet {
namespace {

constexpr absl::string_view kEntrySuffix = ".crash";
constexpr absl::string_view kPartSuffix = ".part";
constexpr absl::string_view kDamagedSuffix = ".damaged";
constexpr size_t kMaxQuarantined = 8;
constexpr uint64_t kBlockBytes = 4096;
// How much of an entry's age a kill may take back.
constexpr absl::Duration kStampEvery = absl::Hours(1);
// Of entries that are removed with one write of the ledger.
constexpr size_t kBatch = 32;

// Thirty thousand years.
constexpr uint64_t kLastSecond = uint64_t{1} << 40;

absl::Duration Seconds(uint64_t count) {
  return absl::Seconds(static_cast<int64_t>(std::min(count, kLastSecond)));
}

uint64_t OnDisk(uint64_t bytes) { return (bytes + kBlockBytes - 1) / kBlockBytes * kBlockBytes; }

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

uint64_t MarkOf(absl::string_view what) {
  if (what.empty()) return 0;
  const Sha256Digest digest = Sha256Of(BytesOf(what));
  uint64_t mark = 0;
  std::memcpy(&mark, digest.data(), sizeof(mark));
  return mark == 0 ? 1 : mark;
}

bool TakesNoWrites(const absl::Status& status) {
  return absl::IsFailedPrecondition(status) || absl::IsPermissionDenied(status);
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

// --- Loading.

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
  held.put_at = std::min<uint64_t>(entry->footer.put_at, kLastSecond);
  // After a kill the ledger may know less than the entries.
  up_at_start_ = std::max(up_at_start_, Seconds(held.put_at));
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

// --- Time.

void DurableSpool::StartClock() {
  const LedgerPage& page = ledger_->page();
  boot_at_start_ = dependencies_.clock->SinceBoot();
  const absl::Duration then = Seconds(page.boot_seconds);
  const bool same_boot = page.boot_id == dependencies_.boot_id && then <= boot_at_start_;
  up_at_start_ = Seconds(page.up_seconds) + boot_at_start_ - (same_boot ? then : absl::ZeroDuration());
  stamped_ = up_at_start_;
}

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
  entry.age = std::max(up - Seconds(held.put_at), absl::ZeroDuration());
  const absl::Duration until = std::max(Seconds(held.state.wait_until), held.postponed);
  entry.wait = std::max(until - up, absl::ZeroDuration());
  entry.rest_only = held.state.rest_only;
  entry.clues_tried = held.state.clues_tried;
  return entry;
}

std::vector<Waiting> DurableSpool::AllWaiting() const {
  std::vector<Waiting> all;
  for (const auto& [id, held] : entries_) {
    SpoolTags tags = held.tags;
    tags.clues = held.state.clues;
    all.push_back({.id = id,
                   .kind = KindOf(tags),
                   .priority = tags.clues.priority,
                   .bytes = OnDisk(held.file_bytes),
                   .rest_only = held.state.rest_only,
                   .open = held.open(),
                   .waits = Describe(id, held).wait > absl::ZeroDuration()});
  }
  return all;
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

// --- Room.

SpoolUse DurableSpool::Use() const {
  SpoolUse use{.bytes = 2 * kLedgerSlotBytes + reserved_bytes_ + unread_bytes_, .entries = entries_.size()};
  for (const auto& [id, held] : entries_) use.bytes += OnDisk(held.file_bytes);
  for (const auto& [name, bytes] : quarantined_) use.bytes += bytes;
  if (const auto room = folder_->FreeRoom(); room.ok()) use.free = *room;
  return use;
}

void DurableSpool::DropQuarantined(const SpoolLimits& limits, uint64_t bytes, uint64_t files) {
  while (!quarantined_.empty() && Obstacle(Use(), limits, bytes, files)) {
    folder_->Remove(quarantined_.begin()->first).IgnoreError();
    quarantined_.erase(quarantined_.begin());
  }
}

absl::Status DurableSpool::MakeRoom(const Waiting* incoming, Mercy mercy, const SpoolLimits& limits,
                                    uint64_t bytes, uint64_t files) {
  DropQuarantined(limits, bytes, files);
  const SpoolUse use = Use();
  const std::optional<LossReason> obstacle = Obstacle(use, limits, bytes, files);
  if (!obstacle) return absl::OkStatus();
  std::vector<Waiting> waiting = AllWaiting();
  const uint32_t priority = incoming != nullptr ? incoming->priority : UINT32_MAX;
  if (incoming != nullptr) waiting.push_back(*incoming);
  const auto plan = PlanDrops(waiting, use, limits, mercy, priority, bytes, files);
  if (!plan) {
    return absl::ResourceExhaustedError(
        absl::StrCat("no room in the spool, and none can be made: ", LossReasonName(*obstacle)));
  }
  Victims victims;
  for (const Victim& victim : *plan) victims.emplace_back(waiting[victim.index].id, victim.reason);
  return DropAll(victims);
}

absl::Status DurableSpool::DropAll(const Victims& victims) {
  Victims counted;
  for (const auto& victim : victims) {
    if (!entries_.at(victim.first).state.rest_only) {
      counted.push_back(victim);
      continue;
    }
    RETURN_IF_ERROR(Noted(folder_->Remove(EntryName(victim.first))));
    entries_.erase(victim.first);
    ++rests_dropped_;
  }
  for (size_t i = 0; i < counted.size(); i += kBatch) {
    const size_t end = std::min(counted.size(), i + kBatch);
    RETURN_IF_ERROR(DropCounted(
        {counted.begin() + static_cast<ptrdiff_t>(i), counted.begin() + static_cast<ptrdiff_t>(end)}));
  }
  return absl::OkStatus();
}

absl::Status DurableSpool::DropCounted(const Victims& victims) {
  StampLedger();
  const absl::Status counted = ledger_->CountGoing(victims);
  if (TakesNoWrites(counted)) {
    ledger_->Uncount(victims);
    return Noted(counted);
  }
  absl::Status failed;
  std::vector<SpoolId> gone;
  for (const auto& victim : victims) {
    const absl::Status removed = folder_->Remove(EntryName(victim.first));
    failed.Update(removed);
    // What is written down as lost is lost, and its file goes later.
    if (removed.ok() || counted.ok()) {
      Log(LogLevel::kWarning, "crash dropped",
          {{"entry", std::to_string(victim.first)}, {"reason", std::string(LossReasonName(victim.second))}});
      entries_.erase(victim.first);
    } else {
      ledger_->Uncount({victim});
    }
    if (removed.ok()) gone.push_back(victim.first);
  }
  if (folder_->SyncNames().ok()) ledger_->Gone(gone);
  // Now there may be room for it.
  if (!counted.ok()) SaveLedger().IgnoreError();
  return Noted(std::move(failed));
}

absl::Status DurableSpool::Remove(SpoolId id) {
  if (entries_.erase(id) == 0) return absl::OkStatus();
  RETURN_IF_ERROR(Noted(folder_->Remove(EntryName(id))));
  return folder_->SyncNames();
}

void DurableSpool::DropTooOld() {
  Victims old;
  for (const auto& [id, held] : entries_) {
    if (!held.open() && Describe(id, held).age > limits_.max_age) old.emplace_back(id, LossReason::kSpoolAge);
  }
  DropAll(old).IgnoreError();
}

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
