#ifndef COREFLEET_TESTS_SUPPORT_REGION_SET_BUILDER_H_
#define COREFLEET_TESTS_SUPPORT_REGION_SET_BUILDER_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/crash/region_set.h"
#include "core/elf/elf_header.h"
#include "core/meminspect/region_ids.h"

namespace corefleet {

// A made-up arm64 kernel's region set, laid out as meminspect lays it out, for tests that need one thing to
// be wrong.
//
//   RegionSet set = RegionSetBuilder(MeminspectSeries::kV1).Dynamic(100).Build();
//
// Change `regions` before Build to change memory and program headers alike; use the hooks to make them
// disagree.
class RegionSetBuilder {
 public:
  struct Planned {
    uint32_t id = 0;
    std::string name;  // as the driver calls it
    uint64_t vaddr = 0;
    uint64_t paddr = 0;
    std::vector<uint8_t> bytes;
    bool has_file = true;
    bool has_load = true;
  };

  // All regions that a kernel of the series always has. Every region's bytes are its own, but where content
  // is known (banner, utsname, prb and its ring).
  explicit RegionSetBuilder(MeminspectSeries series);

  // Adds a run-time registration of that size, with the next free dynamic id.
  RegionSetBuilder& Dynamic(uint64_t size);
  // The planned region with an id; the test dies if there is none.
  Planned& Find(uint32_t id);

  // Called on the finished pieces, before they become a set.
  std::function<void(ElfHeader*)> edit_header;
  std::function<void(std::vector<ProgramHeader>*)> edit_loads;  // the PT_NOTE is first
  std::function<void(std::vector<uint8_t>*)> edit_header_bytes;

  // Regions 1 and 2, then the others. With a table, minidump_toc.bin as the firmware saves it.
  RegionSet Build(bool with_table = false) const;

  std::vector<Planned> regions;
  std::string vmcoreinfo;
  std::string command_line = "console=ttyMSM0 root=/dev/sda";

 private:
  std::vector<uint8_t> HeaderBytes() const;
  std::vector<uint8_t> TableBytes(uint64_t header_size) const;
  Planned& FindSymbol(absl::string_view symbol);

  MeminspectSeries series_;
  uint32_t next_dynamic_;
  uint64_t next_linear_ = 0x90000000;
};

}  // namespace corefleet

#endif  // COREFLEET_TESTS_SUPPORT_REGION_SET_BUILDER_H_
