#ifndef COREFLEET_COLLECTOR_SOURCE_WATCHED_FOLDERS_H_
#define COREFLEET_COLLECTOR_SOURCE_WATCHED_FOLDERS_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/boot_clock.h"
#include "base/clock.h"
#include "collector/source/crash_source.h"
#include "collector/source/find_crashes.h"

namespace corefleet {

// Places where crashes appear: folders that a download tool fills, /var/crash, /sys/fs/pstore, a partition. A
// crash is taken
//   1. when it is quiet (no file came, went, or changed its size or time for `settle`) and complete (every
//      region that its headers list is there, whole), or
//   2. when it stays quiet for `patience`: a part is better than nothing.
// When what was taken changes (edl deletes and refills its `memory/`), it is taken again in the same way.
// Paths need not exist yet. One thread at a time.
class WatchedFolders final : public CrashSource {
 public:
  struct Options {
    absl::Duration settle = absl::Seconds(5);
    absl::Duration patience = absl::Seconds(60);
    SourceOptions source;
    // Times what is quiet, where there is one: a device's wall clock is set minutes after it booted, and the
    // half century in between is not one in which a dump stood still. Null: the clock below. Outlives it.
    const BootClock* boot_clock = nullptr;
  };

  // `clock` must outlive it.
  WatchedFolders(std::vector<std::string> paths, const Options& options, Clock* clock);

  // Looks once, and hands over what is to be taken now. What is not accepted is offered again at the next
  // look.
  absl::Status Drain(CrashSink& sink) override;

  // How long, after a look, nothing can become due unless a file changes. InfiniteDuration when nothing is
  // pending.
  absl::Duration UntilDue() const;
  // The folders to be told about when something in them changes.
  std::vector<std::string> FoldersToWatch() const;

 private:
  // What is known about one crash.
  struct Sighting {
    std::string contents;  // names, sizes, times; compared only
    absl::Time changed_at;
    bool complete = false;
    bool judged = false;  // `complete` says something about `contents`
    bool taken = false;
  };

  absl::Time Now() const;
  absl::Status LookAt(const CrashLocation& where, absl::Time now, CrashSink& sink);
  bool IsDue(const CrashLocation& where, absl::Time now, Sighting* sighting);

  std::vector<std::string> paths_;
  Options options_;
  Clock* clock_;
  std::map<std::string, Sighting> sightings_;  // by the location's path
};

// True when nothing that the headers in the set list is missing or cut short.
bool IsCompleteSet(const RegionSet& set);

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_SOURCE_WATCHED_FOLDERS_H_
