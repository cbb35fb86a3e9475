#ifndef COREFLEET_CORE_KDUMP_EXTENT_MAP_H_
#define COREFLEET_CORE_KDUMP_EXTENT_MAP_H_

#include <cstdint>
#include <vector>

namespace corefleet {

// Which stretch of a file answers for which addresses, where stretches may lie over each other. Immutable.
class ExtentMap {
 public:
  struct Extent {
    uint64_t start = 0;  // address of its first byte
    uint64_t size = 0;   // bytes
    uint64_t at = 0;     // offset of its first byte in the file

    uint64_t end() const { return start + size; }
  };

  ExtentMap() = default;
  // Where `extents` overlap the later one answers. Those that are empty or leave 64 bits, by address or by
  // offset, are left out. Time n log n, memory proportional to n.
  explicit ExtentMap(std::vector<Extent> extents);

  // The one that has `address`; null when none has.
  const Extent* Find(uint64_t address) const;
  // How many bytes from `address` on are there without a hole, at most `want`.
  uint64_t RunFrom(uint64_t address, uint64_t want) const;

  // Disjoint, ascending.
  const std::vector<Extent>& extents() const { return extents_; }

 private:
  std::vector<Extent> extents_;
};

}  // namespace corefleet

#endif  // COREFLEET_CORE_KDUMP_EXTENT_MAP_H_
