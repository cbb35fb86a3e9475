#include "core/rebuild.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/bytes/escape.h"
#include "core/elf/elf_header.h"
#include "core/minidump/vendor_header.h"
#include "core/reassembly/reassemble.h"
#include "core/unpack/unpack.h"

namespace corefleet {
namespace {

// A dump's loads become segments as they are: nothing has to be matched, the dump's own headers place them.
CoreImage ImageOf(DumpedCore dump, RegionSet* set) {
  CoreImage image;
  image.has_header = dump.is_elf;
  image.e_machine = dump.machine;
  image.e_flags = dump.elf_flags;
  image.memory = std::move(dump.memory);
  image.dump_file = std::move(dump.file);
  image.dump_is_elf = dump.is_elf;
  image.dump_release = std::move(dump.release);
  image.dump_version = std::move(dump.version);
  image.dump_machine = std::move(dump.machine_name);
  image.prstatus_count = dump.prstatus_count;
  image.vmcoreinfo = Vmcoreinfo::Parse(BytesOf(dump.vmcoreinfo), &image.defects);
  for (Region& load : dump.loads) {
    Segment segment;
    segment.vaddr = load.vaddr.value_or(0);
    segment.has_vaddr = load.vaddr.has_value();
    segment.paddr = load.paddr.value_or(0);
    segment.has_paddr = load.paddr.has_value();
    segment.size = load.table_size.value_or(load.bytes->size());
    segment.available = std::min(segment.size, load.bytes->size());
    segment.region = static_cast<uint32_t>(set->regions.size());
    segment.name = EscapeForTerminal(load.name);
    image.segments.push_back(std::move(segment));
    set->regions.push_back(std::move(load));
  }
  for (const Region& region : set->regions) {
    image.sources.push_back(region.bytes != nullptr ? region.bytes
                                                    : std::make_shared<MemorySource>(std::vector<uint8_t>()));
  }
  return image;
}

// The vendor's header region has the banner's bytes in itself: they become a region of their own.
void AddRegionsInHeaders(RegionSet* set) {
  constexpr size_t kMaxHeaders = 4;
  size_t headers = 0;
  const size_t received = set->regions.size();
  for (uint32_t i = 0; i < received && headers < kMaxHeaders; ++i) {
    const Region& file = set->regions[i];
    if (file.kind != RegionKind::kMemory || file.bytes == nullptr) continue;
    const auto magic = ReadBytes(*file.bytes, 0, std::min<uint64_t>(4, file.bytes->size()));
    if (!magic.ok() || !LooksLikeElf(*magic)) continue;
    const std::optional<VendorHeader> header = ReadVendorHeader(*file.bytes);
    if (!header) continue;
    ++headers;
    const auto inside = std::find_if(header->regions.begin(), header->regions.end(),
                                     [](const VendorRegion& region) { return region.inside; });
    if (inside == header->regions.end()) continue;
    Region region;
    region.name = inside->name;
    region.file_name = absl::StrCat(file.file_name, ":", inside->name);
    region.paddr = inside->paddr;
    region.vaddr = inside->vaddr;
    region.table_size = inside->size;
    region.bytes = WindowOf(file.bytes, inside->offset, inside->size);
    region.container = file.container.value_or(i);
    set->regions.push_back(std::move(region));
  }
}

// A co-processor's memory, at its own addresses.
void AddCoprocessorSegments(const RegionSet& set, CoreImage* image) {
  for (uint32_t i = 0; i < set.regions.size(); ++i) {
    const Region& region = set.regions[i];
    if (region.kind != RegionKind::kArtifact || !region.container || !region.table_size || !region.paddr)
      continue;
    Segment segment;
    segment.vaddr = segment.paddr = *region.paddr;
    segment.has_vaddr = segment.has_paddr = true;
    segment.size = *region.table_size;
    segment.available = std::min(segment.size, region.bytes->size());
    segment.region = i;
    segment.name = EscapeForTerminal(region.name);
    image->segments.push_back(std::move(segment));
  }
}

// A region of a co-processor's dump, or a file inside of a container.
RegionFacts FactsOfPiece(const Region& region) {
  RegionFacts facts;
  facts.received = region.bytes->size();
  facts.size = facts.received;
  facts.state = RegionState::kOpaque;
  if (!region.table_size) return facts;
  facts.vaddr = region.vaddr;
  facts.state = facts.received == 0                   ? RegionState::kMissing
                : facts.received < *region.table_size ? RegionState::kTruncated
                                                      : RegionState::kPresent;
  if (facts.received == 0) facts.size = *region.table_size;
  return facts;
}

// What became of each file that was received as a file.
void ListArtifacts(const Unpacked& unpacked, CoreImage* image) {
  for (uint32_t i = 0; i < unpacked.set.regions.size(); ++i) {
    const Region& region = unpacked.set.regions[i];
    const bool received = i < unpacked.formats.size();
    const bool known = received && unpacked.formats[i] != Format::kUnknown;
    if (region.bytes == nullptr || (region.kind != RegionKind::kArtifact && !known)) continue;
    RegionFacts facts = FactsOfPiece(region);
    facts.name = EscapeForTerminal(region.name);
    facts.file_name = EscapeForTerminal(region.file_name);
    facts.paddr = region.paddr;
    if (known) facts.state = RegionState::kContainer;
    facts.index = i;
    image->regions.push_back(std::move(facts));
  }
}

}  // namespace

Rebuilt Rebuild(const RegionSet& received, const DumpOpener* opener) {
  Unpacked unpacked = Unpack(received, opener);
  Rebuilt rebuilt;
  // Without memory there is nothing to place: a pstore record is no damaged region set.
  const bool memory = std::any_of(unpacked.set.regions.begin(), unpacked.set.regions.end(),
                                  [](const Region& region) { return region.kind == RegionKind::kMemory; });
  if (unpacked.dump) {
    rebuilt.image = ImageOf(*std::move(unpacked.dump), &unpacked.set);
  } else if (memory) {
    AddRegionsInHeaders(&unpacked.set);
    rebuilt.image = Reassemble(unpacked.set);
  } else {
    rebuilt.image = ImageOf({}, &unpacked.set);
    rebuilt.image.defects.clear();
    if (unpacked.source == SourceName(Format::kCoprocessor))
      AddCoprocessorSegments(unpacked.set, &rebuilt.image);
  }
  ListArtifacts(unpacked, &rebuilt.image);
  rebuilt.image.IndexSegments();
  // Of plain region files reassembly knows better: whose header they came with.
  const bool plain = unpacked.source == SourceName(Format::kAssembled);
  if (!plain || rebuilt.image.source.empty()) rebuilt.image.source = std::move(unpacked.source);
  rebuilt.image.texts = std::move(unpacked.texts);
  rebuilt.image.kinfos = std::move(unpacked.kinfos);
  rebuilt.image.defects.insert(rebuilt.image.defects.begin(),
                               std::make_move_iterator(unpacked.defects.begin()),
                               std::make_move_iterator(unpacked.defects.end()));
  rebuilt.set = std::move(unpacked.set);
  return rebuilt;
}

}  // namespace corefleet
