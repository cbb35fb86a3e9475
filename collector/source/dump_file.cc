#include "collector/source/dump_file.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "collector/source/located_files.h"
#include "core/crash/region_set.h"
#include "core/kdump/disk_dump_header.h"

namespace corefleet {
namespace {

// What the parts of one split dump have in common, "" when the dump is whole, or flattened.
std::string SplitKeyOf(const Folder& folder, const std::string& name) {
  const absl::StatusOr<std::shared_ptr<const FileBytes>> bytes = FileBytes::OpenAt(folder.fd(), name);
  if (!bytes.ok()) return "";
  const absl::StatusOr<DiskDumpHeader> header = ReadDiskDumpHeader(**bytes);
  if (!header.ok() || !header->split) return "";
  return absl::StrJoin({header->node, header->release, header->kernel_version, header->machine_name,
                        absl::StrCat(header->crash_seconds)},
                       absl::string_view("\0", 1));
}

bool IsDump(Format format) { return format == Format::kVmcore || format == Format::kCompressedDump; }

// The dumps of a folder, each with its parts.
std::vector<std::vector<std::string>> DumpsIn(Folder* folder) {
  std::vector<std::vector<std::string>> dumps;
  std::map<std::string, size_t> split;  // key: which of `dumps`
  for (size_t i = 0; i < folder->entries().size(); ++i) {
    if (folder->claimed(i) || !IsDump(folder->FormatOf(i))) continue;
    const std::string& name = folder->entries()[i].name;
    folder->Claim(i);
    const std::string key =
        folder->FormatOf(i) == Format::kCompressedDump ? SplitKeyOf(*folder, name) : std::string();
    const auto [known, is_new] = split.try_emplace(key, dumps.size());
    if (key.empty() || is_new || dumps[known->second].size() >= kMaxRegions - 1) {
      dumps.push_back({name});
    } else {
      dumps[known->second].push_back(name);
    }
  }
  return dumps;
}

// Adds the log beside the dump.
void TakeLog(Folder* folder, std::vector<std::string>* dump) {
  for (size_t i = 0; i < folder->entries().size(); ++i) {
    const std::string& name = folder->entries()[i].name;
    if (folder->claimed(i) || !IsLogBeside(name, dump->front())) continue;
    if (folder->FormatOf(i) != Format::kLogText) continue;
    folder->Claim(i);
    dump->push_back(name);
    return;
  }
}

// In a folder of dumps other logs are no crashes: those of the kernel that saved the dump, and of tools.
void LeaveOtherLogs(Folder* folder) {
  for (size_t i = 0; i < folder->entries().size(); ++i) {
    if (!folder->claimed(i) && folder->FormatOf(i) == Format::kLogText) folder->Claim(i);
  }
}

}  // namespace

bool IsLogBeside(absl::string_view text, absl::string_view dump) {
  // kdump-tools: dump.STAMP and dmesg.STAMP.
  if (absl::ConsumePrefix(&dump, "dump.")) return absl::ConsumePrefix(&text, "dmesg.") && text == dump;
  // Everybody else: vmcore, vmcore.flat, vmcore-incomplete, vmcore-1, and vmcore-dmesg.txt.
  const absl::string_view stem = dump.substr(0, dump.find_first_of(".-"));
  return absl::StartsWith(text, absl::StrCat(stem, "-dmesg"));
}

std::vector<CrashLocation> DumpFileAdapter::FindIn(Folder* folder) const {
  std::vector<CrashLocation> found;
  for (std::vector<std::string>& dump : DumpsIn(folder)) {
    TakeLog(folder, &dump);
    found.push_back(LocationIn(*folder, this, std::move(dump)));
  }
  if (!found.empty()) LeaveOtherLogs(folder);
  return found;
}

bool DumpFileAdapter::TakesFile(const std::string&, Format format) const { return IsDump(format); }

absl::StatusOr<FoundCrash> DumpFileAdapter::Open(const CrashLocation& where) const {
  return OpenAsArtifacts(where);
}

}  // namespace corefleet
