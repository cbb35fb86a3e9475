#include "collector/source/raw_dump.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "collector/source/located_files.h"
#include "core/minidump/raw_dump.h"

namespace corefleet {
namespace {

// The first `size` bytes of a partition, of which the very first are others.
class MarkedBytes final : public ByteSource {
 public:
  MarkedBytes(std::shared_ptr<const ByteSource> partition, uint64_t size, std::vector<uint8_t> mark)
      : partition_(std::move(partition)), size_(size), mark_(std::move(mark)) {}

  uint64_t size() const override { return size_; }

  absl::Status ReadAt(uint64_t offset, absl::Span<uint8_t> out) const override {
    RETURN_IF_ERROR(CheckRange(offset, out.size(), size_));
    RETURN_IF_ERROR(partition_->ReadAt(offset, out));
    for (uint64_t i = offset; i < mark_.size() && i - offset < out.size(); ++i) out[i - offset] = mark_[i];
    return absl::OkStatus();
  }

 private:
  const std::shared_ptr<const ByteSource> partition_;
  const uint64_t size_;
  const std::vector<uint8_t> mark_;
};

// Cuts the file down to the dump in it, and puts its first mark back.
absl::Status Trim(Region* region, FoundCrash* crash) {
  std::vector<uint8_t> head = HeadOf(*region->bytes);
  const absl::StatusOr<RawDumpExtent> extent = MeasureRawDump(ByteView(head));
  // A container that is cut inside of its header is sent as it is.
  if (absl::IsOutOfRange(extent.status())) return absl::OkStatus();
  RETURN_IF_ERROR(extent.status());
  if (extent->consumed) crash->notes.push_back("marked as collected before; sent as the firmware wrote it");
  const uint64_t there = region->bytes->size();
  if (extent->bytes > there)
    crash->notes.push_back(
        absl::StrCat("says that it has ", extent->bytes, " bytes; here are ", there, " of them"));
  NormaliseRawDumpMark(absl::MakeSpan(head));
  head.resize(std::min(head.size(), kRawDumpMarkBytes));
  region->bytes = std::make_shared<const MarkedBytes>(std::move(region->bytes),
                                                      std::min(extent->bytes, there), std::move(head));
  return absl::OkStatus();
}

}  // namespace

std::vector<CrashLocation> RawDumpAdapter::FindIn(Folder* folder) const {
  std::vector<CrashLocation> found;
  for (size_t i = 0; i < folder->entries().size(); ++i) {
    if (folder->claimed(i) || folder->FormatOf(i) != Format::kRawDump) continue;
    folder->Claim(i);
    found.push_back(LocationIn(*folder, this, {folder->entries()[i].name}));
  }
  return found;
}

bool RawDumpAdapter::TakesFile(const std::string&, Format format) const { return format == Format::kRawDump; }

absl::StatusOr<FoundCrash> RawDumpAdapter::Open(const CrashLocation& where) const {
  ASSIGN_OR_RETURN(FoundCrash crash, OpenAsArtifacts(where));
  for (Region& region : crash.regions.regions) RETURN_IF_ERROR(Trim(&region, &crash));
  return crash;
}

}  // namespace corefleet
