#include "core/rebuild.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/bytes/escape.h"
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

// What became of each file that was received as a file.
void ListArtifacts(const Unpacked& unpacked, CoreImage* image) {
  for (uint32_t i = 0; i < unpacked.set.regions.size(); ++i) {
    const Region& region = unpacked.set.regions[i];
    const bool received = i < unpacked.formats.size();
    const bool known = received && unpacked.formats[i] != Format::kUnknown;
    if (region.bytes == nullptr || (region.kind != RegionKind::kArtifact && !known)) continue;
    RegionFacts facts;
    facts.name = EscapeForTerminal(region.name);
    facts.file_name = EscapeForTerminal(region.file_name);
    facts.paddr = region.paddr;
    facts.size = facts.received = region.bytes->size();
    facts.state = known ? RegionState::kContainer : RegionState::kOpaque;
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
    rebuilt.image = Reassemble(unpacked.set);
  } else {
    rebuilt.image = ImageOf({}, &unpacked.set);
    rebuilt.image.defects.clear();
  }
  ListArtifacts(unpacked, &rebuilt.image);
  rebuilt.image.IndexSegments();
  rebuilt.image.source = std::move(unpacked.source);
  rebuilt.image.texts = std::move(unpacked.texts);
  rebuilt.image.kinfos = std::move(unpacked.kinfos);
  rebuilt.image.defects.insert(rebuilt.image.defects.begin(),
                               std::make_move_iterator(unpacked.defects.begin()),
                               std::make_move_iterator(unpacked.defects.end()));
  rebuilt.set = std::move(unpacked.set);
  return rebuilt;
}

}  // namespace corefleet
