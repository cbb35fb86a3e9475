#include "collector/source/pstore_folder.h"

#include <errno.h>
#include <linux/magic.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/status_macros.h"
#include "collector/source/captured_bytes.h"
#include "collector/source/located_files.h"
#include "core/crash/region_set.h"
#include "core/pstore/grouping.h"
#include "core/pstore/record_name.h"

namespace corefleet {
namespace {

constexpr uint64_t kMaxRecordBytes = 16 << 20;
constexpr uint64_t kHeadBytes = 64;
// What systemd-pstore put together of the records beside it.
constexpr absl::string_view kJoinedText = "dmesg.txt";

std::string FirstBytes(int folder, const std::string& name) {
  const absl::StatusOr<std::shared_ptr<const FileBytes>> bytes = FileBytes::OpenAt(folder, name);
  if (!bytes.ok()) return "";
  const auto head = ReadBytes(**bytes, 0, std::min(kHeadBytes, (*bytes)->size()));
  return head.ok() ? std::string(head->begin(), head->end()) : "";
}

// The entries that are pstore's by their names, at most as many as a crash may have files.
std::vector<size_t> RecordsOf(const Folder& folder) {
  std::vector<size_t> records;
  for (size_t i = 0; i < folder.entries().size() && records.size() < kMaxRegions; ++i) {
    const FolderEntry& entry = folder.entries()[i];
    if (entry.is_file && !folder.claimed(i) && ParsePstoreName(entry.name)) records.push_back(i);
  }
  return records;
}

}  // namespace

std::vector<CrashLocation> PstoreFolderAdapter::FindIn(Folder* folder) const {
  const std::vector<size_t> records = RecordsOf(*folder);
  std::vector<PstoreFile> files;
  for (const size_t record : records) {
    const FolderEntry& entry = folder->entries()[record];
    files.push_back(
        {.name = entry.name, .head = FirstBytes(folder->fd(), entry.name), .seconds = entry.seconds});
    folder->Claim(record);
  }
  std::vector<CrashLocation> found;
  for (const PstoreGroup& group : GroupPstoreFiles(files)) {
    std::vector<std::string> names;
    for (const size_t file : group.files) names.push_back(files[file].name);
    found.push_back(LocationIn(*folder, this, std::move(names)));
  }
  for (size_t i = 0; !found.empty() && i < folder->entries().size(); ++i) {
    if (folder->entries()[i].name == kJoinedText) folder->Claim(i);
  }
  return found;
}

bool PstoreFolderAdapter::TakesFile(const std::string&, Format format) const {
  return format == Format::kPstoreRecord;
}

absl::StatusOr<FoundCrash> PstoreFolderAdapter::Open(const CrashLocation& where) const {
  if (where.root_is_file) return OpenAsArtifacts(where);
  ASSIGN_OR_RETURN(const Folder folder, Folder::Open(where.root, where.below));
  if (!folder.IsOn(PSTOREFS_MAGIC)) return OpenAsArtifacts(where);
  FoundCrash crash{.path = where.path()};
  for (const std::string& name : where.files) {
    ASSIGN_OR_RETURN(auto bytes, CaptureAt(folder.fd(), name, kMaxRecordBytes));
    crash.regions.regions.push_back(ArtifactOf(name, std::move(bytes)));
  }
  return crash;
}

absl::Status PstoreFolderAdapter::Release(const CrashLocation& where) const {
  if (where.root_is_file) return absl::OkStatus();
  ASSIGN_OR_RETURN(const Folder folder, Folder::Open(where.root, where.below));
  if (!folder.IsOn(PSTOREFS_MAGIC)) return absl::OkStatus();
  return RemoveFiles(folder.fd(), where.files);
}

absl::Status RemoveFiles(int folder, const std::vector<std::string>& files) {
  absl::Status first;
  for (const std::string& name : files) {
    if (unlinkat(folder, name.c_str(), 0) != 0 && errno != ENOENT) first.Update(FileError(errno, name));
  }
  return first;
}

}  // namespace corefleet
