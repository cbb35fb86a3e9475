#ifndef COREFLEET_CORE_PRINTK_SPARSE_BYTES_H_
#define COREFLEET_CORE_PRINTK_SPARSE_BYTES_H_

#include <cstdint>
#include <vector>

#include "core/bytes/address_space.h"
#include "core/bytes/byte_source.h"
#include "core/bytes/byte_view.h"

namespace corefleet {

// A copy of one array of the dead kernel, with the holes that the image has in it. A piece that is missing
// costs only what lies in it. Memory used is what the image has of the array, never what the array claims to
// be.
class SparseBytes {
 public:
  // An array of no bytes.
  SparseBytes() = default;

  // [vaddr, vaddr + size) of `space`. Finds every piece that starts on a multiple of 8 bytes into the array
  // as long as the array is under 2 MiB; in larger ones it looks for the end of a hole in coarser steps, so
  // that the work stays bounded for a size that lies.
  static SparseBytes ReadVirtual(const AddressSpace& space, uint64_t vaddr, uint64_t size);
  // The first `size` bytes of `source`, or what it has of them.
  static SparseBytes ReadSource(const ByteSource& source, uint64_t size);

  // Bytes the array should have, and how many of them there are.
  uint64_t size() const { return size_; }
  uint64_t available() const { return available_; }

  // Up to `length` bytes at `offset`, shorter where a hole or the end begins; empty when the first byte is
  // missing.
  ByteView Prefix(uint64_t offset, uint64_t length) const;
  // All `length` bytes at `offset`, or an empty view.
  ByteView Whole(uint64_t offset, uint64_t length) const;
  // The first offset, not below `offset`, whose byte is there; size() when there is none.
  uint64_t NextAvailable(uint64_t offset) const;

  struct Extent {
    uint64_t offset;
    std::vector<uint8_t> bytes;
  };
  // Ascending, disjoint.
  const std::vector<Extent>& extents() const { return extents_; }

 private:
  void Add(uint64_t offset, std::vector<uint8_t> bytes);
  // The last extent that starts at or before `offset`, or the end.
  std::vector<Extent>::const_iterator ExtentAt(uint64_t offset) const;

  uint64_t size_ = 0;
  uint64_t available_ = 0;
  std::vector<Extent> extents_;
};

}  // namespace corefleet

#endif  // COREFLEET_CORE_PRINTK_SPARSE_BYTES_H_
