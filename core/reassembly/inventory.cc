#include <algorithm>
#include <map>
#include <tuple>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "core/bytes/escape.h"
#include "core/digest/digest.h"
#include "core/meminspect/names.h"
#include "core/reassembly/piece.h"

namespace corefleet {
namespace {

constexpr uint64_t kMaxTableBytes = kMaxAddressRows * kAddressRowBytes;

// What a row and the file that was made of it have in common: the firmware names the file name + number, and
// where the one ends and the other begins cannot be told from the file. Lower case, because tools differ.
std::string JoinKey(absl::string_view name, std::optional<uint32_t> id) {
  return absl::AsciiStrToLower(absl::StrCat(name, id && *id != 0 ? absl::StrCat(*id) : ""));
}

Piece MakePiece(const Region& region, uint32_t index) {
  Piece piece;
  piece.region = index;
  piece.bytes = region.bytes;
  piece.size = region.bytes->size();
  piece.name = region.name;
  piece.id = region.id;
  piece.paddr = region.paddr;
  piece.table_size = region.table_size;
  if (piece.name.empty()) {
    if (std::optional<RegionFileName> parsed = ParseRegionFileName(region.file_name)) {
      piece.name = parsed->name;
      if (!piece.id) piece.id = parsed->id;
    }
  }
  absl::StatusOr<std::vector<uint8_t>> head =
      ReadBytes(*piece.bytes, 0, std::min<uint64_t>(piece.size, kHeadBytes));
  if (head.ok()) piece.head = *std::move(head);
  piece.label = piece.name.empty() ? EscapeForTerminal(region.file_name) : RegionLabel(piece.name, piece.id);
  if (piece.label.empty()) piece.label = absl::StrCat("an unnamed region of ", piece.size, " bytes");
  return piece;
}

// Regions that agree in every hint are told apart by their bytes, so that the order of arrival never matters.
void SortCanonically(const RegionSet& set, std::vector<Piece>* pieces) {
  auto key = [&set](const Piece& p) {
    const Region& region = set.regions[p.region];
    return std::make_tuple(p.id.value_or(UINT32_MAX), p.name, region.file_name, p.paddr.value_or(UINT64_MAX),
                           p.table_size.value_or(UINT64_MAX), p.size);
  };
  std::map<uint32_t, Sha256Digest> digests;
  auto digest = [&digests](const Piece& p) {
    auto found = digests.find(p.region);
    if (found != digests.end()) return found->second;
    return digests[p.region] = Sha256Of(*p.bytes).value_or(Sha256Digest{});
  };
  std::sort(pieces->begin(), pieces->end(), [&](const Piece& a, const Piece& b) {
    const auto key_a = key(a), key_b = key(b);
    if (key_a != key_b) return key_a < key_b;
    return a.region != b.region && digest(a) < digest(b);
  });
}

void ReadTables(const RegionSet& set, Inventory* inventory, std::vector<Defect>* defects) {
  // Several tables are read in the order of their bytes, again to be independent of the order of arrival.
  std::vector<std::vector<uint8_t>> tables;
  for (const Region& region : set.regions) {
    if (region.kind != RegionKind::kAddressTable) continue;
    absl::StatusOr<std::vector<uint8_t>> bytes =
        ReadBytes(*region.bytes, 0, std::min(region.bytes->size(), kMaxTableBytes + 1));
    if (bytes.ok()) tables.push_back(*std::move(bytes));
  }
  std::sort(tables.begin(), tables.end());
  for (const std::vector<uint8_t>& bytes : tables) {
    const AddressTable table = ParseAddressTable(bytes);
    size_t valid = 0;
    for (const AddressRow& row : table.rows) {
      if (!row.valid || inventory->rows.size() >= kMaxAddressRows) continue;
      ++valid;
      inventory->rows.push_back(row);
    }
    if (table.damaged || valid < table.rows.size() || valid == 0) {
      defects->push_back({DefectCode::kAddressTableDamaged, "",
                          absl::StrCat("the address table of ", bytes.size(), " bytes has ", valid,
                                       " valid rows of ", table.rows.size(), ", the rest is not used")});
    }
  }
}

void JoinRows(const RegionSet& set, Inventory* inventory, std::vector<Defect>* defects) {
  std::map<std::string, std::vector<const AddressRow*>> by_key;
  for (const AddressRow& row : inventory->rows) by_key[JoinKey(row.name, row.id)].push_back(&row);
  for (Piece& piece : inventory->pieces) {
    if (piece.paddr) continue;
    const std::optional<RegionFileName> parsed = ParseRegionFileName(set.regions[piece.region].file_name);
    auto rows = by_key.find(parsed ? JoinKey(parsed->name, parsed->id) : JoinKey(piece.name, piece.id));
    if (rows == by_key.end()) continue;
    const AddressRow* match = rows->second.front();
    for (const AddressRow* row : rows->second) {
      if (row->size == piece.size) match = row;
    }
    const bool unique = std::all_of(rows->second.begin(), rows->second.end(), [match](const AddressRow* row) {
      return row == match || row->size != match->size || row->paddr == match->paddr;
    });
    if (!unique) {
      defects->push_back({DefectCode::kAddressTableDamaged, piece.label,
                          "the address table has several rows of this name and size; none is used"});
      continue;
    }
    piece.paddr = match->paddr;
    piece.table_size = match->size;
  }
}

}  // namespace

std::string RegionLabel(const std::string& name, std::optional<uint32_t> id) {
  return EscapeForTerminal(id ? absl::StrCat(name, " ", *id) : name);
}

Inventory TakeInventory(const RegionSet& set, std::vector<Defect>* defects) {
  Inventory inventory;
  for (size_t i = 0; i < set.regions.size(); ++i) {
    if (set.regions[i].kind != RegionKind::kMemory || set.regions[i].bytes == nullptr) continue;
    inventory.pieces.push_back(MakePiece(set.regions[i], static_cast<uint32_t>(i)));
  }
  SortCanonically(set, &inventory.pieces);
  if (inventory.pieces.size() > kMaxRegions) {
    defects->push_back({DefectCode::kRegionUnplaced, "",
                        absl::StrCat(inventory.pieces.size() - kMaxRegions, " of ", inventory.pieces.size(),
                                     " regions were not looked at: no kernel has so many")});
    inventory.pieces.resize(kMaxRegions);
  }
  ReadTables(set, &inventory, defects);
  JoinRows(set, &inventory, defects);
  return inventory;
}

}  // namespace corefleet
