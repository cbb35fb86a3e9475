#include "collector/upload/announcement.h"

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "core/bytes/escape.h"

namespace corefleet {
namespace {

uint64_t MarkOf(const Sha256Digest& digest) {
  uint64_t mark;
  std::memcpy(&mark, digest.data(), sizeof(mark));
  return mark;
}

}  // namespace

absl::StatusOr<ByteView> Announcement::ReadRaw(const ByteSource& bytes, uint64_t chunk) {
  buffer_.resize(ChunkSize(bytes.size(), chunk));
  RETURN_IF_ERROR(bytes.ReadAt(chunk * kChunkBytes, absl::MakeSpan(buffer_)));
  return ByteView(buffer_);
}

absl::Status Announcement::Announce(const Region& region) {
  ManifestRegion announced{.kind = region.kind,
                           .file_name = region.file_name,
                           .name = region.name,
                           .id = region.id,
                           .paddr = region.paddr,
                           .table_size = region.table_size,
                           .size = region.bytes->size()};
  RegionRoot root;
  std::vector<uint64_t> marks;
  for (uint64_t chunk = 0; chunk < ChunkCount(announced.size); ++chunk) {
    ASSIGN_OR_RETURN(const ByteView raw, ReadRaw(*region.bytes, chunk));
    const Sha256Digest digest = Sha256Of(raw);
    root.AddChunk(digest);
    marks.push_back(MarkOf(digest));
  }
  announced.root = root.Finish();
  manifest_.regions.push_back(std::move(announced));
  marks_.push_back(std::move(marks));
  sources_.push_back(region.bytes);
  return absl::OkStatus();
}

absl::StatusOr<Announcement> Announcement::Of(const RegionSet& set) {
  Announcement announcement;
  for (const Region& region : set.regions) {
    if (absl::Status status = announcement.Announce(region); !status.ok()) {
      return absl::Status(status.code(),
                          absl::StrCat(EscapeForTerminal(region.file_name), ": ", status.message()));
    }
  }
  RETURN_IF_ERROR(Validate(announcement.manifest_));
  return announcement;
}

absl::StatusOr<OutgoingChunk> Announcement::Read(uint32_t region, uint64_t chunk) {
  if (region >= marks_.size() || chunk >= marks_[region].size()) {
    return absl::OutOfRangeError(
        absl::StrCat("the server asks for chunk ", chunk, " of region ", region, ", which there is not"));
  }
  ASSIGN_OR_RETURN(const ByteView raw, ReadRaw(*sources_[region], chunk));
  OutgoingChunk out{.region = region, .chunk = chunk, .raw_size = static_cast<uint32_t>(raw.size())};
  out.sha256 = Sha256Of(raw);
  if (MarkOf(out.sha256) != marks_[region][chunk]) {
    return absl::AbortedError(absl::StrCat(EscapeForTerminal(manifest_.regions[region].file_name),
                                           ": changed after it was announced"));
  }
  out.encoded = EncodeChunk(raw);
  return out;
}

}  // namespace corefleet
