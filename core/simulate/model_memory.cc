#include "core/simulate/model_memory.h"

#include <zlib.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/simulate/random.h"
#include "core/simulate/report_parts.h"

namespace corefleet {
namespace {

constexpr uint64_t kNanoseconds = 1'000'000'000;
constexpr uint64_t kUtsBytes = 65;
constexpr uint64_t kNodeBytes = 14144;
constexpr uint64_t kRunqueueBytes = 3264;
constexpr uint64_t kRingBytes = 88;
constexpr uint32_t kAverageBits = 5;
constexpr uint64_t kImageBytes = 0x2a00000;
constexpr uint64_t kInitText = 0x1a00000;  // behind _text

using Bytes = std::vector<uint8_t>;

void Put(uint64_t value, size_t width, size_t at, Bytes* out) {
  for (size_t i = 0; i < width; ++i) (*out)[at + i] = static_cast<uint8_t>(value >> (8 * i));
}

Bytes Word(uint64_t value, size_t width = 8) {
  Bytes bytes(width);
  Put(value, width, 0, &bytes);
  return bytes;
}

Bytes Text(absl::string_view text) { return Bytes(text.begin(), text.end()); }

// CONFIG_IKCONFIG's marks around a gzip stream. The same text gives the same bytes.
Bytes PackConfig(absl::string_view text) {
  Bytes packed(compressBound(text.size()) + 64);
  z_stream stream = {};
  constexpr int kGzip = 16 + MAX_WBITS;
  if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, kGzip, 8, Z_DEFAULT_STRATEGY) != Z_OK) return {};
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = packed.data();
  stream.avail_out = static_cast<uInt>(packed.size());
  deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  Bytes region = Text("IKCFG_ST");
  region.insert(region.end(), packed.begin(), packed.end());
  const Bytes end = Text("IKCFG_ED");
  region.insert(region.end(), end.begin(), end.end());
  return region;
}

std::string ConfigText(const ModelKernel& kernel) {
  const uint32_t page_shift = kernel.page_size == 65536 ? 16 : kernel.page_size == 16384 ? 14 : 12;
  std::string text =
      absl::StrCat("#\n# Automatically generated file; DO NOT EDIT.\n# Linux/",
                   kernel.is_arm64() ? "arm64 " : "x86 ", kernel.release, " Kernel Configuration\n#\n",
                   kernel.is_arm64() ? "CONFIG_ARM64=y\n" : "", kernel.is_arm64() ? "" : "CONFIG_X86_64=y\n");
  absl::StrAppend(&text, "CONFIG_HZ=", kernel.hz, "\nCONFIG_HZ_", kernel.hz,
                  "=y\nCONFIG_PAGE_SHIFT=", page_shift,
                  "\nCONFIG_SMP=y\nCONFIG_PREEMPT=y\nCONFIG_IKCONFIG=y\n",
                  "CONFIG_RANDOMIZE_BASE=y\nCONFIG_PSTORE=y\n# CONFIG_KASAN is not set\n");
  return text;
}

class Author {
 public:
  Author(const ModelKernel& kernel, const ModelLog& log, const MemoryOptions& options)
      : kernel_(kernel),
        log_(log),
        options_(options),
        next_image_(kernel.text_vaddr() + kInitText + 0x300000),
        next_dynamic_(FirstDynamicId(options.series)) {}

  ModelMemory Write() {
    // A word in the middle of the image that the linker would have put elsewhere in another build.
    Random layout(Random(0, absl::StrCat(kernel_.release, "/layout")).Next(), "image");
    layout_shift_ = layout.Below(4096) * 64;
    next_image_ += layout_shift_;
    PlaceMarks();
    AddFixed();
    kernel_.has_ring ? AddRing() : AddLogBuf();
    AddRunTime();
    memory_.vmcoreinfo = WriteVmcoreinfo(kernel_, memory_.symbols, log_lines_);
    std::stable_sort(memory_.regions.begin(), memory_.regions.end(),
                     [](const ModelRegion& a, const ModelRegion& b) { return a.id < b.id; });
    return std::move(memory_);
  }

 private:
  // Gives a symbol a place in the image, on first use.
  uint64_t Place(absl::string_view symbol, uint64_t size) {
    const auto [at, is_new] = memory_.symbols.try_emplace(std::string(symbol), next_image_);
    if (is_new) next_image_ += (size + 0x3f + 8) & ~uint64_t{0x3f};
    return at->second;
  }

  // Sections' ends, and the tables of symbols, whose addresses are all that is registered.
  void PlaceMarks() {
    const uint64_t text = kernel_.text_vaddr();
    const uint64_t rodata = text + 0x1200000 + layout_shift_;
    const std::pair<const char*, uint64_t> marks[] = {
        {"_text", text},
        {"_stext", text + (kernel_.is_arm64() ? 0x10000 : 0)},
        {"_etext", text + 0x1200000},
        {"kallsyms_num_syms", rodata + 0x100000},
        {"kallsyms_relative_base", rodata + 0x100008},
        {"kallsyms_names", rodata + 0x100010},
        {"kallsyms_markers", rodata + 0x300000},
        {"kallsyms_seqs_of_names", rodata + 0x301000},
        {"kallsyms_token_table", rodata + 0x390000},
        {"kallsyms_token_index", rodata + 0x390400},
        {"kallsyms_offsets", rodata + 0x3a0000},
        {"_sinittext", text + kInitText},
        {"_einittext", text + kInitText + 0x90000},
        {"_end", text + kImageBytes},
    };
    for (const auto& [symbol, vaddr] : marks) memory_.symbols[symbol] = vaddr;
    next_image_ = (next_image_ + 0xffff) & ~uint64_t{0xffff};
    for (const char* symbol : {"swapper_pg_dir", "vmap_area_list", "node_online_map", "node_data"})
      Place(symbol, symbol == absl::string_view("swapper_pg_dir") ? 65536 : 64);
    memory_.symbols["init_top_pgt"] = memory_.symbols["swapper_pg_dir"];
  }

  void Add(uint32_t id, std::string symbol, uint64_t vaddr, uint64_t paddr, Bytes bytes) {
    ModelRegion region;
    region.id = id;
    region.name = std::string(DriverNameOfId(options_.series, id));
    region.symbol = std::move(symbol);
    region.vaddr = vaddr;
    region.paddr = paddr;
    region.bytes = std::move(bytes);
    memory_.regions.push_back(std::move(region));
  }

  // A variable of the image, registered under its id if the series has one for it.
  void AddStatic(absl::string_view symbol, Bytes bytes) {
    const uint64_t vaddr = Place(symbol, bytes.size());
    const std::optional<uint32_t> id = IdOfSymbol(options_.series, symbol);
    if (!id) return;
    Add(*id, std::string(symbol), vaddr, kernel_.ImagePaddr(vaddr), std::move(bytes));
  }

  // Something that was allocated at boot: its name is in the linear map.
  uint64_t AddDynamic(std::string symbol, Bytes bytes) {
    const uint64_t paddr = next_linear_ + kernel_.ram_start;
    next_linear_ += (bytes.size() + 0x3fff) & ~uint64_t{0xfff};
    Add(next_dynamic_++, std::move(symbol), kernel_.LinearVaddr(paddr), paddr, std::move(bytes));
    return kernel_.LinearVaddr(paddr);
  }

  // What nobody reads here: mostly zeros, some pointers and counters, as structures of the kernel look.
  Bytes Filler(absl::string_view purpose, size_t size) {
    Random random(kernel_.seed, purpose);
    Bytes bytes(size);
    for (size_t at = 0; at + 8 <= size; at += 8) {
      const uint64_t kind = random.Below(8);
      const uint64_t number = random.Below(1 << 26);
      if (kind == 0) Put(kernel_.LinearVaddr(kernel_.ram_start + number * 8), 8, at, &bytes);
      if (kind == 1) Put(number, 4, at, &bytes);
    }
    return bytes;
  }

  Bytes CpuMask(uint32_t cpus) {
    Bytes mask(kernel_.is_arm64() ? 32 : 128);
    for (uint32_t cpu = 0; cpu < cpus; ++cpu) mask[cpu / 8] |= static_cast<uint8_t>(1 << cpu % 8);
    return mask;
  }

  Bytes TaintFlags() {
    static constexpr char kLetters[] = "PFSRMBUDAWCIOELKXTNJ";
    const size_t stride = kernel_.has_verbose_taint ? 16 : 3;
    const uint32_t count = TaintFlagCount(kernel_);
    Bytes flags(count * stride);
    for (uint32_t bit = 0; bit < count; ++bit) {
      flags[bit * stride] = static_cast<uint8_t>(kLetters[bit]);
      flags[bit * stride + 1] = bit == 0 ? 'G' : ' ';
      if (stride == 3) flags[bit * stride + 2] = 1;
      if (stride == 16) Put(memory_.symbols["_etext"] + 0x2000 + 16 * bit, 8, bit * stride + 8, &flags);
    }
    return flags;
  }

  Bytes UtsNamespace() {
    Bytes bytes(432);
    const std::string fields[] = {"Linux",
                                  kernel_.host_name,
                                  kernel_.release,
                                  kernel_.uts_version,
                                  kernel_.is_arm64() ? "aarch64" : "x86_64",
                                  "(none)"};
    const size_t start = kernel_.IsAtLeast(5, 11) ? 0 : 4;
    if (start == 4) Put(2, 4, 0, &bytes);
    for (size_t i = 0; i < std::size(fields); ++i)
      std::copy_n(fields[i].begin(), std::min<size_t>(fields[i].size(), kUtsBytes - 1),
                  bytes.begin() + static_cast<ptrdiff_t>(start + i * kUtsBytes));
    return bytes;
  }

  // The 8 bytes at a symbol. Two symbols may have one address: _text and _stext on x86-64.
  Bytes ImageBytes(absl::string_view symbol) {
    const uint64_t offset = Place(symbol, 8) - kernel_.text_vaddr();
    return Random(0, absl::StrCat(kernel_.release, "/image at ", offset)).Bytes(8);
  }

  void AddFixed() {
    // What the clock tick had counted: it starts five minutes before the 32-bit count wraps.
    memory_.jiffies =
        (uint64_t{1} << 32) - uint64_t{300} * kernel_.hz +
        static_cast<uint64_t>(static_cast<double>(log_.story.uptime_nsec) / kNanoseconds * kernel_.hz);
    Bytes banner = Text(kernel_.banner);
    banner.push_back(0);
    AddStatic("linux_banner", std::move(banner));
    AddStatic("taint_flags", TaintFlags());
    AddStatic("_totalram_pages", Word(kernel_.ram_size / kernel_.page_size * 15 / 16));
    for (const char* mask : {"__cpu_possible_mask", "__cpu_present_mask", "__cpu_active_mask"})
      AddStatic(mask, CpuMask(kernel_.cpus));
    // panic() stops the others, which go offline on arm64; a hang leaves all as they were.
    AddStatic("__cpu_online_mask", CpuMask(kernel_.cpus));
    AddStatic("jiffies_64", Word(memory_.jiffies));
    Random counts(kernel_.seed, "counts");
    AddStatic("nr_threads", Word(counts.Between(60, 400), 4));
    AddStatic("nr_irqs", Word(64, 4));
    AddStatic("total_nr_irqs", Word(64, 4));
    AddStatic("tainted_mask", Word(log_.story.taint_after));
    AddStatic("node_states", Filler("node states", 48));
    AddStatic("__per_cpu_offset", PerCpuOffsets());
    AddStatic("nr_swapfiles", Word(0, 4));
    AddStatic("init_uts_ns", UtsNamespace());
    AddStatic("clear_seq", Bytes(24));
    AddStatic("high_memory", Word(kernel_.LinearVaddr(kernel_.ram_start + kernel_.ram_size)));
    AddStatic("init_mm", Filler("init_mm", 976));
    AddStatic("timekeeper_data", Filler("timekeeper", 288));
    AddStatic("kallsyms_num_syms", Word(Random(0, kernel_.release).Between(90000, 160000), 4));
    for (const char* mark :
         {"_sinittext", "_einittext", "_end", "_text", "_stext", "_etext", "kallsyms_relative_base",
          "kallsyms_offsets", "kallsyms_names", "kallsyms_token_table", "kallsyms_token_index",
          "kallsyms_markers", "kallsyms_seqs_of_names", "swapper_pg_dir"})
      AddStatic(mark, ImageBytes(mark));
    if (options_.config) {
      memory_.config = ConfigText(kernel_);
      Bytes packed = PackConfig(memory_.config);
      const uint64_t vaddr = Place("kernel_config_data", packed.size());
      // Quirk: registered at run time, so it is named by the linear map although it lies in the image.
      const uint64_t paddr = kernel_.ImagePaddr(vaddr);
      Add(kConfigId, "kernel_config_data", kernel_.LinearVaddr(paddr), paddr, std::move(packed));
    }
  }

  Bytes PerCpuOffsets() {
    Bytes offsets(256 * 8);
    for (uint32_t cpu = 0; cpu < kernel_.cpus; ++cpu)
      Put(kernel_.LinearVaddr(kernel_.ram_start + 0x7f000000 + cpu * 0x20000) - memory_.symbols["_end"], 8,
          cpu * 8, &offsets);
    return offsets;
  }

  LogPlace StaticPlace(uint64_t text_bytes) {
    const uint64_t count = text_bytes >> kAverageBits;
    return {Place("prb_descs", count * 24), Place("prb_infos", count * 88), Place("__log_buf", text_bytes)};
  }

  void AddRing() {
    const uint64_t small = uint64_t{1} << options_.log_shift;
    const bool moved = options_.big_log_shift != 0;
    const uint64_t ring = Place("printk_rb_static", kRingBytes);
    const std::vector<LogRecord> early(log_.records.begin(),
                                       log_.records.begin() + static_cast<ptrdiff_t>(log_.early));
    LogBytes bytes = WriteRing(moved ? early : log_.records, options_.log_shift, StaticPlace(small),
                               moved ? RingDamage{} : options_.damage);
    AddStatic("prb", Word(moved ? Place("printk_rb_dynamic", kRingBytes) : ring));
    log_lines_ = bytes.vmcoreinfo_lines;
    memory_.readable = std::move(bytes.readable);
    AddStatic("printk_rb_static", std::move(bytes.header));
    AddStatic("prb_descs", std::move(bytes.descs));
    AddStatic("prb_infos", std::move(bytes.infos));
    AddStatic("__log_buf", std::move(bytes.text));
    if (!moved) AddStatic("printk_rb_dynamic", Bytes(kRingBytes));
  }

  // The larger ring that log_buf_len= asks for. It is registered like everything else at run time; quirk:
  // meminspect v3 registers its text after the length was set to zero, so the text is lost.
  void AddBigRing() {
    const uint64_t text_bytes = uint64_t{1} << options_.big_log_shift;
    const uint64_t count = text_bytes >> kAverageBits;
    const size_t text_at = memory_.regions.size();
    const uint64_t text = AddDynamic("log text", Bytes(text_bytes));
    const uint64_t descs = AddDynamic("log descriptors", Bytes(count * 24));
    const uint64_t infos = AddDynamic("log infos", Bytes(count * 88));
    LogBytes bytes = WriteRing(log_.records, options_.big_log_shift, {descs, infos, text}, options_.damage);
    if (options_.series == MeminspectSeries::kV3) {
      // The texts of the first records are still in the static ring.
      bytes.readable.resize(std::min(bytes.readable.size(), memory_.readable.size()));
      bytes.text.clear();
    }
    memory_.readable = std::move(bytes.readable);
    AddStatic("printk_rb_dynamic", std::move(bytes.header));
    memory_.regions[text_at].bytes = std::move(bytes.text);
    memory_.regions[text_at + 1].bytes = std::move(bytes.descs);
    memory_.regions[text_at + 2].bytes = std::move(bytes.infos);
  }

  // Kernels before 5.10, for whose log meminspect has no ids: a backport registers the buffer under the id
  // of the ring's text, and its four variables at run time.
  void AddLogBuf() {
    const uint64_t text_bytes = uint64_t{1} << options_.log_shift;
    LogBytes bytes = WriteLogBuf(log_.records, options_.log_shift, kernel_);
    log_lines_ = bytes.vmcoreinfo_lines;
    memory_.readable = std::move(bytes.readable);
    const uint64_t text = Place("__log_buf", text_bytes);
    AddStatic("__log_buf", std::move(bytes.text));
    const std::pair<const char*, Bytes> variables[] = {{"log_buf", Word(text)},
                                                       {"log_buf_len", Word(text_bytes, 4)},
                                                       {"log_first_idx", Word(bytes.first_idx, 4)},
                                                       {"log_next_idx", Word(bytes.next_idx, 4)}};
    for (const auto& [symbol, value] : variables) {
      const uint64_t vaddr = Place(symbol, value.size());
      Add(next_dynamic_++, symbol, vaddr, kernel_.ImagePaddr(vaddr), value);
    }
    Place("clear_idx", 4);
  }

  // In the order in which the kernel comes to them at boot.
  void AddRunTime() {
    AddDynamic("node_data[0]", Filler("node 0", kNodeBytes));
    Bytes roots = Filler("sections", 8192);
    const uint64_t sections = AddDynamic("mem_section roots", std::move(roots));
    AddStatic("mem_section", Word(sections));
    memory_.symbols["mem_section"] = sections;
    if (options_.series != MeminspectSeries::kV3) AddDynamic("mem_section_usage", Filler("usage", 112));
    if (kernel_.has_ring && options_.big_log_shift != 0) AddBigRing();
    for (uint32_t cpu = 0; cpu < kernel_.cpus; ++cpu) {
      AddDynamic(absl::StrCat("runqueue of CPU ", cpu),
                 Filler(absl::StrCat("runqueue ", cpu), kRunqueueBytes));
    }
  }

  const ModelKernel& kernel_;
  const ModelLog& log_;
  const MemoryOptions& options_;
  ModelMemory memory_;
  std::string log_lines_;
  uint64_t layout_shift_ = 0;
  uint64_t next_image_;
  uint64_t next_linear_ = 0x70000000;  // behind the start of memory
  uint32_t next_dynamic_;
};

}  // namespace

const ModelRegion* ModelMemory::Find(absl::string_view symbol) const {
  const auto found = std::find_if(regions.begin(), regions.end(),
                                  [&](const ModelRegion& region) { return region.symbol == symbol; });
  return found == regions.end() ? nullptr : &*found;
}

ModelMemory MakeModelMemory(const ModelKernel& kernel, const ModelLog& log, const MemoryOptions& options) {
  return Author(kernel, log, options).Write();
}

}  // namespace corefleet
