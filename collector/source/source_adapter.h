#ifndef COREFLEET_COLLECTOR_SOURCE_SOURCE_ADAPTER_H_
#define COREFLEET_COLLECTOR_SOURCE_SOURCE_ADAPTER_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "collector/source/crash_source.h"
#include "collector/source/folder.h"
#include "core/unpack/pieces.h"

namespace corefleet {

class SourceAdapter;

// Where a crash waits. Links are followed only in `root`, which is the operator's word; below it every step
// is an openat that follows none.
struct CrashLocation {
  const SourceAdapter* adapter = nullptr;  // who opens it; lives for ever
  std::string root;                        // a folder; or, when nothing is below it, perhaps a file or device
  std::vector<std::string> below;          // folders, one name each; untrusted bytes
  std::vector<std::string> files;          // of that folder: those that are this crash, sorted. Empty: the
                                           // adapter knows which, or `root` is the file
  bool root_is_file = false;

  // As a person would write it: the folder, or its first file.
  std::string path() const;
};

// One way in which a device keeps what is left of a crash: a folder that a download tool filled, a partition,
// pstore. Adapters have no state. What they find was named by a device: names are untrusted bytes, used only
// with openat; symbolic links, devices and FIFOs below the operator's path are not opened.
class SourceAdapter {
 public:
  virtual ~SourceAdapter() = default;
  virtual absl::string_view name() const = 0;

  // The crashes of this kind in the folder, out of files that nobody claimed; claims theirs.
  virtual std::vector<CrashLocation> FindIn(Folder* folder) const = 0;

  // True when a file that the operator named is of this kind, judged by its name and what Recognise said.
  virtual bool TakesFile(const std::string& name, Format format) const = 0;

  // Opens what FindIn found, or a file that it takes.
  //   NOT_FOUND         it is gone
  //   INVALID_ARGUMENT  it can never be sent as it is; the text says why
  //   UNAVAILABLE       it changed meanwhile; try again
  //   PERMISSION_DENIED, RESOURCE_EXHAUSTED, FAILED_PRECONDITION  as the system said
  virtual absl::StatusOr<FoundCrash> Open(const CrashLocation& where) const = 0;

  // Lets the device's own copy go, where there is one that holds up the next crash. Only for a crash that is
  // safe elsewhere. Files in folders are never touched.
  virtual absl::Status Release(const CrashLocation& where) const { return absl::OkStatus(); }
};

// All there are; those that know best what is theirs come first.
const std::vector<const SourceAdapter*>& SourceAdapters();

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_SOURCE_SOURCE_ADAPTER_H_
