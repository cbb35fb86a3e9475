#ifndef COREFLEET_CORE_REASSEMBLY_PIECE_H_
#define COREFLEET_CORE_REASSEMBLY_PIECE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/bytes/byte_source.h"
#include "core/crash/defect.h"
#include "core/crash/region_set.h"
#include "core/minidump/address_table.h"

namespace corefleet {

// One memory region as reassembly looks at it: the bytes, and what names and tables say about them.
struct Piece {
  uint32_t region = 0;  // index into RegionSet::regions
  std::shared_ptr<const ByteSource> bytes;
  uint64_t size = 0;  // bytes received
  std::string name;   // untrusted: "Kprb_info"
  std::optional<uint32_t> id;
  std::optional<uint64_t> paddr;       // from the region itself, or from the address table's row of that name
  std::optional<uint64_t> table_size;  // the size that belongs to it
  // The first bytes, for looking at content: at most kHeadBytes, fewer when there are fewer or they cannot be
  // read.
  std::vector<uint8_t> head;

  // "Kprb_info 24", escaped; the file's name when there is no better.
  std::string label;
};

inline constexpr size_t kHeadBytes = 512;

// The driver registers regions in whole words of four bytes.
inline uint64_t RoundUp4(uint64_t size) { return size > UINT64_MAX - 3 ? size : (size + 3) & ~uint64_t{3}; }

// A place in the dead machine's memory that a region can fill.
struct Slot {
  uint64_t vaddr = 0;
  uint64_t paddr = 0;
  bool has_vaddr = false;
  bool has_paddr = false;
  uint64_t size = 0;   // bytes; 0 is a program header that lost its region
  bool usable = true;  // false: its addresses leave 64 bits. Stands only for its place in the sequence
  std::optional<uint32_t> id;     // which region it must be, if that could be told
  std::string row_name;           // what the address table calls it, when it comes from there
  std::string inferred;           // how the place was found, when nobody said it; "" otherwise
  std::optional<size_t> made_of;  // the piece whose content told the place

  bool can_be_filled() const { return usable && size != 0; }
};

struct Inventory {
  // In canonical order: by id, name, file name, address, size, content. So equal sets give equal results in
  // whatever order they arrive.
  std::vector<Piece> pieces;
  // The valid rows of every address table, in the tables' own order.
  std::vector<AddressRow> rows;
};

// Lists the set's regions (at most kMaxRegions) and joins them with its address tables by name and id.
Inventory TakeInventory(const RegionSet& set, std::vector<Defect>* defects);

// "Kprb_info 24", escaped.
std::string RegionLabel(const std::string& name, std::optional<uint32_t> id);

}  // namespace corefleet

#endif  // COREFLEET_CORE_REASSEMBLY_PIECE_H_
