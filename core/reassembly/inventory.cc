#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/bytes/escape.h"
#include "core/digest/digest.h"
#include "core/meminspect/names.h"
#include "core/meminspect/region_ids.h"
#include "core/minidump/tables.h"
#include "core/reassembly/piece.h"

namespace corefleet {
namespace {

// What tells a table's form: no row is so long.
constexpr uint64_t kTableHeadBytes = 64 * 1024;

// What a row and the file that was made of it have in common: the firmware names the file `md_`, name,
// number, and where the one ends and the other begins cannot be told from the file. Lower case, because tools
// differ.
std::string JoinKey(absl::string_view name, std::optional<uint32_t> id) {
  return absl::AsciiStrToLower(absl::StrCat("md_", name, id && *id != 0 ? absl::StrCat(*id) : ""));
}

// The same of a file's name, with or without folder and `.BIN`.
std::string JoinKeyOfFile(absl::string_view file_name) {
  if (const size_t slash = file_name.find_last_of("/\\"); slash != absl::string_view::npos) {
    file_name.remove_prefix(slash + 1);
  }
  if (absl::EndsWithIgnoreCase(file_name, ".bin")) file_name.remove_suffix(4);
  return absl::AsciiStrToLower(file_name);
}

std::string JoinKeyOf(const AddressRow& row) {
  return row.file_name.empty() ? JoinKey(row.name, row.id) : JoinKeyOfFile(row.file_name);
}

// The driver's own spelling, if it is its name: file systems and tools change the case, and what a name tells
// about the kernel must not depend on that.
std::string SpeltAsDriver(std::string name, std::optional<uint32_t> id) {
  if (!id) return name;
  for (const MeminspectSeries series : {MeminspectSeries::kV1, MeminspectSeries::kV3}) {
    const absl::string_view driver_name = DriverNameOfId(series, *id);
    if (absl::EqualsIgnoreCase(name, driver_name)) return std::string(driver_name);
  }
  return name;
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
  piece.name = SpeltAsDriver(std::move(piece.name), piece.id);
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

struct ReceivedTable {
  TableForm form;
  std::vector<uint8_t> bytes;

  bool operator<(const ReceivedTable& other) const {
    return std::tie(form, bytes) < std::tie(other.form, other.bytes);
  }
  bool operator==(const ReceivedTable& other) const { return form == other.form && bytes == other.bytes; }
};

// Every table once, the form that says most first, equal ones in the order of their bytes: the order of
// arrival must mean nothing.
std::vector<ReceivedTable> ListTables(const RegionSet& set) {
  std::vector<ReceivedTable> tables;
  for (const Region& region : set.regions) {
    if (region.kind != RegionKind::kAddressTable || region.bytes == nullptr) continue;
    const uint64_t size = region.bytes->size();
    auto bytes = ReadBytes(*region.bytes, 0, std::min<uint64_t>(size, kMaxTableBytes));
    if (!bytes.ok()) continue;
    TableForm form = RecogniseTable(region.file_name, ByteView(*bytes).subspan(0, kTableHeadBytes), size);
    // Whoever sent it as a table meant the firmware's own.
    if (form == TableForm::kNone) form = TableForm::kRegionRows;
    tables.push_back({form, *std::move(bytes)});
  }
  std::sort(tables.begin(), tables.end());
  tables.erase(std::unique(tables.begin(), tables.end()), tables.end());
  return tables;
}

// Adds the rows of one table after another to what the tables before it said.
class RowMerger {
 public:
  RowMerger(Inventory* inventory, std::vector<Defect>* defects)
      : rows_(inventory->rows), defects_(*defects) {}

  void Add(const ReceivedTable& received) {
    AddressTable table = ParseAnyTable(received.form, received.bytes);
    const size_t all = table.rows.size();
    size_t valid = 0, contradicting = 0;
    std::string example;
    std::vector<AddressRow> fresh;
    for (AddressRow& row : table.rows) {
      if (!row.valid || rows_.size() + fresh.size() >= kMaxAddressRows) continue;
      ++valid;
      const Verdict verdict = Compare(row);
      if (verdict == Verdict::kNew) fresh.push_back(std::move(row));
      if (verdict != Verdict::kContradicted) continue;
      if (contradicting++ == 0) example = RegionLabel(row.name, row.id == 0 ? std::nullopt : Id(row.id));
    }
    for (AddressRow& row : fresh) {
      by_key_[JoinKeyOf(row)].push_back(rows_.size());
      rows_.push_back(std::move(row));
    }
    if (table.damaged || valid < all || valid == 0) ReportDamage(received, valid, all);
    if (contradicting != 0) ReportContradiction(received, contradicting, valid, example);
  }

 private:
  enum class Verdict { kNew, kSaidBefore, kContradicted };
  using Id = std::optional<uint32_t>;

  // Against the rows of other tables; two rows of one name in one table are JoinRows' business.
  Verdict Compare(const AddressRow& row) {
    const auto found = by_key_.find(JoinKeyOf(row));
    if (found == by_key_.end()) return Verdict::kNew;
    for (const size_t index : found->second) {
      AddressRow& before = rows_[index];
      const bool same_size = row.size == before.size || row.size == 0 || before.size == 0;
      if (row.paddr != before.paddr || !same_size) continue;
      if (before.size == 0) before.size = row.size;
      return Verdict::kSaidBefore;
    }
    return Verdict::kContradicted;
  }

  void ReportDamage(const ReceivedTable& received, size_t valid, size_t all) {
    defects_.push_back({DefectCode::kAddressTableDamaged, "",
                        absl::StrCat(TableFormWords(received.form), " of ", received.bytes.size(),
                                     " bytes is damaged: it has ", valid, " valid rows of ", all,
                                     ", the rest is not used")});
  }

  void ReportContradiction(const ReceivedTable& received, size_t contradicting, size_t valid,
                           const std::string& example) {
    defects_.push_back(
        {DefectCode::kAddressTableDamaged, example,
         absl::StrCat(contradicting, " of the ", valid, " rows of ", TableFormWords(received.form),
                      " say something else than another table that came with it, which is "
                      "believed")});
  }

  std::vector<AddressRow>& rows_;
  std::vector<Defect>& defects_;
  std::map<std::string, std::vector<size_t>> by_key_;
};

void ReadTables(const RegionSet& set, Inventory* inventory, std::vector<Defect>* defects) {
  RowMerger merger(inventory, defects);
  for (const ReceivedTable& table : ListTables(set)) merger.Add(table);
}

// What the piece's file can be called in a table, the surest first.
std::vector<std::string> JoinKeysOf(const RegionSet& set, const Piece& piece) {
  const std::string& file_name = set.regions[piece.region].file_name;
  std::vector<std::string> keys = {JoinKeyOfFile(file_name)};
  // The kernel's own table does not know the virtual machine's number in a file's name.
  const std::optional<RegionFileName> parsed = ParseRegionFileName(file_name);
  keys.push_back(parsed ? JoinKey(parsed->name, parsed->id) : JoinKey(piece.name, piece.id));
  return keys;
}

using RowsByKey = std::map<std::string, std::vector<const AddressRow*>>;

// The row that speaks of a piece; nullptr without one, or if several do and disagree.
const AddressRow* RowOf(const std::vector<std::string>& keys, const RowsByKey& by_key, const Piece& piece,
                        std::vector<Defect>* defects) {
  for (const std::string& key : keys) {
    const auto rows = by_key.find(key);
    if (rows == by_key.end()) continue;
    const AddressRow* match = rows->second.front();
    for (const AddressRow* row : rows->second) {
      if (row->size == piece.size) match = row;
    }
    const bool unique = std::all_of(rows->second.begin(), rows->second.end(), [match](const AddressRow* row) {
      return row == match || row->size != match->size || row->paddr == match->paddr;
    });
    if (unique) return match;
    defects->push_back({DefectCode::kAddressTableDamaged, piece.label,
                        "the address table has several rows of this name and size; none is used"});
    return nullptr;
  }
  return nullptr;
}

// The tools' tables list what other processors left as well. A row of that without a file is no region that
// this kernel misses.
void DropForeignRows(const std::set<const AddressRow*>& used, std::vector<AddressRow>* rows) {
  std::vector<AddressRow> kept;
  for (AddressRow& row : *rows) {
    const bool foreign = !row.file_name.empty() && !ParseRegionFileName(row.file_name);
    if (!foreign || used.count(&row) != 0) kept.push_back(std::move(row));
  }
  *rows = std::move(kept);
}

void JoinRows(const RegionSet& set, Inventory* inventory, std::vector<Defect>* defects) {
  RowsByKey by_key;
  for (const AddressRow& row : inventory->rows) by_key[JoinKeyOf(row)].push_back(&row);
  std::set<const AddressRow*> used;
  for (Piece& piece : inventory->pieces) {
    if (piece.paddr) continue;
    const AddressRow* row = RowOf(JoinKeysOf(set, piece), by_key, piece, defects);
    if (row == nullptr) continue;
    used.insert(row);
    piece.paddr = row->paddr;
    if (row->size != 0) piece.table_size = row->size;
  }
  DropForeignRows(used, &inventory->rows);
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
