#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/simulate/model_memory.h"

namespace corefleet {
namespace {

// Source of the keys and of what came and went: kernel document admin-guide/kdump/vmcoreinfo; values as
// kernels of those versions have them.
class Author {
 public:
  Author(const ModelKernel& kernel, const std::map<std::string, uint64_t>& symbols)
      : kernel_(kernel), symbols_(symbols) {}

  std::string Write(absl::string_view log_lines) {
    Identity();
    Layouts();
    Log(log_lines);
    Numbers();
    kernel_.is_arm64() ? Arm64() : X86_64();
    return std::move(text_);
  }

 private:
  void Line(absl::string_view key, absl::string_view value) {
    absl::StrAppend(&text_, key, "=", value, "\n");
  }
  void Symbol(absl::string_view name) {
    const auto found = symbols_.find(std::string(name));
    if (found != symbols_.end())
      absl::StrAppend(&text_, "SYMBOL(", name, ")=", absl::Hex(found->second), "\n");
  }
  void Number(absl::string_view name, int64_t value) {
    absl::StrAppend(&text_, "NUMBER(", name, ")=", value, "\n");
  }
  // arm64 prints its own in hexadecimal.
  void HexNumber(absl::string_view name, uint64_t value) {
    absl::StrAppend(&text_, "NUMBER(", name, ")=0x", absl::Hex(value), "\n");
  }
  void Size(absl::string_view type, uint64_t bytes) {
    absl::StrAppend(&text_, "SIZE(", type, ")=", bytes, "\n");
  }
  void Offset(absl::string_view member, uint64_t bytes) {
    absl::StrAppend(&text_, "OFFSET(", member, ")=", bytes, "\n");
  }
  void Length(absl::string_view array, uint64_t elements) {
    absl::StrAppend(&text_, "LENGTH(", array, ")=", elements, "\n");
  }

  void Identity() {
    Line("OSRELEASE", kernel_.release);
    if (!kernel_.build_id.empty()) Line("BUILD-ID", kernel_.build_id);
    Line("PAGESIZE", absl::StrCat(kernel_.page_size));
    Symbol("init_uts_ns");
    // The name moved to the front of the namespace in 5.11, before there was a reference count.
    Offset("uts_namespace.name", kernel_.IsAtLeast(5, 11) ? 0 : 4);
    Symbol("node_online_map");
    Symbol("swapper_pg_dir");
    Symbol("_stext");
    if (!kernel_.IsAtLeast(6, 9)) Symbol("vmap_area_list");
  }

  void Layouts() {
    Symbol("mem_section");
    Length("mem_section", kernel_.is_arm64() ? 1024 : 2048);
    Size("mem_section", 16);
    Offset("mem_section.section_mem_map", 0);
    Number("SECTION_SIZE_BITS", kernel_.is_arm64() && !kernel_.IsAtLeast(5, 12) ? 30 : 27);
    Number("MAX_PHYSMEM_BITS", kernel_.is_arm64() ? 48 : 46);
    Size("page", 64);
    Size("pglist_data", 14144);
    Size("zone", 1728);
    Size("free_area", 104);
    Size("list_head", 16);
    Size("nodemask_t", 8);
    Offset("page.flags", 0);
    Offset("page._refcount", 52);
    Offset("page.mapping", 24);
    Offset("page.lru", 8);
    Offset("page._mapcount", 48);
    Offset("page.private", 40);
    if (!kernel_.IsAtLeast(6, 6)) {
      Offset("page.compound_dtor", 16);
      Offset("page.compound_order", 17);
    }
    Offset("page.compound_head", 8);
    Offset("pglist_data.node_zones", 0);
    Offset("pglist_data.nr_zones", 11232);
    Offset("pglist_data.node_start_pfn", 11240);
    Offset("pglist_data.node_spanned_pages", 11256);
    Offset("pglist_data.node_id", 11264);
    Offset("zone.free_area", 256);
    Offset("zone.vm_stat", 1536);
    Offset("zone.spanned_pages", 160);
    Offset("free_area.free_list", 0);
    Offset("list_head.next", 0);
    Offset("list_head.prev", 8);
    if (!kernel_.IsAtLeast(6, 9)) {
      Offset("vmap_area.va_start", 0);
      Offset("vmap_area.list", 40);
    }
    Length("zone.free_area", 11);
  }

  void Log(absl::string_view lines) {
    for (const absl::string_view name : {"log_buf", "log_buf_len", "log_first_idx", "clear_idx",
                                         "log_next_idx", "prb", "printk_rb_static", "clear_seq"})
      Symbol(name);
    absl::StrAppend(&text_, lines);
    // The count of records that were cleared became a latch in 5.12.
    if (kernel_.IsAtLeast(5, 12)) {
      Size("latched_seq", 24);
      Offset("latched_seq.val", 8);
    }
    Length("free_area.free_list", 6);
  }

  void Numbers() {
    Number("NR_FREE_PAGES", 0);
    Number("PG_lru", 5);
    Number("PG_private", 14);
    Number("PG_swapcache", 10);
    Number("PG_swapbacked", 17);
    if (kernel_.IsAtLeast(6, 10)) {
      Number("PAGE_SLAB_MAPCOUNT_VALUE", -184549376);
    } else {
      Number("PG_slab", 9);
    }
    Number("PG_head_mask", kernel_.IsAtLeast(6, 6) ? 64 : 65536);
    Number("PAGE_BUDDY_MAPCOUNT_VALUE", kernel_.IsAtLeast(6, 10) ? -268435456 : -129);
    if (!kernel_.IsAtLeast(6, 6)) Number("HUGETLB_PAGE_DTOR", 2);
    Number("PAGE_OFFLINE_MAPCOUNT_VALUE", kernel_.IsAtLeast(6, 10) ? -251658240 : -257);
    if (!kernel_.IsAtLeast(6, 0)) return;
    for (const absl::string_view name :
         {"kallsyms_names", "kallsyms_num_syms", "kallsyms_token_table", "kallsyms_token_index",
          "kallsyms_offsets", "kallsyms_relative_base"})
      Symbol(name);
  }

  void Arm64() {
    const uint64_t low = ~uint64_t{0} << kernel_.va_bits;
    Number("VA_BITS", kernel_.va_bits);
    if (kernel_.IsAtLeast(6, 0)) {
      HexNumber("MODULES_VADDR", low + (uint64_t{1} << (kernel_.va_bits - 1)));
      HexNumber("MODULES_END", kernel_.link_text & ~uint64_t{0xffffff});
      HexNumber("VMALLOC_START", kernel_.link_text & ~uint64_t{0xffffff});
      HexNumber("VMALLOC_END", 0xfffffdffbf800000);
      HexNumber("VMEMMAP_START", 0xfffffdffc0000000);
      HexNumber("VMEMMAP_END", 0xffffffffc0000000);
    }
    HexNumber("kimage_voffset", kernel_.text_vaddr() - kernel_.text_paddr);
    HexNumber("PHYS_OFFSET", kernel_.ram_start);
    if (kernel_.IsAtLeast(5, 7)) HexNumber("TCR_EL1_T1SZ", 64 - kernel_.va_bits);
    Line("KERNELOFFSET", absl::StrCat(absl::Hex(kernel_.slide)));
    if (kernel_.IsAtLeast(5, 8)) HexNumber("KERNELPACMASK", 0);
  }

  void X86_64() {
    Number("phys_base",
           static_cast<int64_t>(kernel_.text_paddr - (kernel_.text_vaddr() - 0xffffffff80000000)));
    Symbol("init_top_pgt");
    Number("pgtable_l5_enabled", 0);
    Symbol("node_data");
    Length("node_data", 64);
    Line("KERNELOFFSET", absl::StrCat(absl::Hex(kernel_.slide)));
    Number("KERNEL_IMAGE_SIZE", 1 << 30);
    Number("sme_mask", 0);
  }

  const ModelKernel& kernel_;
  const std::map<std::string, uint64_t>& symbols_;
  std::string text_;
};

}  // namespace

std::string WriteVmcoreinfo(const ModelKernel& kernel, const std::map<std::string, uint64_t>& symbols,
                            absl::string_view log_lines) {
  return Author(kernel, symbols).Write(log_lines);
}

}  // namespace corefleet
