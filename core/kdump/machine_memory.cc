#include "core/kdump/machine_memory.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/kdump/page_table.h"

namespace corefleet {
namespace {

// Arithmetic says nothing of where a mapping ends; its answer is taken for a page at a time.
constexpr uint64_t kSmallestPage = 4096;

class MachineMemory final : public DumpedMemory {
 public:
  MachineMemory(std::shared_ptr<const PhysicalMemory> physical, std::shared_ptr<const AddressSpace> fallback,
                uint16_t machine, const Vmcoreinfo& info, absl::Span<const KnownMapping> known)
      : physical_(std::move(physical)),
        fallback_(std::move(fallback)),
        translation_(Translation::Of(machine, info, known)),
        table_(PageTable::Of(machine, info, translation_)) {
    if (table_ && !TableAgrees(info)) table_.reset();
  }

  absl::Status ReadVirtual(uint64_t vaddr, absl::Span<uint8_t> out) const override {
    const absl::Status status = ReadTranslated(vaddr, out);
    if (!absl::IsNotFound(status) || fallback_ == nullptr) return status;
    const absl::Status other = fallback_->ReadVirtual(vaddr, out);
    return other.ok() ? other : status;
  }

  uint64_t ReadableFrom(uint64_t vaddr, uint64_t want) const override {
    uint64_t have = 0;
    while (have < want && vaddr <= UINT64_MAX - have) {
      const std::optional<MappedPage> page = PageOf(vaddr + have);
      if (!page) break;
      const uint64_t n = std::min(page->rest, want - have);
      const uint64_t run = physical_->PhysicalRunFrom(page->paddr, n);
      have += run;
      if (run < n) break;
    }
    return have == 0 && fallback_ != nullptr ? fallback_->ReadableFrom(vaddr, want) : have;
  }

  absl::Status ReadPhysical(uint64_t paddr, absl::Span<uint8_t> out) const override {
    return physical_->ReadPhysical(paddr, out);
  }
  uint64_t PhysicalRunFrom(uint64_t paddr, uint64_t want) const override {
    return physical_->PhysicalRunFrom(paddr, want);
  }
  Endian endian() const override { return Endian::kLittle; }
  uint32_t word_size() const override { return 8; }

 private:
  // The table is believed only if it puts the kernel image where arithmetic does: VMCOREINFO may be of
  // another kernel than the memory.
  bool TableAgrees(const Vmcoreinfo& info) const {
    for (const char* name : {"_stext", "init_uts_ns", "prb"}) {
      const std::optional<uint64_t> symbol = info.Symbol(name);
      if (!symbol) continue;
      const std::optional<uint64_t> expected = translation_.ToPhysical(*symbol);
      const absl::StatusOr<MappedPage> page = table_->Walk(*symbol, *physical_);
      if (expected && page.ok()) return page->paddr == *expected;
    }
    return false;
  }

  std::optional<MappedPage> PageOf(uint64_t vaddr) const {
    vaddr = translation_.Canonical(vaddr);
    if (table_) {
      const absl::StatusOr<MappedPage> page = table_->Walk(vaddr, *physical_);
      if (page.ok()) return *page;
      if (absl::IsNotFound(page.status())) return std::nullopt;
    }
    const std::optional<uint64_t> paddr = translation_.ToPhysical(vaddr);
    if (!paddr) return std::nullopt;
    return MappedPage{*paddr, kSmallestPage - vaddr % kSmallestPage};
  }

  absl::Status ReadTranslated(uint64_t vaddr, absl::Span<uint8_t> out) const {
    while (!out.empty()) {
      const std::optional<MappedPage> page = PageOf(vaddr);
      if (!page) {
        return absl::NotFoundError(absl::StrCat("virtual address 0x", absl::Hex(vaddr), " is not mapped"));
      }
      const size_t n = std::min<uint64_t>(out.size(), page->rest);
      const absl::Status status = physical_->ReadPhysical(page->paddr, out.first(n));
      if (!status.ok()) return status;
      out.remove_prefix(n);
      if (!out.empty() && vaddr > UINT64_MAX - n) {
        return absl::NotFoundError("the read leaves the address space");
      }
      vaddr += n;
    }
    return absl::OkStatus();
  }

  const std::shared_ptr<const PhysicalMemory> physical_;
  const std::shared_ptr<const AddressSpace> fallback_;
  const Translation translation_;
  std::optional<PageTable> table_;
};

}  // namespace

std::shared_ptr<const DumpedMemory> WithVirtualAddresses(std::shared_ptr<const PhysicalMemory> physical,
                                                         std::shared_ptr<const AddressSpace> fallback,
                                                         uint16_t machine, const Vmcoreinfo& info,
                                                         absl::Span<const KnownMapping> known) {
  return std::make_shared<MachineMemory>(std::move(physical), std::move(fallback), machine, info, known);
}

}  // namespace corefleet
