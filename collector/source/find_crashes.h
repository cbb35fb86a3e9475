#ifndef COREFLEET_COLLECTOR_SOURCE_FIND_CRASHES_H_
#define COREFLEET_COLLECTOR_SOURCE_FIND_CRASHES_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "collector/source/crash_source.h"
#include "collector/source/source_adapter.h"

namespace corefleet {

// The one way from what an operator names to crashes: docs/sources.md.

// The crashes that wait at `path`, sorted by where they are. A folder is looked through, and the folders in
// it, and in those a `memory/` (edl) and folders whose names are numbers (systemd-pstore); a file is a crash
// whatever it is; a device is one when a dump is in it. Empty only for a device, and for a folder of the
// kernel's own (/sys/fs/pstore, /sys/class/devcoredump), in which nothing waits.
//   NOT_FOUND            there is no such path; or it is a folder with nothing that is a crash: the text says
//                        what was looked for and what is there instead
//   FAILED_PRECONDITION  it is a pipe, a socket, a device without a size
//   PERMISSION_DENIED, RESOURCE_EXHAUSTED, UNAVAILABLE  as the system said
absl::StatusOr<std::vector<CrashLocation>> FindCrashes(const std::string& path);

// Codes: SourceAdapter::Open's.
absl::StatusOr<FoundCrash> OpenCrash(const CrashLocation& where);

// Names, sizes, times and identities of the files, as text: two equal ones mean that nothing changed in
// between. Codes: as OpenCrash's.
absl::StatusOr<std::string> DescribeContents(const CrashLocation& where);

// The paths of the folders below `path` that FindCrashes looks into: where crashes may appear. Links are not
// followed.
std::vector<std::string> FoldersBelow(const std::string& path);

// Adds the Debug Kinfo area in the file `path` to a crash, if it is one that has the memory of a device: a
// region folder or a Raw_Dmp! container. The analysis says when it is of another kernel. Codes:
// OpenNamedFile's, and INVALID_ARGUMENT for a file that is no Kinfo area.
absl::Status AttachKinfo(const std::string& path, const CrashLocation& where, FoundCrash* crash);

// Allows as many open files as the system lets this process have: a crash may have a thousand. Call it from
// main.
void AllowManyOpenFiles();

struct SourceOptions {
  std::string kinfo;     // AttachKinfo's path; empty: none
  bool release = false;  // let the device's own copy go once the crash is safe
  // Told about a path in which nothing waits, and nothing is wrong with that; may be empty.
  std::function<void(const std::string&)> on_nothing;
};

// Opens a crash, hands it over, and releases it. Codes: OpenCrash's, AttachKinfo's and the sink's.
absl::Status HandOver(const CrashLocation& where, const SourceOptions& options, CrashSink& sink, Fate* fate);

// The crashes at some paths, each once. One thread at a time.
class NamedPaths final : public CrashSource {
 public:
  NamedPaths(std::vector<std::string> paths, SourceOptions options)
      : paths_(std::move(paths)), options_(std::move(options)) {}
  absl::Status Drain(CrashSink& sink) override;

 private:
  std::vector<std::string> paths_;
  SourceOptions options_;
};

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_SOURCE_FIND_CRASHES_H_
