#include "core/minidump/saved_section.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "core/minidump/address_table.h"

namespace corefleet {

bool IsRegionName(absl::string_view name) {
  return absl::StartsWithIgnoreCase(name, "md_") && absl::EndsWithIgnoreCase(name, ".bin");
}

bool IsTableName(absl::string_view name) {
  return absl::EqualsIgnoreCase(name, "load.cmm") || absl::EqualsIgnoreCase(name, "dump_info.txt") ||
         absl::EqualsIgnoreCase(name, "minidump_toc.bin");
}

void TakeSection(const Artifact& container, const SavedSection& section, Pieces* out) {
  auto bytes = WindowOf(container.bytes, section.offset, section.here);
  if ((section.is_memory || IsRegionName(section.name)) && !IsTableName(section.name)) {
    Region region;
    region.file_name = section.name;
    // Noise must not become a segment's address or size.
    const bool possible =
        section.size <= kMaxPhysicalAddress && section.base.value_or(0) <= kMaxPhysicalAddress - section.size;
    if (section.base && possible) {
      region.paddr = section.base;
      region.table_size = section.size;
    }
    region.bytes = std::move(bytes);
    region.container = container.received;
    out->regions.push_back(std::move(region));
    return;
  }
  Artifact artifact{.received = container.received, .file_name = section.name, .bytes = bytes};
  auto head = ReadBytes(*bytes, 0, std::min<uint64_t>(bytes->size(), kArtifactHeadBytes));
  if (head.ok()) artifact.head = *std::move(head);
  out->artifacts.push_back(std::move(artifact));
}

}  // namespace corefleet
