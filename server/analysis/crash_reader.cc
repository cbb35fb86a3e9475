#include "server/analysis/crash_reader.h"

#include <exception>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "core/bytes/escape.h"
#include "core/digest/digest.h"
#include "server/opened/opened_crash.h"
#include "storage/stored_regions.h"

namespace corefleet {
namespace {

// The table wants the digest of what was received, and only the server has read all of it.
absl::Status FillDigests(const RegionSet& set, const CoreImage& image, CrashFacts* facts) {
  for (RegionFacts& region : facts->regions) {
    if (!region.index || *region.index >= set.regions.size() || !region.sha256.empty()) continue;
    if (set.regions[*region.index].bytes == nullptr) continue;
    if (IsTooLargeToDigest(set.regions[*region.index], image)) continue;
    ASSIGN_OR_RETURN(const Sha256Digest digest, Sha256Of(*set.regions[*region.index].bytes));
    region.sha256 = HexOf(digest);
  }
  return absl::OkStatus();
}

// A bug that throws must cost one attempt at one crash, and not the server.
absl::StatusOr<Analysis> RunGuarded(
    const std::function<Analysis(const CoreImage&, const RegionSet&)>& analyze, const OpenedCrash& crash) {
  try {
    return analyze(crash.image(), crash.set());
  } catch (const std::exception& e) {
    return absl::InternalError(absl::StrCat("analysis threw: ", e.what()));
  }
}

CrashFacts Unreadable(Defect defect) {
  CrashFacts facts;
  facts.analyzer_version = kAnalyzerVersion;
  facts.state = CrashState::kUnreadable;
  facts.defects.push_back(std::move(defect));
  return facts;
}

// OK if every byte of the crash can be read and is what was received; else `region` is the one that is not.
absl::Status ReadThrough(const CrashId& id, CrashIndex* index, PackStore* store, std::string* region) {
  ASSIGN_OR_RETURN(const CrashContents contents, index->Contents(id));
  ASSIGN_OR_RETURN(const StoredRegions received, OpenStoredRegions(contents, store));
  for (const Region& each : received.set.regions) {
    if (each.bytes == nullptr) continue;
    *region = Utf8OrHex(each.name.empty() ? each.file_name : each.name);
    RETURN_IF_ERROR(Sha256Of(*each.bytes).status());
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<bool> CrashReader::ReadOne() {
  const absl::Time start = deps_.clock->Now();
  ASSIGN_OR_RETURN(const std::vector<Lease> leases,
                   deps_.index->ClaimAnalysis(1, start, start + options_.lease));
  if (leases.empty()) return false;
  const Lease& lease = leases.front();
  if (!Enter(lease.crash)) return true;
  const bool give_up = CountedAttempts(lease) > options_.max_attempts;
  const absl::Status status = give_up ? GiveUp(lease) : Read(lease);
  Leave(lease.crash, status);
  if (!status.ok()) {
    Log(LogLevel::kWarning, "crash not analysed, will try again",
        {{"crash", lease.crash.ToString()},
         {"attempt", std::to_string(lease.attempts)},
         {"why", status.ToString()}});
  }
  const AnalysisOutcome done = give_up ? AnalysisOutcome::kGivenUp : AnalysisOutcome::kStored;
  deps_.metrics->Analyzed(status.ok() ? done : AnalysisOutcome::kRetry, deps_.clock->Now() - start);
  return true;
}

absl::Status CrashReader::Read(const Lease& lease) {
  const CrashId& id = lease.crash;
  uint32_t revision = 0;
  ASSIGN_OR_RETURN(const CrashFacts facts, FactsOf(id, &revision));
  RETURN_IF_ERROR(deps_.index->PutFacts(id, facts, revision));
  const absl::Duration after = deps_.clock->Now() - id.time();
  deps_.metrics->Searchable(after);
  Log(LogLevel::kInfo, "crash analysed",
      {{"crash", id.ToString()},
       {"state", std::string(CrashStateName(facts.state))},
       {"ms_after_receipt", std::to_string(absl::ToInt64Milliseconds(after))}});
  return absl::OkStatus();
}

absl::StatusOr<CrashFacts> CrashReader::FactsOf(const CrashId& id, uint32_t* revision) {
  ASSIGN_OR_RETURN(const auto crash,
                   OpenedCrash::Open(id, deps_.index, deps_.store, deps_.opener, kWholeReadCacheBytes));
  *revision = crash->revision();
  ASSIGN_OR_RETURN(Analysis analysis, RunGuarded(deps_.analyze, *crash));
  RETURN_IF_ERROR(FillDigests(crash->set(), crash->image(), &analysis.facts));
  RETURN_IF_ERROR(crash->read_failure());
  return std::move(analysis.facts);
}

absl::Status CrashReader::GiveUp(const Lease& lease) {
  const CrashId& id = lease.crash;
  std::string region;
  const absl::Status bytes = ReadThrough(id, deps_.index, deps_.store, &region);
  Defect why{.code = DefectCode::kAnalysisFailed};
  if (bytes.ok()) {
    why.detail = absl::StrCat("analysis did not end in ", options_.max_attempts,
                              " attempts: a bug of this server; the bytes are kept as received");
  } else if (absl::IsDataLoss(bytes)) {
    why = {DefectCode::kStoredBytesDamaged, region, Utf8OrHex(bytes.message())};
  } else {
    return bytes;
  }
  Log(LogLevel::kError, "crash given up",
      {{"crash", id.ToString()},
       {"defect", std::string(DefectCodeName(why.code))},
       {"region", why.region},
       {"why", why.detail}});
  return deps_.index->PutFacts(id, Unreadable(std::move(why)), lease.revision);
}

bool CrashReader::Enter(const CrashId& id) {
  absl::MutexLock lock(&mutex_);
  return reading_.insert(id).second;
}

void CrashReader::Leave(const CrashId& id, const absl::Status& result) {
  absl::MutexLock lock(&mutex_);
  reading_.erase(id);
  if (absl::IsUnavailable(result)) {
    ++excused_[id];
  } else if (result.ok()) {
    excused_.erase(id);
  }
}

int CrashReader::CountedAttempts(const Lease& lease) {
  absl::MutexLock lock(&mutex_);
  const auto excused = excused_.find(lease.crash);
  return lease.attempts - (excused == excused_.end() ? 0 : excused->second);
}

}  // namespace corefleet
