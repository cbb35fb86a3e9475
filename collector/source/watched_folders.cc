#include "collector/source/watched_folders.h"

#include <algorithm>
#include <set>
#include <utility>

#include "core/reassembly/reassemble.h"

namespace corefleet {

bool IsCompleteSet(const RegionSet& set) {
  const CoreImage image = Reassemble(set);
  return std::none_of(image.defects.begin(), image.defects.end(), [](const Defect& defect) {
    return defect.code == DefectCode::kHeaderMissing || defect.code == DefectCode::kHeaderDamaged ||
           defect.code == DefectCode::kVmcoreinfoMissing || defect.code == DefectCode::kRegionMissing ||
           defect.code == DefectCode::kRegionTruncated;
  });
}

WatchedFolders::WatchedFolders(std::vector<std::string> paths, const Options& options, Clock* clock)
    : paths_(std::move(paths)), options_(options), clock_(clock) {}

absl::Status WatchedFolders::Drain(CrashSink& sink) {
  absl::Status first;
  std::set<std::string> seen;
  const absl::Time now = clock_->Now();
  for (const std::string& path : paths_) {
    const absl::StatusOr<std::vector<RegionFolder>> folders = FindRegionFolders(path);
    if (!folders.ok()) {
      // Nothing there yet is what watching is for.
      if (!absl::IsNotFound(folders.status())) first.Update(folders.status());
      continue;
    }
    for (const RegionFolder& folder : *folders) {
      seen.insert(folder.path());
      first.Update(LookAt(folder, now, sink));
    }
  }
  for (auto it = sightings_.begin(); it != sightings_.end();)
    it = seen.count(it->first) ? std::next(it) : sightings_.erase(it);
  return first;
}

absl::Status WatchedFolders::LookAt(const RegionFolder& folder, absl::Time now, CrashSink& sink) {
  const absl::StatusOr<std::string> contents = DescribeContents(folder);
  if (!contents.ok()) return absl::IsNotFound(contents.status()) ? absl::OkStatus() : contents.status();
  Sighting& sighting = sightings_[folder.path()];
  if (sighting.contents != *contents) sighting = {.contents = *contents, .changed_at = now};
  if (sighting.taken || !IsDue(folder, now, &sighting)) return absl::OkStatus();
  const absl::StatusOr<FoundCrash> crash = OpenRegionFolder(folder);
  // Gone or changing again: the next look sees it.
  if (!crash.ok()) return absl::IsInvalidArgument(crash.status()) ? crash.status() : absl::OkStatus();
  const absl::Status accepted = sink.Accept(*crash);
  sighting.taken = accepted.ok();
  return accepted;
}

bool WatchedFolders::IsDue(const RegionFolder& folder, absl::Time now, Sighting* sighting) {
  // A wall clock that was set back must not keep a set waiting.
  sighting->changed_at = std::min(sighting->changed_at, now);
  const absl::Duration quiet = now - sighting->changed_at;
  if (quiet < options_.settle) return false;
  if (quiet >= options_.patience) return true;
  if (!std::exchange(sighting->judged, true)) {
    const absl::StatusOr<FoundCrash> crash = OpenRegionFolder(folder);
    sighting->complete = crash.ok() && IsCompleteSet(crash->regions);
  }
  return sighting->complete;
}

absl::Duration WatchedFolders::UntilDue() const {
  absl::Duration soonest = absl::InfiniteDuration();
  const absl::Time now = clock_->Now();
  for (const auto& [path, sighting] : sightings_) {
    if (sighting.taken) continue;
    const absl::Duration wait = sighting.judged && !sighting.complete ? options_.patience : options_.settle;
    soonest = std::min(soonest, std::max(sighting.changed_at + wait - now, absl::Milliseconds(10)));
  }
  return soonest;
}

std::vector<std::string> WatchedFolders::FoldersToWatch() const {
  std::vector<std::string> folders = paths_;
  for (const std::string& path : paths_) {
    for (std::string& below : FoldersBelow(path)) folders.push_back(std::move(below));
  }
  return folders;
}

}  // namespace corefleet
