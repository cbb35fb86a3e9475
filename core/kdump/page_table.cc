#include "core/kdump/page_table.h"

#include <array>

#include "absl/strings/str_cat.h"
#include "core/bytes/byte_reader.h"
#include "core/elf/elf_header.h"

namespace corefleet {
namespace {

constexpr uint64_t kEntryBytes = 8;
constexpr uint64_t kX86Present = 1;
constexpr uint64_t kX86Large = 1 << 7;
constexpr uint64_t kArmValid = 1;
constexpr uint64_t kArmTable = 2;  // at the last level: a page

// Bits [low, high) of an integer.
constexpr uint64_t Bits(uint32_t low, uint32_t high) {
  const uint64_t below_high = high >= 64 ? UINT64_MAX : (uint64_t{1} << high) - 1;
  return below_high & ~((uint64_t{1} << low) - 1);
}

std::optional<uint32_t> PageShift(const Vmcoreinfo& info) {
  const auto size = info.Text("PAGESIZE");
  if (size == absl::string_view("4096")) return 12;
  if (size == absl::string_view("16384")) return 14;
  if (size == absl::string_view("65536")) return 16;
  return std::nullopt;
}

// Where the address of the last table lies: init_top_pgt is what x86-64 calls swapper_pg_dir since 4.14.
std::optional<uint64_t> Root(const Vmcoreinfo& info, const Translation& translation) {
  std::optional<uint64_t> symbol = info.Symbol("swapper_pg_dir");
  if (!symbol) symbol = info.Symbol("init_top_pgt");
  return symbol ? translation.ToPhysical(*symbol) : std::nullopt;
}

absl::StatusOr<uint64_t> ReadEntry(const PhysicalMemory& memory, uint64_t paddr) {
  std::array<uint8_t, kEntryBytes> bytes;
  const absl::Status status = memory.ReadPhysical(paddr, absl::MakeSpan(bytes));
  if (absl::IsNotFound(status)) {
    return absl::OutOfRangeError(absl::StrCat("the page table at 0x", absl::Hex(paddr), " was not dumped"));
  }
  if (!status.ok()) return status;
  return LoadInteger(bytes, kEntryBytes, Endian::kLittle);
}

}  // namespace

std::optional<PageTable> PageTable::Of(uint16_t machine, const Vmcoreinfo& info,
                                       const Translation& translation) {
  const std::optional<uint64_t> root = Root(info, translation);
  const std::optional<uint32_t> page_shift = PageShift(info);
  if (!root || !page_shift) return std::nullopt;
  PageTable table;
  table.root_ = *root & ~uint64_t{0xfff};
  table.page_shift_ = *page_shift;
  if (machine == kElfMachineX86_64) {
    if (*page_shift != 12) return std::nullopt;
    table.levels_ = info.Number("pgtable_l5_enabled").value_or(0) != 0 ? 5 : 4;
    table.va_bits_ = 12 + 9 * table.levels_;
    table.encryption_ = info.Number("sme_mask").value_or(0);
    return table;
  }
  if (machine != kElfMachineAarch64) return std::nullopt;
  table.form_ = Form::kArm64;
  const uint64_t compiled = info.Number("VA_BITS").value_or(0);
  const uint64_t unused = info.Number("TCR_EL1_T1SZ").value_or(64 - compiled);
  if (compiled < 36 || compiled > 52 || unused < 12 || unused > 28) return std::nullopt;
  const uint64_t used = 64 - unused;
  // A 52-bit kernel with pages of 64 KiB keeps its large top table where there are only 48 bits, and lets the
  // hardware use its end; with smaller pages it folds the top level away.
  table.va_bits_ = static_cast<uint32_t>(*page_shift == 16 ? compiled : used);
  table.wide_addresses_ = *page_shift != 16 && used == 52;
  const uint32_t per_level = *page_shift - 3;
  table.levels_ = (table.va_bits_ - *page_shift + per_level - 1) / per_level;
  return table;
}

uint64_t PageTable::NextTable(uint64_t entry) const {
  if (form_ == Form::kX86_64) return entry & Bits(12, 52) & ~encryption_;
  // What does not fit below bit 48 is kept in low bits that an aligned address does not need.
  if (page_shift_ == 16) return (entry & Bits(16, 48)) | ((entry & Bits(12, 16)) << 36);
  if (wide_addresses_) return (entry & Bits(page_shift_, 50)) | ((entry & Bits(8, 10)) << 42);
  return entry & Bits(page_shift_, 48);
}

absl::StatusOr<MappedPage> PageTable::Walk(uint64_t vaddr, const PhysicalMemory& memory) const {
  // The kernel's half: all bits that the table does not look at are ones; on x86-64 the highest that it does
  // look at is one too.
  const uint32_t ones_from = form_ == Form::kX86_64 ? va_bits_ - 1 : va_bits_;
  if ((vaddr >> ones_from) != (UINT64_MAX >> ones_from)) return absl::NotFoundError("no kernel address");
  const uint32_t per_level = page_shift_ - 3;
  uint64_t table = root_;
  for (uint32_t level = levels_; level-- > 0;) {
    const uint32_t shift = page_shift_ + per_level * level;
    const uint32_t top = level + 1 == levels_ ? va_bits_ : shift + per_level;
    const uint64_t index = (vaddr & Bits(shift, top)) >> shift;
    const absl::StatusOr<uint64_t> entry = ReadEntry(memory, table + index * kEntryBytes);
    if (!entry.ok()) return entry.status();
    const bool x86 = form_ == Form::kX86_64;
    if ((*entry & (x86 ? kX86Present : kArmValid)) == 0) {
      return absl::NotFoundError(absl::StrCat("virtual address 0x", absl::Hex(vaddr), " is not mapped"));
    }
    const bool leaf = level == 0 || (x86 ? (*entry & kX86Large) != 0 : (*entry & kArmTable) == 0);
    if (level == 0 && !x86 && (*entry & kArmTable) == 0)
      return absl::OutOfRangeError("no page in a page table");
    if (leaf && level > 3) return absl::OutOfRangeError("a page of more than a terabyte in a page table");
    table = NextTable(*entry);
    if (!leaf) continue;
    const uint64_t in_page = vaddr & Bits(0, shift);
    return MappedPage{(table & ~Bits(0, shift)) | in_page, (uint64_t{1} << shift) - in_page};
  }
  return absl::NotFoundError("no page table");
}

}  // namespace corefleet
