#include "core/kinfo/kinfo_writer.h"

#include <algorithm>

#include "core/kinfo/kinfo_layout.h"

namespace corefleet {
namespace {

void Put(size_t at, uint64_t value, size_t width, std::string* info) {
  for (size_t i = 0; i < width; ++i) (*info)[at + i] = static_cast<char>(value >> (8 * i) & 255);
}

void PutString(size_t at, absl::string_view text, size_t room, std::string* info) {
  const absl::string_view cut = text.substr(0, room - 1);
  std::copy(cut.begin(), cut.end(), info->begin() + static_cast<std::ptrdiff_t>(at));
}

// The tables of kallsyms lie behind the text, in this order.
void PutTables(const KinfoToWrite& kinfo, std::string* info) {
  for (size_t i = 0; i < 5; ++i) Put(72 + 8 * i, kinfo.etext + 0x10000 * (i + 1), 8, info);
}

void PutModules(const KinfoLayout& layout, const KinfoToWrite& kinfo, std::string* info) {
  if (layout.module_words == 0) return;
  Put(layout.modules, 1, 4, info);
  Put(layout.modules + 4, kinfo.mod_mem_offset, 4, info);
  Put(layout.modules + 8, kinfo.mod_kallsyms_offset, 4, info);
  if (layout.module_words > 3) Put(layout.modules + 12, kinfo.mod_kallsyms_offset + 0x20, 4, info);
}

std::string WriteInfo(const KinfoLayout& layout, const KinfoToWrite& kinfo) {
  std::string info(layout.size, '\0');
  Put(0, 1, 1, &info);
  Put(1, 1, 1, &info);
  Put(kKinfoNumSyms, kinfo.num_syms, 4, &info);
  Put(kKinfoNameLength, 512, 2, &info);
  Put(kKinfoBitsPerLong, kinfo.bits_per_long, 2, &info);
  Put(kKinfoModuleNameLength, 56, 2, &info);
  Put(kKinfoSymbolLength, 600, 2, &info);
  Put(24, layout.text != 0 ? kinfo.text : kinfo.relative, 8, &info);
  Put(kKinfoStext, kinfo.stext, 8, &info);
  Put(kKinfoEtext, kinfo.etext, 8, &info);
  Put(48, kinfo.etext + 0x100000, 8, &info);
  Put(56, kinfo.etext + 0x200000, 8, &info);
  Put(kKinfoEnd, kinfo.end, 8, &info);
  PutTables(kinfo, &info);
  if (layout.seqs != 0) Put(layout.seqs, kinfo.etext + 0x60000, 8, &info);
  Put(layout.thread, kinfo.thread_size, 4, &info);
  Put(layout.swapper, kinfo.swapper_pg_dir, 8, &info);
  PutString(layout.release, kinfo.release, kKinfoReleaseBytes, &info);
  if (layout.build_info != 0) PutString(layout.build_info, kinfo.build_info, kKinfoBuildInfoBytes, &info);
  PutModules(layout, kinfo, &info);
  return info;
}

}  // namespace

std::string WriteKinfo(absl::string_view layout, const KinfoToWrite& kinfo) {
  const auto found = std::find_if(std::begin(kKinfoLayouts), std::end(kKinfoLayouts),
                                  [&](const KinfoLayout& one) { return one.name == layout; });
  if (found == std::end(kKinfoLayouts)) return "";
  const std::string info = WriteInfo(*found, kinfo);
  std::string area(kKinfoWrapperBytes, '\0');
  Put(0, kKinfoMagic, 4, &area);
  for (size_t i = 0; i < info.size(); ++i) area[4 + i % 4] = static_cast<char>(area[4 + i % 4] ^ info[i]);
  return area + info;
}

}  // namespace corefleet
