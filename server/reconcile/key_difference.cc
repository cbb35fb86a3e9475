#include "server/reconcile/key_difference.h"

#include <algorithm>

namespace corefleet {
namespace {

bool Overlap(const PackRef& a, const PackRef& b) {
  // What the index names was checked by nobody: a sum may run over.
  return a.offset < b.offset ? b.offset - a.offset < a.size : a.offset - b.offset < b.size;
}

bool Same(const PackRef& a, const PackRef& b) { return a.offset == b.offset && a.size == b.size; }

}  // namespace

KeyDifference Compare(const std::vector<PackStore::KeptPack>& kept, const std::vector<IndexedPack>& named) {
  KeyDifference difference;
  for (const IndexedPack& row : named) {
    // Both are in the order of their offsets.
    const auto it = std::lower_bound(kept.begin(), kept.end(), row.ref.offset,
                                     [](const auto& pack, uint64_t at) { return pack.ref.offset < at; });
    if (it == kept.end() || !Same(it->ref, row.ref)) difference.lost.push_back(row);
  }
  auto first = named.begin();
  for (const PackStore::KeptPack& pack : kept) {
    // A row that ends before this pack ends before all that follow; rows of one key do not nest.
    while (first != named.end() && first->ref.offset < pack.ref.offset && !Overlap(first->ref, pack.ref))
      ++first;
    const bool touched =
        first != named.end() && (Same(first->ref, pack.ref) || Overlap(first->ref, pack.ref));
    if (!touched) difference.orphans.push_back(pack);
  }
  return difference;
}

}  // namespace corefleet
