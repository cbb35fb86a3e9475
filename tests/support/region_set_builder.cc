#include "tests/support/region_set_builder.h"

#include <algorithm>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "core/simulate/header_region_writer.h"

namespace corefleet {
namespace {

constexpr uint64_t kImageOffset = 0xffffa00000000000 - 0x40000000;  // kimage_voffset
constexpr uint64_t kLinearOffset = 0xffff000000000000 - 0x40000000;
constexpr uint64_t kRing = 88;
constexpr char kRelease[] = "6.18.0-test";

uint64_t SizeOf(MeminspectSeries series, uint32_t id) {
  if (const uint64_t fixed = FixedSizeOfId(series, id)) return fixed;
  const absl::string_view symbol = SymbolOfId(series, id);
  if (symbol == "mem_section") return 8;
  if (symbol == "linux_banner") return 120;
  if (symbol == "taint_flags") return 304;
  if (symbol == "node_states") return 48;
  if (symbol == "__per_cpu_offset") return 2048;
  if (symbol == "init_uts_ns") return 432;
  if (symbol == "printk_rb_static" || symbol == "printk_rb_dynamic") return kRing;
  if (symbol == "prb_descs") return 24 << 5;
  if (symbol == "prb_infos") return 88 << 5;
  if (symbol == "__log_buf") return 8192;
  if (symbol == "clear_seq") return 24;
  if (symbol == "init_mm") return 976;
  if (symbol == "timekeeper_data") return 288;
  return 32;  // the CPU masks
}

void Append64(uint64_t value, std::vector<uint8_t>* out) {
  for (int i = 0; i < 8; ++i) out->push_back(static_cast<uint8_t>(value >> (8 * i)));
}

void Put64(uint64_t value, size_t at, std::vector<uint8_t>* out) {
  for (int i = 0; i < 8; ++i) (*out)[at + i] = static_cast<uint8_t>(value >> (8 * i));
}

void PutText(absl::string_view text, size_t at, std::vector<uint8_t>* out) {
  std::copy(text.begin(), text.end(), out->begin() + at);
}

Region MakeRegion(const std::string& name, uint32_t id, std::vector<uint8_t> bytes) {
  Region region;
  region.file_name = absl::StrCat("md_", name, id, ".BIN");
  region.name = name;
  region.id = id;
  region.bytes = std::make_shared<MemorySource>(std::move(bytes));
  return region;
}

}  // namespace

RegionSetBuilder::RegionSetBuilder(MeminspectSeries series)
    : series_(series), next_dynamic_(FirstDynamicId(series)) {
  uint64_t paddr = 0x41000000;
  for (uint32_t id = kConfigId + 1; id < next_dynamic_; ++id) {
    if (!IsAlwaysRegistered(series, id)) continue;
    Planned region;
    region.id = id;
    region.name = std::string(DriverNameOfId(series, id));
    region.paddr = paddr;
    region.vaddr = paddr + kImageOffset;
    region.bytes.assign(SizeOf(series, id), static_cast<uint8_t>(id));
    paddr += region.bytes.size() + 0x1008;
    regions.push_back(std::move(region));
  }
  PutText("Linux version 6.18.0-test ", 0, &FindSymbol("linux_banner").bytes);
  std::fill_n(FindSymbol("init_uts_ns").bytes.begin(), 390, 0);
  PutText("Linux", 0, &FindSymbol("init_uts_ns").bytes);
  PutText(kRelease, 130, &FindSymbol("init_uts_ns").bytes);
  Put64(FindSymbol("printk_rb_static").vaddr, 0, &FindSymbol("prb").bytes);
  std::vector<uint8_t>& ring = FindSymbol("printk_rb_static").bytes;
  std::fill(ring.begin(), ring.end(), 0);
  ring[0] = 5;  // 32 records
  Put64(FindSymbol("prb_descs").vaddr, 8, &ring);
  Put64(FindSymbol("prb_infos").vaddr, 16, &ring);
  ring[48] = 13;  // 8192 bytes of text
  Put64(FindSymbol("__log_buf").vaddr, 56, &ring);
  std::fill(FindSymbol("printk_rb_dynamic").bytes.begin(), FindSymbol("printk_rb_dynamic").bytes.end(), 0);
  vmcoreinfo =
      absl::StrCat("OSRELEASE=", kRelease,
                   "\nPAGESIZE=4096\nSYMBOL(init_uts_ns)=", absl::Hex(FindSymbol("init_uts_ns").vaddr),
                   "\nOFFSET(uts_namespace.name)=0\nSYMBOL(prb)=", absl::Hex(FindSymbol("prb").vaddr),
                   "\nSYMBOL(printk_rb_static)=", absl::Hex(FindSymbol("printk_rb_static").vaddr),
                   "\nSIZE(printk_ringbuffer)=88\nNUMBER(VA_BITS)=48\nNUMBER(kimage_voffset)=0x",
                   absl::Hex(kImageOffset), "\nNUMBER(PHYS_OFFSET)=0x40000000\n");
}

RegionSetBuilder& RegionSetBuilder::Dynamic(uint64_t size) {
  Planned region;
  region.id = next_dynamic_++;
  region.name = "Kunknown";
  region.paddr = next_linear_;
  region.vaddr = next_linear_ + kLinearOffset;
  region.bytes.assign(size, static_cast<uint8_t>(region.id));
  next_linear_ += (size + 0x2fff) & ~uint64_t{0xfff};
  regions.push_back(std::move(region));
  return *this;
}

RegionSetBuilder::Planned& RegionSetBuilder::FindSymbol(absl::string_view symbol) {
  return Find(IdOfSymbol(series_, symbol).value_or(0));
}

RegionSetBuilder::Planned& RegionSetBuilder::Find(uint32_t id) {
  auto found = std::find_if(regions.begin(), regions.end(), [id](const Planned& r) { return r.id == id; });
  if (found == regions.end()) std::abort();
  return *found;
}

std::vector<uint8_t> RegionSetBuilder::HeaderBytes() const {
  std::vector<HeaderLoad> loads;
  for (const Planned& region : regions) {
    if (region.has_load) loads.push_back({region.vaddr, region.paddr, region.bytes.size()});
  }
  HeaderRegionParts parts = PlanHeaderRegion(kElfMachineAarch64, loads, vmcoreinfo.size(), command_line);
  if (edit_loads) edit_loads(&parts.program_headers);
  parts.header.program_header_count = static_cast<uint16_t>(parts.program_headers.size());
  if (edit_header) edit_header(&parts.header);
  std::vector<uint8_t> bytes = WriteHeaderRegion(parts);
  if (edit_header_bytes) edit_header_bytes(&bytes);
  return bytes;
}

std::vector<uint8_t> RegionSetBuilder::TableBytes(uint64_t header_size) const {
  std::vector<uint8_t> table;
  auto add = [&table](std::string name, uint32_t id, uint64_t paddr, uint64_t size) {
    name.resize(16);
    table.insert(table.end(), name.begin(), name.end());
    Append64(id | uint64_t{0x56414c49} << 32, &table);
    Append64(paddr, &table);
    Append64(size, &table);
  };
  add("KELF", 1, 0x42000000, header_size);
  add("Kvmcorein", 2, 0x42100000, (vmcoreinfo.size() + 3) & ~uint64_t{3});
  for (const Planned& region : regions) {
    if (region.has_file) add(region.name, region.id, region.paddr, (region.bytes.size() + 3) & ~uint64_t{3});
  }
  return table;
}

RegionSet RegionSetBuilder::Build(bool with_table) const {
  RegionSet set;
  std::vector<uint8_t> header = HeaderBytes();
  const uint64_t header_size = header.size();
  set.regions.push_back(MakeRegion("KELF", 1, std::move(header)));
  std::vector<uint8_t> text(vmcoreinfo.begin(), vmcoreinfo.end());
  text.resize((text.size() + 3) & ~size_t{3});
  set.regions.push_back(MakeRegion("Kvmcorein", 2, std::move(text)));
  for (const Planned& region : regions) {
    if (!region.has_file) continue;
    std::vector<uint8_t> bytes = region.bytes;
    bytes.resize((bytes.size() + 3) & ~size_t{3});
    set.regions.push_back(MakeRegion(region.name, region.id, std::move(bytes)));
  }
  if (with_table) {
    Region table;
    table.kind = RegionKind::kAddressTable;
    table.file_name = "minidump_toc.bin";
    table.bytes = std::make_shared<MemorySource>(TableBytes(header_size));
    set.regions.push_back(std::move(table));
  }
  return set;
}

}  // namespace corefleet
