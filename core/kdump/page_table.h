#ifndef COREFLEET_CORE_KDUMP_PAGE_TABLE_H_
#define COREFLEET_CORE_KDUMP_PAGE_TABLE_H_

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "core/kdump/dumped_memory.h"
#include "core/kdump/translation.h"
#include "core/vmcoreinfo/vmcoreinfo.h"

namespace corefleet {

// Where a dead kernel's own page table puts an address.
struct MappedPage {
  uint64_t paddr = 0;  // of the address itself
  uint64_t rest = 0;   // bytes from it to its page's end, at least 1: as far as the answer holds
};

// The kernel's page table, walked in the dump: x86-64 with 4 and 5 levels, arm64 with pages of 4, 16 and 64
// KiB and up to 52 bits. What is mapped by it is exact, vmalloc memory included. An immutable value.
//
// Sources: Intel SDM volume 3, chapter 4; Arm ARM, chapter D8.
class PageTable {
 public:
  // `translation` finds the root, which is in the kernel image. nullopt where the machine's tables are not
  // known, or VMCOREINFO does not say enough.
  static std::optional<PageTable> Of(uint16_t machine, const Vmcoreinfo& info,
                                     const Translation& translation);

  //   NOT_FOUND    nothing is mapped there
  //   OUT_OF_RANGE a page of the table was not dumped, or has bits that no table has
  //   other codes  ReadPhysical's
  absl::StatusOr<MappedPage> Walk(uint64_t vaddr, const PhysicalMemory& memory) const;

 private:
  enum class Form { kX86_64, kArm64 };

  uint64_t NextTable(uint64_t entry) const;

  Form form_ = Form::kX86_64;
  uint64_t root_ = 0;         // physical address
  uint32_t page_shift_ = 12;  // of the smallest page
  uint32_t levels_ = 4;
  uint32_t va_bits_ = 48;
  uint64_t encryption_ = 0;      // bits of an entry that say "encrypted"
  bool wide_addresses_ = false;  // arm64: 52-bit addresses with pages of 4 or 16 KiB
};

}  // namespace corefleet

#endif  // COREFLEET_CORE_KDUMP_PAGE_TABLE_H_
