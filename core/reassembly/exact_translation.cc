#include "core/reassembly/exact_translation.h"

#include <algorithm>

#include "core/elf/elf_header.h"

namespace corefleet {
namespace {

constexpr uint64_t kX86ImageStart = 0xffffffff80000000;
// The kernel moves the direct map in steps of one page directory.
constexpr uint64_t kX86DirectMapStep = uint64_t{1} << 30;
constexpr uint64_t kSmallestPage = 4096;

// Variables and functions of the kernel image that VMCOREINFO has an address of, in one release or another.
constexpr absl::string_view kImageSymbols[] = {
    "_stext",           "swapper_pg_dir",   "init_uts_ns",   "node_online_map",  "vmap_area_list",
    "mem_section",      "contig_page_data", "prb",           "printk_rb_static", "clear_seq",
    "log_buf",          "log_buf_len",      "log_first_idx", "log_next_idx",     "kallsyms_names",
    "kallsyms_offsets", "kallsyms_num_syms"};

uint64_t LastOf(const KnownMapping& mapping) {
  return mapping.vaddr + std::min(std::max<uint64_t>(mapping.size, 1) - 1, UINT64_MAX - mapping.vaddr);
}

}  // namespace

ExactTranslation::ExactTranslation(uint16_t machine, const Vmcoreinfo& info,
                                   absl::Span<const KnownMapping> known)
    : machine_(machine), translation_(Translation::Of(machine, info, known)) {
  for (const KnownMapping& mapping : known) {
    const std::optional<uint64_t> paddr = translation_.ToPhysical(mapping.vaddr);
    if (paddr && *paddr != mapping.paddr) contradicted_.push_back(mapping.vaddr - *paddr);
  }
  std::sort(contradicted_.begin(), contradicted_.end());
  if (machine == kElfMachineAarch64) FindImage(info, known);
}

// From the first to the last address that is known to be in the image, and to the end of that page.
void ExactTranslation::FindImage(const Vmcoreinfo& info, absl::Span<const KnownMapping> known) {
  image_distance_ = info.Number("kimage_voffset");
  if (!image_distance_) return;
  image_first_ = UINT64_MAX;
  const auto include = [this](uint64_t first, uint64_t last) {
    image_first_ = std::min(image_first_, first);
    image_last_ = std::max(image_last_, last | (kSmallestPage - 1));
  };
  for (const KnownMapping& mapping : known) {
    if (mapping.vaddr - mapping.paddr == *image_distance_) include(mapping.vaddr, LastOf(mapping));
  }
  for (const absl::string_view name : kImageSymbols) {
    const std::optional<uint64_t> vaddr = info.Symbol(name);
    const std::optional<uint64_t> paddr = vaddr ? translation_.ToPhysical(*vaddr) : std::nullopt;
    if (paddr && *vaddr - *paddr == *image_distance_) include(*vaddr, *vaddr);
  }
}

std::optional<uint64_t> ExactTranslation::ToPhysical(uint64_t vaddr) const {
  vaddr = Canonical(vaddr);
  const std::optional<uint64_t> paddr = translation_.ToPhysical(vaddr);
  if (!paddr) return {};
  const uint64_t distance = vaddr - *paddr;
  if (std::binary_search(contradicted_.begin(), contradicted_.end(), distance)) return {};
  if (distance == image_distance_ && (vaddr < image_first_ || vaddr > image_last_)) return {};
  // The direct map's distance is learned, and one vmalloc area alone would teach a wrong one.
  const bool direct = machine_ == kElfMachineX86_64 && vaddr < kX86ImageStart;
  if (direct && distance % kX86DirectMapStep != 0) return {};
  return paddr;
}

uint64_t ExactTranslation::LastAlike(uint64_t vaddr) const {
  uint64_t last = translation_.LastAlike(vaddr);
  const auto ends_before = [&](uint64_t boundary) {
    if (boundary > vaddr) last = std::min(last, boundary - 1);
  };
  ends_before(kX86ImageStart);
  if (!image_distance_) return last;
  ends_before(image_first_);
  if (image_last_ != UINT64_MAX) ends_before(image_last_ + 1);
  return last;
}

}  // namespace corefleet
