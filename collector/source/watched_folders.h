#ifndef COREFLEET_COLLECTOR_SOURCE_WATCHED_FOLDERS_H_
#define COREFLEET_COLLECTOR_SOURCE_WATCHED_FOLDERS_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "collector/source/crash_source.h"
#include "collector/source/region_folder.h"

namespace corefleet {

// Folders that a download tool fills. A set of regions is taken
//   1. when it is quiet (no file came, went, or changed its size or time for `settle`) and complete (every
//   region that
//      its ELF header lists is there, whole), or
//   2. when it stays quiet for `patience`: a part is better than nothing.
// When a set that was taken changes (edl deletes and refills its `memory/`), it is taken again in the same
// way. Paths need not exist yet. One thread at a time.
class WatchedFolders final : public CrashSource {
 public:
  struct Options {
    absl::Duration settle = absl::Seconds(5);
    absl::Duration patience = absl::Seconds(60);
  };

  // `clock` must outlive it.
  WatchedFolders(std::vector<std::string> paths, const Options& options, Clock* clock);

  absl::string_view name() const override { return "watched folders"; }
  // Looks once, and hands over what is to be taken now. What is not accepted is offered again at the next
  // look.
  absl::Status Drain(CrashSink& sink) override;

  // How long, after a look, nothing can become due unless a file changes. InfiniteDuration when nothing is
  // pending.
  absl::Duration UntilDue() const;
  // The folders to be told about when something in them changes.
  std::vector<std::string> FoldersToWatch() const;

 private:
  // What is known about one folder of regions.
  struct Sighting {
    std::string contents;  // names, sizes, times; compared only
    absl::Time changed_at;
    bool complete = false;
    bool judged = false;  // `complete` says something about `contents`
    bool taken = false;
  };

  absl::Status LookAt(const RegionFolder& folder, absl::Time now, CrashSink& sink);
  bool IsDue(const RegionFolder& folder, absl::Time now, Sighting* sighting);

  std::vector<std::string> paths_;
  Options options_;
  Clock* clock_;
  std::map<std::string, Sighting> sightings_;  // by the folder's path
};

// True when nothing that the set's ELF header lists is missing or cut short.
bool IsCompleteSet(const RegionSet& set);

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_SOURCE_WATCHED_FOLDERS_H_
