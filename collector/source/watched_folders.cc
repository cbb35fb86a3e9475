#include "collector/source/watched_folders.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <utility>

#include "core/rebuild.h"

namespace corefleet {

bool IsCompleteSet(const RegionSet& set) {
  const Rebuilt rebuilt = Rebuild(set, /*opener=*/nullptr);
  return std::none_of(rebuilt.image.defects.begin(), rebuilt.image.defects.end(), [](const Defect& defect) {
    switch (defect.code) {
      case DefectCode::kHeaderMissing:
      case DefectCode::kHeaderDamaged:
      case DefectCode::kVmcoreinfoMissing:
      case DefectCode::kRegionMissing:
      case DefectCode::kRegionTruncated:
      case DefectCode::kContainerDamaged:
      case DefectCode::kDumpIncomplete:
      case DefectCode::kRecordPartMissing:
      case DefectCode::kUnrecognised:
        return true;
      default:
        return false;
    }
  });
}

namespace {

// A file is replaced in the folder that it is in.
std::string WatchedFolderOf(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return path;
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  return folder.empty() ? "." : folder.string();
}

}  // namespace

WatchedFolders::WatchedFolders(std::vector<std::string> paths, const Options& options, Clock* clock)
    : paths_(std::move(paths)), options_(options), clock_(clock) {}

absl::Time WatchedFolders::Now() const {
  if (options_.boot_clock == nullptr) return clock_->Now();
  return absl::UnixEpoch() + options_.boot_clock->SinceBoot();
}

absl::Status WatchedFolders::Drain(CrashSink& sink) {
  absl::Status first;
  std::set<std::string> seen;
  const absl::Time now = Now();
  for (const std::string& path : paths_) {
    const absl::StatusOr<std::vector<CrashLocation>> crashes = FindCrashes(path);
    if (!crashes.ok()) {
      // Nothing there yet is what watching is for.
      if (!absl::IsNotFound(crashes.status())) first.Update(crashes.status());
      continue;
    }
    for (const CrashLocation& crash : *crashes) {
      seen.insert(crash.path());
      first.Update(LookAt(crash, now, sink));
    }
  }
  for (auto it = sightings_.begin(); it != sightings_.end();)
    it = seen.count(it->first) ? std::next(it) : sightings_.erase(it);
  return first;
}

absl::Status WatchedFolders::LookAt(const CrashLocation& where, absl::Time now, CrashSink& sink) {
  const absl::StatusOr<std::string> contents = DescribeContents(where);
  if (!contents.ok()) return absl::IsNotFound(contents.status()) ? absl::OkStatus() : contents.status();
  Sighting& sighting = sightings_[where.path()];
  if (sighting.contents != *contents) sighting = {.contents = *contents, .changed_at = now};
  if (sighting.taken || !IsDue(where, now, &sighting)) return absl::OkStatus();
  Fate fate = Fate::kRefused;
  const absl::Status handed = HandOver(where, options_.source, sink, &fate);
  sighting.taken = handed.ok() || fate == Fate::kSafe;
  // Gone: the next look sees it.
  return absl::IsNotFound(handed) ? absl::OkStatus() : handed;
}

bool WatchedFolders::IsDue(const CrashLocation& where, absl::Time now, Sighting* sighting) {
  // A wall clock that was set back must not keep a set waiting.
  sighting->changed_at = std::min(sighting->changed_at, now);
  const absl::Duration quiet = now - sighting->changed_at;
  if (quiet < options_.settle) return false;
  if (quiet >= options_.patience) return true;
  if (!std::exchange(sighting->judged, true)) {
    const absl::StatusOr<FoundCrash> crash = OpenCrash(where);
    sighting->complete = crash.ok() && IsCompleteSet(crash->regions);
  }
  return sighting->complete;
}

absl::Duration WatchedFolders::UntilDue() const {
  absl::Duration soonest = absl::InfiniteDuration();
  const absl::Time now = Now();
  for (const auto& [path, sighting] : sightings_) {
    if (sighting.taken) continue;
    const absl::Duration wait = sighting.judged && !sighting.complete ? options_.patience : options_.settle;
    soonest = std::min(soonest, std::max(sighting.changed_at + wait - now, absl::Milliseconds(10)));
  }
  return soonest;
}

std::vector<std::string> WatchedFolders::FoldersToWatch() const {
  std::vector<std::string> folders;
  for (const std::string& path : paths_) {
    folders.push_back(WatchedFolderOf(path));
    for (std::string& below : FoldersBelow(path)) folders.push_back(std::move(below));
  }
  return folders;
}

}  // namespace corefleet
