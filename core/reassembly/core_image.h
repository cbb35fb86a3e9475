#ifndef COREFLEET_CORE_REASSEMBLY_CORE_IMAGE_H_
#define COREFLEET_CORE_REASSEMBLY_CORE_IMAGE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "core/bytes/address_space.h"
#include "core/bytes/byte_source.h"
#include "core/crash/defect.h"
#include "core/crash/facts.h"
#include "core/crash/kernel_text.h"
#include "core/crash/kinfo.h"
#include "core/crash/region_set.h"
#include "core/kdump/dumped_memory.h"
#include "core/reassembly/exact_translation.h"
#include "core/vmcoreinfo/vmcoreinfo.h"

namespace corefleet {

// One stretch of the dead machine's memory: a program header, and the region that fills it.
struct Segment {
  uint64_t vaddr = 0;  // meaningful only if has_vaddr
  uint64_t paddr = 0;  // meaningful only if has_paddr
  bool has_vaddr = false;
  bool has_paddr = false;
  uint64_t size = 0;  // what the header (or the address table) says, in bytes
  uint64_t available =
      0;  // how many of them there are, from the start: min(size, bytes received); 0 when missing
  std::optional<uint32_t> region;  // index into RegionSet::regions
  std::optional<uint32_t> id;      // meminspect id, known or inferred
  std::string name;  // escaped; what to call it in a message: "Kprb_info", or the symbol it must be
};

// A dead kernel's memory, put together: the product of reassembly and the input of analysis and of every
// export.
//
// Holds views of the regions' ByteSources, so it is cheap to copy and to keep. Thread-safe once built.
class CoreImage final : public AddressSpace {
 public:
  // In program header order, or in address order when there is no header. Never overlaps checked away: two
  // segments may cover the same memory (meminspect's 8-byte marks inside other areas do).
  std::vector<Segment> segments;

  // Of the ELF header region; e_machine is 0 and has_header false without one.
  bool has_header = false;
  uint16_t e_machine = 0;  // EM_X86_64 62, EM_AARCH64 183, inferred from VMCOREINFO when there is no header
  uint32_t e_flags = 0;
  // Index into RegionSet::regions of the ELF header region and of the VMCOREINFO region.
  std::optional<uint32_t> header_region;
  std::optional<uint32_t> vmcoreinfo_region;
  // What the header says about its own layout, for the `concat` export: bytes before the first load, of which
  // the VMCOREINFO descriptor are the last `vmcoreinfo_size`. 0 without a header.
  uint64_t header_size = 0;
  uint64_t vmcoreinfo_size = 0;
  std::string
      command_line;  // NT_PRPSINFO's psargs (cut by the kernel at 79 bytes); raw bytes; "" if not readable

  Vmcoreinfo vmcoreinfo;
  std::string source;  // SourceName's word (core/unpack/pieces.h); "" when nobody unpacked it
  // Log that came as text, the best first.
  std::vector<KernelText> texts;
  // Debug Kinfo areas that came with it, the most plausible first.
  std::vector<Kinfo> kinfos;
  // A kdump's memory, asked where no segment has the address; null for everything else.
  std::shared_ptr<const DumpedMemory> memory;
  // The crash came as one whole dump file: the bytes of it (unflattened), and null for everything else.
  // `core` gives an ELF one back as it is.
  std::shared_ptr<const ByteSource> dump_file;
  bool dump_is_elf = false;
  // What a dump's own header says, where VMCOREINFO may not: "" when there is none. Escaped.
  std::string dump_release, dump_version, dump_machine;
  uint32_t prstatus_count = 0;  // NT_PRSTATUS notes: one a CPU that was saved
  std::string series;  // "meminspect v1", "meminspect v2", "meminspect v3", or "" when it cannot be told

  // Every region received and every one missing, for the region table. sha256 is left empty here.
  std::vector<RegionFacts> regions;
  std::vector<Defect> defects;

  // Keeps the bytes alive; the same order as the RegionSet that was reassembled.
  std::vector<std::shared_ptr<const ByteSource>> sources;

  // AddressSpace. A read may run over several segments that touch. Where segments overlap, the first one
  // listed that has the byte answers. Where no segment has the address, `memory` is asked; without one, an
  // address in the kernel image or in the linear map is looked for by the physical address that it means, if
  // that is certain (ExactTranslation).
  absl::Status ReadVirtual(uint64_t vaddr, absl::Span<uint8_t> out) const override;
  uint64_t ReadableFrom(uint64_t vaddr, uint64_t want) const override;
  uint64_t MissingFrom(uint64_t vaddr, uint64_t want) const override;
  Endian endian() const override { return Endian::kLittle; }
  uint32_t word_size() const override { return 8; }

  // The same by physical address. NOT_FOUND when some byte is not in the image.
  absl::Status ReadPhysical(uint64_t paddr, absl::Span<uint8_t> out) const;

  // Builds the search order behind the reads from `segments`, `vmcoreinfo` and `e_machine`. Whoever fills or
  // changes those calls it once when done (Reassemble has); before that the image has no memory.
  void IndexSegments();

  // Bytes [first, last] of an address space that `segment` answers for.
  struct Extent {
    uint64_t first;
    uint64_t last;
    uint32_t segment;
  };
  // All the memory there is, disjoint and ascending. Empty before IndexSegments.
  const std::vector<Extent>& virtual_extents() const { return by_vaddr_; }
  const std::vector<Extent>& physical_extents() const { return by_paddr_; }

 private:
  enum class Axis { kVirtual, kPhysical };

  // Bytes that lie behind one another in a region.
  struct Run {
    uint32_t region = 0;
    uint64_t offset = 0;
    uint64_t length = 0;
  };

  uint64_t StartOf(const Segment& segment, Axis axis) const;
  const std::vector<Extent>& IndexOf(Axis axis) const {
    return axis == Axis::kVirtual ? by_vaddr_ : by_paddr_;
  }
  // How many addresses there are from `address` on before the next extent's; 0 inside of one, and at most
  // UINT64_MAX.
  uint64_t GapAt(Axis axis, uint64_t address) const;
  std::vector<Extent> BuildIndex(Axis axis) const;
  // What is at `address`, at most `want` bytes of it; nullopt when nothing is.
  std::optional<Run> RunAt(Axis axis, uint64_t address, uint64_t want) const;
  // The same by virtual address, through the physical one where no segment has it.
  std::optional<Run> RunAtVirtual(uint64_t vaddr, uint64_t want) const;
  std::optional<Run> RunByTranslation(uint64_t vaddr, uint64_t want) const;
  template <typename Find>
  absl::Status Read(uint64_t address, absl::Span<uint8_t> out, Find find) const;

  ExactTranslation translation_;
  std::vector<Extent> by_vaddr_;
  std::vector<Extent> by_paddr_;
};

}  // namespace corefleet

#endif  // COREFLEET_CORE_REASSEMBLY_CORE_IMAGE_H_
