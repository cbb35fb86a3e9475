// Room in the spool, and what is dropped to make it.

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "collector/spool/durable_spool.h"

namespace corefleet {
namespace {

// Of entries that are removed with one write of the ledger.
constexpr size_t kBatch = 32;

}  // namespace

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

}  // namespace corefleet
