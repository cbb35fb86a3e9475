#include "core/simulate/region_sources.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/kinfo/kinfo_writer.h"
#include "core/minidump/qaic_writer.h"
#include "core/minidump/raw_dump_writer.h"
#include "core/minidump/tables_writer.h"

namespace corefleet {
namespace {

std::vector<AddressRow> RowsOf(const RegionPlan& plan) {
  std::vector<AddressRow> rows;
  for (const SavedRegion& region : plan.regions) {
    // What the header lists and the driver never had, and a copy of what it had once, have no row.
    if (region.name.empty() || region.size == 0 || (!region.has_load && region.id > kVmcoreinfoId)) continue;
    rows.push_back(
        {.name = region.name, .id = region.id, .paddr = region.paddr, .size = region.size, .valid = true});
  }
  return rows;
}

}  // namespace

std::vector<SimulatedFile> WriteRegionFolder(const RegionPlan& plan, bool table) {
  std::vector<SimulatedFile> files;
  for (const SavedRegion& region : plan.regions) {
    if (region.has_file) files.push_back({region.file_name, region.bytes});
  }
  if (table) files.push_back({"minidump_toc.bin", WriteTable(TableForm::kRegionRows, RowsOf(plan))});
  return files;
}

std::vector<SimulatedFile> WriteEdlFolder(const RegionPlan& plan, bool table) {
  std::vector<SimulatedFile> files;
  for (const SavedRegion& region : plan.regions) {
    if (region.has_file) files.push_back({absl::StrCat("memory/", region.file_name), region.bytes});
  }
  if (table) files.push_back({"edl.log", WriteTable(TableForm::kEdlLog, RowsOf(plan))});
  return files;
}

std::vector<SimulatedFile> WriteQdlFolder(const RegionPlan& plan, bool table) {
  SimulatedFile core{"minidump.elf", {}};
  for (const SavedRegion& region : plan.regions) {
    if (region.has_file && region.has_load)
      core.bytes.insert(core.bytes.end(), region.bytes.begin(), region.bytes.end());
  }
  std::vector<SimulatedFile> files = {std::move(core)};
  if (table) files.push_back({"debug_table.bin", WriteTable(TableForm::kSahara64, RowsOf(plan))});
  return files;
}

std::vector<SimulatedFile> WriteRawDumpFile(const RegionPlan& plan, const RawDumpDamage& damage) {
  std::vector<RawDumpFile> sections;
  uint64_t bytes = 0;
  for (const SavedRegion& region : plan.regions) {
    if (!region.has_file) continue;
    sections.push_back({region.file_name, region.bytes, region.paddr});
    bytes += region.bytes.size();
  }
  RawDumpStorage storage;
  if (damage.consumed) storage.mark = RawDumpMark::kCopyDone;
  if (damage.insufficient_storage)
    storage.room = kRawDumpHeaderBytes + kRawDumpSectionBytes * sections.size() + bytes * 3 / 4;
  return {{"rawdump.bin", WriteRawDump(sections, storage)}};
}

std::vector<SimulatedFile> WriteQaicFile(const RegionPlan& plan) {
  std::vector<QaicFile> regions;
  for (const SavedRegion& region : plan.regions) {
    if (!region.has_file) continue;
    regions.push_back({region.file_name, absl::StrCat(region.name, region.id), region.paddr, region.bytes});
  }
  return {{"sahara-ramdump.bin", WriteQaic(regions)}};
}

std::vector<SimulatedFile> WriteKinfoFile(const ModelKernel& kernel, const ModelMemory& memory) {
  const auto paddr = [&](const char* symbol) { return kernel.ImagePaddr(memory.symbols.at(symbol)); };
  KinfoToWrite kinfo;
  kinfo.release = kernel.release;
  kinfo.text = paddr("_text");
  kinfo.stext = paddr("_stext");
  kinfo.etext = paddr("_etext");
  kinfo.end = paddr("_end");
  kinfo.swapper_pg_dir = paddr("swapper_pg_dir");
  kinfo.relative = paddr("kallsyms_relative_base");
  // Android's first layout; the one with the modules' memory since 6.4; meminspect v3's.
  const char* layout = kernel.IsAtLeast(6, 12) ? "F" : kernel.IsAtLeast(6, 4) ? "B" : "A";
  const std::string area = WriteKinfo(layout, kinfo);
  return {{"kinfo.bin", std::vector<uint8_t>(area.begin(), area.end())}};
}

}  // namespace corefleet
