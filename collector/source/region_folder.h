#ifndef COREFLEET_COLLECTOR_SOURCE_REGION_FOLDER_H_
#define COREFLEET_COLLECTOR_SOURCE_REGION_FOLDER_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "collector/source/crash_source.h"

namespace corefleet {

// A folder of region files, as edl and QDL leave it: `md_NAMEid.BIN` (any case), and perhaps the firmware's
// own list of addresses (minidump_toc.bin, or any file that is one by its content). Nothing else in it is
// ever taken. edl writes into a subfolder `memory/`.
//
// What lies in such a folder was named by a device: names are untrusted bytes, used only with openat in the
// folder itself. Symbolic links, devices and FIFOs are not opened.

// Where such a folder is. Links are followed only in `root`, which is the operator's word; below it every
// step is an openat that follows none.
struct RegionFolder {
  std::string root;
  std::vector<std::string> below;  // one name each; untrusted bytes

  // As a person would write it.
  std::string path() const;
};

// The folders of region files at `path`: itself, the folders in it, and a `memory/` in those. Sorted by name.
//   NOT_FOUND            there is none; the text says what was looked for and what is there instead
//   FAILED_PRECONDITION  `path` is no folder
//   PERMISSION_DENIED, RESOURCE_EXHAUSTED, UNAVAILABLE  as the system said
absl::StatusOr<std::vector<RegionFolder>> FindRegionFolders(const std::string& path);

// Opens one such folder. The regions are in the order of their file names; name and id are read from the file
// name, addresses are not: who joins the regions with the address table is the server.
//   NOT_FOUND         no region files in it
//   INVALID_ARGUMENT  more than kMaxRegions
//   UNAVAILABLE       a file vanished meanwhile; try again
//   PERMISSION_DENIED, RESOURCE_EXHAUSTED  as the system said
absl::StatusOr<FoundCrash> OpenRegionFolder(const RegionFolder& folder);

// Names, sizes, times and identities of the region files and possible tables in the folder, as text: two
// equal ones mean that nothing changed in between. Codes: as OpenRegionFolder's.
absl::StatusOr<std::string> DescribeContents(const RegionFolder& folder);

// The paths of the folders in `path`, and of a `memory/` in those: where regions may appear. Links are not
// followed.
std::vector<std::string> FoldersBelow(const std::string& path);

// True when a file of this name holds a region.
bool IsRegionFileName(absl::string_view name);

// Allows as many open files as the system lets this process have: a crash may have a thousand. Call it from
// main.
void AllowManyOpenFiles();

// The folders at some paths, each a crash, once. One thread at a time.
class RegionFolderSource final : public CrashSource {
 public:
  explicit RegionFolderSource(std::vector<std::string> paths) : paths_(std::move(paths)) {}
  absl::string_view name() const override { return "region folder"; }
  absl::Status Drain(CrashSink& sink) override;

 private:
  std::vector<std::string> paths_;
};

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_SOURCE_REGION_FOLDER_H_
