#include "server/reconcile/reconciler.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "server/reconcile/pack_check.h"

namespace corefleet {
namespace {

// Below this many bytes any share of orphans is believed.
constexpr uint64_t kFewBytes = 64 << 20;
constexpr uint64_t kBelievedShare = 10;  // one in so many
constexpr size_t kToldLosses = 1000;     // one by one; the number of all is in the metrics
constexpr int64_t kAnalysesAtOnce = 200;
constexpr absl::Duration kLongestSave = absl::Hours(1);  // of scrub budget

std::string Describe(const PackRef& ref) {
  return absl::StrCat(ref.key, " at ", ref.offset, ", ", ref.size, " bytes");
}

}  // namespace

absl::Status Reconciler::Recover() {
  ASSIGN_OR_RETURN(std::vector<std::string> keys, deps_.store->ClosedKeys());
  if (keys.size() > options_.recovered_keys) keys.erase(keys.begin(), keys.end() - options_.recovered_keys);
  for (const std::string& key : keys) {
    const auto contents = deps_.store->Contents(key);
    if (!contents.ok()) continue;  // the first pass tells
    ASSIGN_OR_RETURN(const std::vector<IndexedPack> rows, deps_.index->PacksUnder(key));
    for (const PackStore::KeptPack& pack : Compare(contents->packs, rows).orphans)
      RETURN_IF_ERROR(Adopt(pack));
  }
  return absl::OkStatus();
}

absl::Status Reconciler::Adopt(const PackStore::KeptPack& pack) {
  if (!IsSessionId(pack.session)) return absl::OkStatus();
  const SessionId id(pack.session);
  const auto session = deps_.index->GetSession(id);
  if (absl::IsNotFound(session.status())) return absl::OkStatus();
  RETURN_IF_ERROR(session.status());
  if (session->state != SessionState::kOpen || !session->crash.empty()) return absl::OkStatus();
  const auto checked = ReadCheckedPack(pack.ref, deps_.store);
  if (!checked.ok() || checked->index.session != pack.session) return absl::OkStatus();
  const std::vector<PackEntry>& entries = checked->index.entries;
  ASSIGN_OR_RETURN(const std::vector<StoredPack> have, deps_.index->SessionPacks(id));
  if (!Fits(entries, session->manifest) || StandingOf(entries, have) != PackStanding::kNews)
    return absl::OkStatus();
  ASSIGN_OR_RETURN(const PackRef ref, deps_.store->Put(checked->bytes));
  const absl::Status added = deps_.index->AddPack(id, {.ref = ref, .entries = entries});
  if (absl::IsNotFound(added) || absl::IsFailedPrecondition(added)) return absl::OkStatus();
  RETURN_IF_ERROR(added);
  deps_.metrics->PackAdopted();
  Log(LogLevel::kInfo, "a pack without a row has one now",
      {{"pack", Describe(ref)}, {"session", pack.session}});
  return absl::OkStatus();
}

absl::StatusOr<bool> Reconciler::Step() {
  TellAccount();
  if (!pass_) RETURN_IF_ERROR(BeginPass());
  if (pass_->next < pass_->keys.size()) {
    RETURN_IF_ERROR(ReconcileKey(pass_->keys[pass_->next]));
    ++pass_->next;
  }
  if (pass_->next < pass_->keys.size()) return false;
  RETURN_IF_ERROR(EndPass());
  return true;
}

absl::Status Reconciler::BeginPass() {
  Pass pass;
  // Rows may name keys that are not there at all: those first of all are lost.
  ASSIGN_OR_RETURN(const std::vector<std::string> named, deps_.index->PackKeys());
  ASSIGN_OR_RETURN(pass.closed, deps_.store->ClosedKeys());
  const std::vector<std::string>& closed = pass.closed;
  pass.index_is_empty = named.empty();
  std::set_union(named.begin(), named.end(), closed.begin(), closed.end(), std::back_inserter(pass.keys));
  pass_ = std::move(pass);
  return absl::OkStatus();
}

absl::Status Reconciler::EndPass() {
  const absl::Time now = deps_.clock->Now();
  const auto requested = deps_.index->RequestLostAnalyses(now - options_.analysis_patience, kAnalysesAtOnce);
  RETURN_IF_ERROR(requested.status());
  Differences& found = pass_->found;
  found.lost_analyses = static_cast<uint64_t>(*requested);
  const uint64_t believed = std::max(kFewBytes, pass_->bytes / kBelievedShare);
  const bool held_back =
      std::exchange(holding_back_, options_.release != OrphanRelease::kAlways && found.orphan_bytes > 0 &&
                                       (pass_->index_is_empty || found.orphan_bytes > believed));
  if (holding_back_ && (first_pass_ || !held_back)) {
    Log(LogLevel::kError, "too many packs have no row, so none is released: is this the right database?",
        {{"packs", std::to_string(found.orphan_packs)}, {"bytes", std::to_string(found.orphan_bytes)}});
  }
  if (found.lost_analyses > 0) {
    Log(LogLevel::kWarning, "crashes that nobody would have analysed",
        {{"count", std::to_string(*requested)}});
  }
  first_pass_ = false;
  seen_closed_ = {pass_->closed.begin(), pass_->closed.end()};
  if (pass_->keys.empty() || scrub_next_ > pass_->keys.back()) scrub_next_.clear();
  deps_.metrics->PassEnded(found, holding_back_, now);
  pass_.reset();
  return absl::OkStatus();
}

absl::Status Reconciler::ReconcileKey(const std::string& key) {
  auto contents = deps_.store->Contents(key);
  if (absl::IsFailedPrecondition(contents.status())) return absl::OkStatus();  // it is being written
  const bool is_there = !absl::IsNotFound(contents.status());
  if (is_there && !contents.ok()) {
    // One bad segment must not hide the others.
    ++pass_->found.unreadable_segments;
    Log(LogLevel::kError, "a segment cannot be read", {{"key", key}, {"why", contents.status().ToString()}});
    return absl::OkStatus();
  }
  if (!is_there) contents = PackStore::KeyContents();
  ASSIGN_OR_RETURN(const std::vector<IndexedPack> rows, deps_.index->PacksUnder(key));
  RETURN_IF_ERROR(Scrub(key, rows));
  for (const PackStore::KeptPack& pack : contents->packs) pass_->bytes += pack.ref.size;
  if (is_there) RETURN_IF_ERROR(ReleaseOrphans(key, *contents));
  ReportLost(Compare(contents->packs, rows).lost, is_there);
  return absl::OkStatus();
}

void Reconciler::ReportLost(const std::vector<IndexedPack>& lost, bool key_is_there) {
  for (const IndexedPack& row : lost) {
    uint8_t byte = 0;
    const absl::Span<uint8_t> peek(&byte, row.ref.size > 0 ? 1 : 0);
    const uint64_t last = row.ref.size - peek.size();
    const bool damaged = key_is_there && deps_.store->Read(row.ref, last, peek).ok();
    ++(damaged ? pass_->found.damaged_packs : pass_->found.missing_packs);
    if (told_.size() >= kToldLosses || !told_.emplace(row.ref.key, row.ref.offset).second) continue;
    Log(LogLevel::kError, damaged ? "bytes of a crash are damaged" : "bytes of a crash are lost",
        {{"pack", Describe(row.ref)}, {"of", WhoseIs(row.session)}});
  }
}

std::string Reconciler::WhoseIs(const SessionId& session) {
  const auto found = deps_.index->GetSession(session);
  if (found.ok() && !found->crash.empty()) return absl::StrCat("crash ", found->crash.ToString());
  return absl::StrCat("session ", session.value());
}

bool Reconciler::MayRelease(const std::string& key, absl::Time changed_at) const {
  if (options_.release == OrphanRelease::kNever || holding_back_ || seen_closed_.count(key) == 0)
    return false;
  return deps_.clock->Now() - changed_at >= options_.grace;
}

absl::Status Reconciler::ReleaseOrphans(const std::string& key, const PackStore::KeyContents& contents) {
  // Asked again, after the bytes were read: reading them takes a while.
  ASSIGN_OR_RETURN(const std::vector<IndexedPack> rows, deps_.index->PacksUnder(key));
  const KeyDifference difference = Compare(contents.packs, rows);
  const bool may = MayRelease(key, contents.changed_at);
  std::vector<PackStore::KeptPack> dead;
  for (const PackStore::KeptPack& pack : difference.orphans) {
    ASSIGN_OR_RETURN(const bool open, may ? SessionIsOpen(pack.session) : true);
    if (open) {
      CountOrphan(pack);
    } else {
      dead.push_back(pack);
    }
  }
  if (may && rows.empty() && dead.size() == contents.packs.size()) {
    RETURN_IF_ERROR(deps_.store->Remove(key));
    deps_.metrics->SegmentRemoved();
    Log(LogLevel::kInfo, "a segment that nothing names is gone",
        {{"key", key}, {"packs", std::to_string(dead.size())}});
    return absl::OkStatus();
  }
  for (const PackStore::KeptPack& pack : dead) {
    if (const absl::Status released = deps_.store->Release(pack.ref); !released.ok()) {
      CountOrphan(pack);
      Log(LogLevel::kWarning, "a dead pack stays",
          {{"pack", Describe(pack.ref)}, {"why", released.ToString()}});
      continue;
    }
    deps_.metrics->PackReleased(pack.ref.size);
    Log(LogLevel::kInfo, "a pack that nothing names is released",
        {{"pack", Describe(pack.ref)}, {"session", pack.session}});
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> Reconciler::SessionIsOpen(const std::string& session) {
  if (!IsSessionId(session)) return false;
  const auto found = deps_.index->GetSession(SessionId(session));
  if (absl::IsNotFound(found.status())) return false;
  RETURN_IF_ERROR(found.status());
  return found->state == SessionState::kOpen;
}

void Reconciler::CountOrphan(const PackStore::KeptPack& pack) {
  ++pass_->found.orphan_packs;
  pass_->found.orphan_bytes += pack.ref.size;
}

void Reconciler::SaveScrubBudget() {
  const double per_day = static_cast<double>(options_.scrub_bytes_per_day);
  const absl::Time now = deps_.clock->Now();
  const absl::Duration passed = std::clamp(now - budget_at_, absl::ZeroDuration(), kLongestSave);
  budget_at_ = now;
  // A debt is paid off; what was not spent is kept for an hour.
  scrub_budget_ = std::min(scrub_budget_ + per_day * absl::FDivDuration(passed, absl::Hours(24)),
                           per_day * absl::FDivDuration(kLongestSave, absl::Hours(24)));
}

absl::Status Reconciler::Scrub(const std::string& key, const std::vector<IndexedPack>& rows) {
  SaveScrubBudget();
  if (options_.scrub_bytes_per_day == 0 || scrub_budget_ < 0 || key < scrub_next_) return absl::OkStatus();
  for (const IndexedPack& row : rows) {
    const auto checked = ReadCheckedPack(row.ref, deps_.store);
    if (absl::IsUnavailable(checked.status())) return absl::OkStatus();
    const bool damaged = absl::IsDataLoss(checked.status());
    if (damaged) {
      Log(LogLevel::kError, "a pack fails its digests",
          {{"pack", Describe(row.ref)}, {"of", WhoseIs(row.session)}, {"why", checked.status().ToString()}});
    }
    deps_.metrics->PackScrubbed(row.ref.size, damaged);
    scrub_budget_ -= static_cast<double>(row.ref.size);
  }
  scrub_next_ = key + '\0';
  return absl::OkStatus();
}

void Reconciler::TellAccount() {
  const auto account = deps_.index->Account();
  if (account.ok()) deps_.metrics->AccountDiffers(account->Difference());
}

}  // namespace corefleet
