#ifndef COREFLEET_COLLECTOR_SOURCE_REGION_FOLDER_H_
#define COREFLEET_COLLECTOR_SOURCE_REGION_FOLDER_H_

#include "absl/strings/string_view.h"
#include "collector/source/source_adapter.h"

namespace corefleet {

// A folder of region files, as edl and QDL leave it: `md_NAMEid.BIN` (any case), and what the tools wrote
// beside them:
//   * any list of addresses, by its content: minidump_toc.bin, a saved table of the download protocol, edl's
//     printed log, dump_info.txt, load.cmm. In the folder above too when edl filled its subfolder `memory/`.
//   * files that such a list names, whatever they are called (OCIMEM.BIN, DDRCS0_0.BIN)
//   * minidump.elf or ap_minidump.elf, which a tool put together
//   * a Debug Kinfo area
// Nothing else in it is ever taken: neither texts nor other cores. Without any md_ file, a folder is one of
// these when a list in it names files in it.
class RegionFolderAdapter final : public SourceAdapter {
 public:
  absl::string_view name() const override { return "region folder"; }
  std::vector<CrashLocation> FindIn(Folder* folder) const override;
  // A single region file, or a list.
  bool TakesFile(const std::string& name, Format format) const override;
  // The regions come first, in the order of their file names; name and id are read from the file name,
  // addresses are not: who joins the regions with the address table is the server. INVALID_ARGUMENT also for
  // more than kMaxRegions.
  absl::StatusOr<FoundCrash> Open(const CrashLocation& where) const override;
};

// True when a file of this name holds a region.
bool IsRegionFileName(absl::string_view name);

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_SOURCE_REGION_FOLDER_H_
