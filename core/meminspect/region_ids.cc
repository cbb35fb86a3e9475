#include "core/meminspect/region_ids.h"

#include <array>

#include "absl/types/span.h"

namespace corefleet {
namespace {

struct IdEntry {
  absl::string_view symbol;
  uint64_t fixed_size;    // bytes; 0: it depends on the kernel
  bool optional = false;  // not every kernel of the series has it
};

// Ids 0 to 43. The sections' marks (_text and so on) and kallsyms tables hold just the first 8 bytes at the
// symbol.
using IdTable = std::array<IdEntry, kFirstDynamicId>;

constexpr IdTable kTableV1 = {{
    {"", 0},
    {"the ELF header", 0},
    {"vmcoreinfo", 0},
    {"kernel_config_data", 0},
    {"_totalram_pages", 8},
    {"__cpu_possible_mask", 0},
    {"__cpu_present_mask", 0},
    {"__cpu_online_mask", 0},
    {"__cpu_active_mask", 0},
    {"mem_section", 0},
    {"jiffies_64", 8},
    {"linux_banner", 0},
    {"nr_threads", 4},
    {"nr_irqs", 4},
    {"tainted_mask", 8},
    {"taint_flags", 0},
    {"node_states", 0},
    {"__per_cpu_offset", 0},
    {"nr_swapfiles", 4},
    {"init_uts_ns", 0},
    {"printk_rb_static", 0},
    {"printk_rb_dynamic", 0},
    {"prb", 8},
    {"prb_descs", 0},
    {"prb_infos", 0},
    {"__log_buf", 0},
    {"high_memory", 8},
    {"init_mm", 0},
    {"", 0},  // init_mm_pgd has an id and a name, and is never registered
    {"_sinittext", 8},
    {"_einittext", 8},
    {"_end", 8},
    {"_text", 8},
    {"_stext", 8},
    {"_etext", 8},
    {"kallsyms_num_syms", 4},
    {"kallsyms_relative_base", 8},
    {"kallsyms_offsets", 8},
    {"kallsyms_names", 8},
    {"kallsyms_token_table", 8},
    {"kallsyms_token_index", 8},
    {"kallsyms_markers", 8},
    {"kallsyms_seqs_of_names", 8},
    {"swapper_pg_dir", 8},
}};

constexpr IdTable MakeTableV2() {
  IdTable table = kTableV1;
  table[36] = {"", 0};
  return table;
}

constexpr IdTable MakeTableV3() {
  IdTable table = kTableV1;
  table[13].symbol = "total_nr_irqs";
  table[26] = {"clear_seq", 0};
  table[27] = kTableV1[26];
  table[28] = kTableV1[27];
  for (size_t id = 36; id < 43; ++id) table[id] = kTableV1[id + 1];
  table[43] = {"timekeeper_data", 0};
  return table;
}

constexpr IdTable kTableV2 = MakeTableV2();
constexpr IdTable kTableV3 = MakeTableV3();

// kmemdump RFC v2 and v3. What is optional is so because the posts do not tell under which builds it is
// there.
constexpr IdEntry kTableRfc[] = {{"", 0},
                                 {"the ELF header", 0},
                                 {"vmcoreinfo", 0},
                                 {"kernel_config_data", 0},
                                 {"the mem_section roots", 0, true},
                                 {"_totalram_pages", 8},
                                 {"__cpu_possible_mask", 0},
                                 {"__cpu_present_mask", 0},
                                 {"__cpu_online_mask", 0},
                                 {"__cpu_active_mask", 0},
                                 {"jiffies_64", 8},
                                 {"linux_banner", 0},
                                 {"nr_threads", 4},
                                 {"nr_irqs", 4},
                                 {"tainted_mask", 8},
                                 {"taint_flags", 0},
                                 {"mem_section", 0},
                                 {"node_data", 0, true},
                                 {"node_states", 0},
                                 {"__per_cpu_offset", 0},
                                 {"nr_swapfiles", 4},
                                 {"init_uts_ns", 0},
                                 {"printk_rb_static", 0},
                                 {"printk_rb_dynamic", 0},
                                 {"prb", 8},
                                 {"prb_descs", 0},
                                 {"prb_infos", 0},
                                 {"__log_buf", 0},
                                 {"runqueues", 0, true},
                                 {"high_memory", 8},
                                 {"init_mm", 0},
                                 {"init_mm_pgd", 0, true},
                                 {"_sinittext", 0},
                                 {"_einittext", 0},
                                 {"_end", 0},
                                 {"_text", 0},
                                 {"_stext", 0},
                                 {"_etext", 0},
                                 {"kallsyms_num_syms", 4},
                                 {"kallsyms_relative_base", 8},
                                 {"kallsyms_offsets", 0},
                                 {"kallsyms_names", 0},
                                 {"kallsyms_token_table", 0},
                                 {"kallsyms_token_index", 0},
                                 {"kallsyms_markers", 0},
                                 {"kallsyms_seqs_of_names", 0},
                                 {"swapper_pg_dir", 0},
                                 {"init_uts_ns_name", 0, true},
                                 {"", 0, true},
                                 {"", 0, true}};
// v3 has no init_uts_ns_name and hands out ids from 49 on.
constexpr uint32_t kRfc3NameId = 47;
constexpr uint32_t kFirstDynamicRfc2 = 50;
constexpr uint32_t kFirstDynamicRfc3 = 49;
// Ids that mean the same in every series.
constexpr uint32_t kFirstUnstableId = 26;

absl::Span<const IdEntry> TableOf(MeminspectSeries series) {
  switch (series) {
    case MeminspectSeries::kRfc2:
    case MeminspectSeries::kRfc3:
      return kTableRfc;
    case MeminspectSeries::kV2:
      return kTableV2;
    case MeminspectSeries::kV3:
      return kTableV3;
    default:
      return kTableV1;
  }
}

const IdEntry* EntryOf(MeminspectSeries series, uint32_t id) {
  if (id == 0 || id >= FirstDynamicId(series)) return nullptr;
  if (series == MeminspectSeries::kRfc3 && id == kRfc3NameId) return nullptr;
  if (series == MeminspectSeries::kUnknown && id >= kFirstUnstableId) return nullptr;
  return &TableOf(series)[id];
}

constexpr absl::string_view kDriverNames[] = {
    "",          "KELF",      "Kvmcorein", "Kconfig",   "Ktotalram", "Kcpu_poss", "Kcpu_pres", "Kcpu_onli",
    "Kcpu_acti", "Kmem_sect", "Kjiffies",  "Klinux_ba", "Knr_threa", "Knr_irqs",  "Ktainted_", "Ktaint_fl",
    "Knode_sta", "K__per_cp", "Knr_swapf", "Kinit_uts", "Kprintk_r", "Kprintk_r", "Kprb",      "Kprb_desc",
    "Kprb_info", "Kprb_data", "Khigh_mem", "Kinit_mm",  "Kinit_mm_"};
constexpr absl::string_view kDriverNamesRfc[] = {
    "",          "KELF",      "Kvmcorein", "Kconfig",   "Kmemsect",  "Ktotalram", "Kcpu_poss", "Kcpu_pres",
    "Kcpu_onli", "Kcpu_acti", "Kjiffies",  "Klinux_ba", "Knr_threa", "Knr_irqs",  "Ktainted_", "Ktaint_fl",
    "Kmem_sect", "Knode_dat", "Knode_sta", "K__per_cp", "Knr_swapf", "Kinit_uts", "Kprintk_r", "Kprintk_r",
    "Kprb",      "Kprb_desc", "Kprb_info", "Kprb_data", "Krunqueue", "Khigh_mem", "Kinit_mm",  "Kinit_mm_"};
constexpr absl::string_view kDriverNamesV3[] = {"Kclear_se", "Khigh_mem", "Kinit_mm", "Ktk_data"};

}  // namespace

absl::string_view SeriesName(MeminspectSeries series) {
  switch (series) {
    case MeminspectSeries::kV1:
      return "meminspect v1";
    case MeminspectSeries::kV2:
      return "meminspect v2";
    case MeminspectSeries::kV3:
      return "meminspect v3";
    case MeminspectSeries::kRfc1:
      return "kmemdump RFC v1";
    case MeminspectSeries::kRfc2:
      return "kmemdump RFC v2";
    case MeminspectSeries::kRfc3:
      return "kmemdump RFC v3";
    case MeminspectSeries::kUnknown:
      break;
  }
  return "";
}

MeminspectSeries SeriesOfText(absl::string_view name) {
  for (MeminspectSeries series :
       {MeminspectSeries::kV1, MeminspectSeries::kV2, MeminspectSeries::kV3, MeminspectSeries::kRfc1,
        MeminspectSeries::kRfc2, MeminspectSeries::kRfc3}) {
    if (SeriesName(series) == name) return series;
  }
  return MeminspectSeries::kUnknown;
}

uint32_t FirstDynamicId(MeminspectSeries series) {
  if (series == MeminspectSeries::kRfc2) return kFirstDynamicRfc2;
  if (series == MeminspectSeries::kRfc3) return kFirstDynamicRfc3;
  return kFirstDynamicId;
}

uint32_t V1IdOf(MeminspectSeries series, uint32_t id) {
  if (id <= kConfigId || id >= FirstDynamicId(series)) return id;
  return IdOfSymbol(MeminspectSeries::kV1, SymbolOfId(series, id)).value_or(0);
}

absl::string_view SymbolOfId(MeminspectSeries series, uint32_t id) {
  const IdEntry* entry = EntryOf(series, id);
  return entry == nullptr ? "" : entry->symbol;
}

std::optional<uint32_t> IdOfSymbol(MeminspectSeries series, absl::string_view symbol) {
  if (symbol.empty()) return std::nullopt;
  for (uint32_t id = 1; id < FirstDynamicId(series); ++id) {
    if (SymbolOfId(series, id) == symbol) return id;
  }
  return std::nullopt;
}

bool IsAlwaysRegistered(MeminspectSeries series, uint32_t id) {
  const IdEntry* entry = EntryOf(series, id);
  return id != kConfigId && entry != nullptr && !entry->symbol.empty() && !entry->optional;
}

absl::string_view DriverNameOfId(MeminspectSeries series, uint32_t id) {
  if (series == MeminspectSeries::kV3 && id >= 26 && id <= 29) return kDriverNamesV3[id - 26];
  if (IsRfc(series)) return id < std::size(kDriverNamesRfc) ? kDriverNamesRfc[id] : "Kunknown";
  if (id < std::size(kDriverNames)) return kDriverNames[id];
  return "Kunknown";
}

uint64_t FixedSizeOfId(MeminspectSeries series, uint32_t id) {
  const IdEntry* entry = EntryOf(series, id);
  return entry == nullptr ? 0 : entry->fixed_size;
}

bool IsPlausibleSize(MeminspectSeries series, uint32_t id, uint64_t size) {
  if (const uint64_t fixed = FixedSizeOfId(series, id); fixed != 0) return size == fixed;
  const absl::string_view symbol = SymbolOfId(series, id);
  auto is_power_of_two = [](uint64_t n) { return n != 0 && (n & (n - 1)) == 0; };
  if (symbol == "__log_buf") return size >= 4096 && is_power_of_two(size);
  if (symbol == "prb_descs") return size % 24 == 0 && is_power_of_two(size / 24);
  if (symbol == "prb_infos") return size % 88 == 0 && is_power_of_two(size / 88);
  if (symbol == "linux_banner") return size >= 40 && size <= 1024;
  if (symbol == "init_uts_ns") return size >= 390 && size <= 4096;
  if (symbol == "printk_rb_static" || symbol == "printk_rb_dynamic") return size >= 72 && size <= 128;
  if (symbol == "clear_seq") return size == 8 || size == 24;
  if (symbol == "taint_flags") return size >= 40 && size <= 1024;
  if (symbol == "init_mm") return size >= 512;
  if (symbol == "timekeeper_data") return size >= 64;
  return size > 0;
}

MeminspectSeries SeriesOfName(absl::string_view name, uint32_t id) {
  const bool of_rfc = id > kConfigId && id < std::size(kDriverNamesRfc) && name == kDriverNamesRfc[id];
  if (of_rfc && name != DriverNameOfId(MeminspectSeries::kV1, id)) return MeminspectSeries::kRfc2;
  if (id < kFirstUnstableId || id > 29) return MeminspectSeries::kUnknown;
  if (name == DriverNameOfId(MeminspectSeries::kV3, id)) return MeminspectSeries::kV3;
  if (name == DriverNameOfId(MeminspectSeries::kV1, id)) return MeminspectSeries::kV1;
  return MeminspectSeries::kUnknown;
}

}  // namespace corefleet
