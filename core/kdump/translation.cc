#include "core/kdump/translation.h"

#include <algorithm>
#include <bit>
#include <map>

#include "core/elf/elf_header.h"

namespace corefleet {
namespace {

constexpr uint16_t kMachineRiscv = 243;

constexpr uint64_t kX86ImageStart = 0xffffffff80000000;
constexpr uint64_t kX86ImageBytes = uint64_t{1} << 30;  // with KASLR; the modules follow
constexpr uint64_t kX86KernelHalf = 0xff00000000000000;
// Of the direct map at four levels; at five it may be 32 PiB, but no machine with that much has been dumped.
constexpr uint64_t kX86DirectMapBytes = uint64_t{1} << 46;

// An arm64 image begins up to 64 KiB before _stext and is not known to end anywhere; behind it vmalloc memory
// may follow.
constexpr uint64_t kArm64BeforeText = 64 * 1024;
constexpr uint64_t kArm64ImageBytes = uint64_t{256} << 20;

// The distance vaddr - paddr that most bytes of `known` with first <= vaddr <= last have.
std::optional<uint64_t> CommonDistance(absl::Span<const KnownMapping> known, uint64_t first, uint64_t last) {
  std::map<uint64_t, uint64_t> bytes;
  for (const KnownMapping& mapping : known) {
    if (mapping.vaddr < first || mapping.vaddr > last) continue;
    uint64_t& sum = bytes[mapping.vaddr - mapping.paddr];
    sum += std::min(mapping.size, UINT64_MAX - sum);
  }
  const auto best = std::max_element(bytes.begin(), bytes.end(),
                                     [](const auto& a, const auto& b) { return a.second < b.second; });
  if (best == bytes.end() || best->second == 0) return std::nullopt;
  return best->first;
}

}  // namespace

Translation Translation::Of(uint16_t machine, const Vmcoreinfo& info, absl::Span<const KnownMapping> known) {
  Translation translation;
  switch (machine) {
    case kElfMachineX86_64:
      translation.AddX86_64(info, known);
      break;
    case kElfMachineAarch64:
      translation.AddArm64(info);
      break;
    case kMachineRiscv:
      translation.AddRiscv64(info);
      break;
    default:
      break;
  }
  if (translation.windows_.empty()) translation.AddLearned(known);
  return translation;
}

void Translation::AddX86_64(const Vmcoreinfo& info, absl::Span<const KnownMapping> known) {
  const uint64_t image_last =
      kX86ImageStart +
      (std::min(info.Number("KERNEL_IMAGE_SIZE").value_or(kX86ImageBytes), kX86ImageBytes) - 1);
  // Kernels before 4.10 export only where phys_base is, not what it is.
  std::optional<uint64_t> distance = CommonDistance(known, kX86ImageStart, image_last);
  if (const auto phys_base = info.Number("phys_base")) distance = kX86ImageStart - *phys_base;
  if (distance && image_last >= kX86ImageStart) windows_.push_back({kX86ImageStart, image_last, *distance});
  if (const auto base = CommonDistance(known, kX86KernelHalf, kX86ImageStart - 1)) {
    const uint64_t last =
        *base > kX86ImageStart - kX86DirectMapBytes ? kX86ImageStart - 1 : *base + (kX86DirectMapBytes - 1);
    if (*base <= last) windows_.push_back({*base, last, *base});
  }
}

void Translation::AddArm64(const Vmcoreinfo& info) {
  constexpr uint64_t kTag = uint64_t{0xff} << 56;
  not_address_ = kTag | info.Number("KERNELPACMASK").value_or(0);
  const uint64_t va_bits = info.Number("VA_BITS").value_or(0);
  if (va_bits < 32 || va_bits > 52) return;
  // A kernel for 52 bits also boots where there are fewer; its halves then meet where those of a kernel for
  // 48 bits (47 with 16 KiB pages) would.
  const bool pages_of_16k = info.Text("PAGESIZE") == absl::string_view("16384");
  const uint64_t halves = va_bits == 52 ? (pages_of_16k ? 47 : 48) : va_bits;
  const uint64_t start = uint64_t{0} - (uint64_t{1} << va_bits);
  const uint64_t middle = uint64_t{0} - (uint64_t{1} << (halves - 1));
  const std::optional<uint64_t> text = info.Symbol("_stext");
  // Until 5.4 the image was in the lower half and the linear map in the upper one.
  const bool image_is_above = !text || *text >= middle;
  if (const auto phys_offset = info.Number("PHYS_OFFSET")) {
    if (image_is_above) {
      windows_.push_back({start, middle - 1, start - *phys_offset});
    } else {
      windows_.push_back({middle, UINT64_MAX, middle - *phys_offset});
    }
  }
  if (const auto distance = info.Number("kimage_voffset")) {
    uint64_t first = image_is_above ? middle : start;
    uint64_t last = image_is_above ? UINT64_MAX : middle - 1;
    if (text) {
      first = std::max(first, *text - std::min(*text, kArm64BeforeText));
      last = std::min(last, first + std::min(kArm64ImageBytes, UINT64_MAX - first));
    }
    if (first <= last) windows_.push_back({first, last, *distance});
  }
}

void Translation::AddRiscv64(const Vmcoreinfo& info) {
  const auto link = info.Number("KERNEL_LINK_ADDR");
  const auto image = info.Number("va_kernel_pa_offset");
  if (link && image) windows_.push_back({*link, UINT64_MAX, *image});
  const auto page_offset = info.Number("PAGE_OFFSET");
  const auto ram = info.Number("phys_ram_base");
  const uint64_t end = link.value_or(UINT64_MAX);
  if (page_offset && ram && *page_offset < end)
    windows_.push_back({*page_offset, end - 1, *page_offset - *ram});
}

void Translation::AddLearned(absl::Span<const KnownMapping> known) {
  if (const auto distance = CommonDistance(known, 0, UINT64_MAX)) {
    for (const KnownMapping& mapping : known) {
      if (mapping.size == 0 || mapping.vaddr - mapping.paddr != *distance) continue;
      windows_.push_back(
          {mapping.vaddr, mapping.vaddr + std::min(mapping.size - 1, UINT64_MAX - mapping.vaddr), *distance});
    }
  }
}

uint64_t Translation::Canonical(uint64_t vaddr) const {
  constexpr uint64_t kKernelBit = uint64_t{1} << 55;
  return (vaddr & kKernelBit) != 0 ? vaddr | not_address_ : vaddr;
}

std::optional<uint64_t> Translation::ToPhysical(uint64_t vaddr) const {
  vaddr = Canonical(vaddr);
  for (const Window& window : windows_) {
    if (vaddr >= window.first && vaddr <= window.last) return vaddr - window.distance;
  }
  return std::nullopt;
}

uint64_t Translation::LastAlike(uint64_t vaddr) const {
  // An address is canonical by its bits from the lowest on that Canonical looks at or sets.
  constexpr int kKernelBit = 55;
  const int lowest = std::min(kKernelBit, std::countr_zero(not_address_));
  uint64_t last = vaddr | ((uint64_t{1} << lowest) - 1);
  for (const Window& window : windows_) {
    if (window.first > vaddr) last = std::min(last, window.first - 1);
    if (window.last >= vaddr) last = std::min(last, window.last);
  }
  return last;
}

}  // namespace corefleet
