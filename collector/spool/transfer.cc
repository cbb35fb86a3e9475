#include "collector/spool/transfer.h"

#include <fcntl.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "collector/source/file_bytes.h"
#include "collector/spool/entry_file.h"
#include "core/bytes/escape.h"

namespace corefleet {
namespace {

constexpr absl::string_view kSuffix = ".crash";
constexpr size_t kCopyBytes = 128 << 10;

// A file that somebody named, as one of a spool's.
class NamedBytes final : public SpoolBytes {
 public:
  explicit NamedBytes(std::shared_ptr<const ByteSource> bytes) : bytes_(std::move(bytes)) {}
  uint64_t size() const override { return bytes_->size(); }
  absl::Status ReadAt(uint64_t offset, absl::Span<uint8_t> out) const override {
    const absl::Status status = bytes_->ReadAt(offset, out);
    if (absl::IsOutOfRange(status)) return absl::DataLossError(status.message());
    return status;
  }

 private:
  const std::shared_ptr<const ByteSource> bytes_;
};

absl::Status Copy(const SpoolBytes& from, SpoolFile* to) {
  std::vector<uint8_t> buffer(kCopyBytes);
  for (uint64_t offset = 0; offset < from.size(); offset += buffer.size()) {
    buffer.resize(std::min<uint64_t>(kCopyBytes, from.size() - offset));
    RETURN_IF_ERROR(from.ReadAt(offset, absl::MakeSpan(buffer)));
    RETURN_IF_ERROR(to->WriteAt(offset, buffer));
  }
  return to->Sync();
}

// OK if the file is the crash, whole.
absl::Status Verify(std::unique_ptr<SpoolBytes> file, const CrashUid& uid) {
  // What lies in the page cache says nothing about the stick.
  if (file->descriptor() >= 0) posix_fadvise(file->descriptor(), 0, 0, POSIX_FADV_DONTNEED);
  ASSIGN_OR_RETURN(ParsedEntry entry, ParseEntry(*file));
  if (UidOf(entry.footer.manifest) != uid) return absl::DataLossError("the copy is another crash");
  SpooledCrash crash(std::move(file), std::move(entry), nullptr);
  const std::vector<ManifestRegion>& regions = crash.manifest().regions;
  for (uint32_t region = 0; region < regions.size(); ++region) {
    RegionRoot root;
    for (uint64_t chunk = 0; chunk < ChunkCount(regions[region].size); ++chunk) {
      ASSIGN_OR_RETURN(const OutgoingChunk read, crash.Read(region, chunk));
      root.AddChunk(read.sha256);
    }
    if (root.Finish() != regions[region].root) return absl::DataLossError("the copy is damaged");
  }
  return absl::OkStatus();
}

absl::Status VerifyIn(SpoolFolder* folder, const std::string& name, const CrashUid& uid) {
  ASSIGN_OR_RETURN(std::unique_ptr<SpoolBytes> file, folder->Read(name));
  return Verify(std::move(file), uid);
}

absl::Status CopyInto(SpoolFolder* folder, const SpoolBytes& from, const std::string& part) {
  RETURN_IF_ERROR(folder->Remove(part));
  ASSIGN_OR_RETURN(const std::unique_ptr<SpoolFile> file, folder->Create(part));
  return Copy(from, file.get());
}

}  // namespace

absl::StatusOr<std::string> ExportEntry(Spool* spool, SpoolId id, const std::string& folder) {
  ASSIGN_OR_RETURN(const SpoolEntry entry, spool->Find(id));
  ASSIGN_OR_RETURN(const std::unique_ptr<SpoolBytes> from, spool->EntryBytes(id));
  ASSIGN_OR_RETURN(const std::unique_ptr<SpoolFolder> stick, SpoolFolder::OpenShared(folder));
  const std::string name = absl::StrCat(entry.uid.value(), kSuffix);
  const std::string path = absl::StrCat(folder, "/", name);
  if (VerifyIn(stick.get(), name, entry.uid).ok()) return path;
  const std::string part = absl::StrCat(entry.uid.value(), ".part");
  absl::Status copied = CopyInto(stick.get(), *from, part);
  if (copied.ok()) copied = VerifyIn(stick.get(), part, entry.uid);
  if (copied.ok()) copied = stick->Rename(part, name);
  if (copied.ok()) copied = stick->SyncNames();
  if (copied.ok()) return path;
  stick->Remove(part).IgnoreError();
  return copied;
}

absl::StatusOr<PutResult> ImportFile(Spool* spool, const std::string& path, const DeviceId& device) {
  ASSIGN_OR_RETURN(const NamedFile named, OpenNamedFile(path));
  auto file = std::make_unique<NamedBytes>(named.bytes);
  ASSIGN_OR_RETURN(ParsedEntry entry, ParseEntry(*file));
  SpoolTags tags = entry.footer.tags;
  tags.clues = entry.state.clues;
  if (tags.device.empty()) tags.device = device;
  if (tags.device.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(EscapeForTerminal(path), ": does not say of which device it is"));
  }
  SpooledCrash crash(std::move(file), std::move(entry), nullptr);
  return spool->PutEncoded(crash, tags);
}

absl::StatusOr<std::vector<std::string>> ExportedFiles(const std::string& folder) {
  ASSIGN_OR_RETURN(const std::unique_ptr<SpoolFolder> stick, SpoolFolder::OpenToRead(folder));
  ASSIGN_OR_RETURN(const std::vector<SpoolFolder::Listed> listed, stick->List());
  std::vector<std::string> paths;
  for (const SpoolFolder::Listed& file : listed) {
    if (absl::EndsWith(file.name, kSuffix)) paths.push_back(absl::StrCat(folder, "/", file.name));
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace corefleet
