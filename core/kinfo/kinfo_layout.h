#ifndef COREFLEET_CORE_KINFO_KINFO_LAYOUT_H_
#define COREFLEET_CORE_KINFO_KINFO_LAYOUT_H_

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace corefleet {

// Where the fields of a Debug Kinfo area are. Offsets in bytes from the info, which stands behind the magic
// number and the checksum; 0: the layout does not have the field. Source: docs/formats/kinfo.md.
struct KinfoLayout {
  absl::string_view name;
  size_t size = 0;     // of the info
  size_t text = 0;     // _text; where it is 0, offset 16 is _addresses and 24 _relative
  size_t thread = 0;   // thread_size
  size_t swapper = 0;  // swapper_pg_dir
  size_t release = 0;
  size_t build_info = 0;
  size_t modules = 0;  // words about modules: a flag, then offsets into struct module
  size_t module_words = 0;
  size_t seqs = 0;  // _seqs_of_names
};

inline constexpr uint32_t kKinfoMagic = 0xCCEEDDFF;
inline constexpr size_t kKinfoWrapperBytes = 8;
inline constexpr size_t kKinfoMaxInfoBytes = 496;
inline constexpr size_t kKinfoReleaseBytes = 64;
inline constexpr size_t kKinfoBuildInfoBytes = 256;

// Offsets that all layouts share.
inline constexpr size_t kKinfoNumSyms = 4;
inline constexpr size_t kKinfoNameLength = 8;
inline constexpr size_t kKinfoBitsPerLong = 10;
inline constexpr size_t kKinfoModuleNameLength = 12;
inline constexpr size_t kKinfoSymbolLength = 14;
inline constexpr size_t kKinfoStext = 32;
inline constexpr size_t kKinfoEtext = 40;
inline constexpr size_t kKinfoEnd = 64;

// Of the same size, C stands before E; otherwise the smaller one first.
inline constexpr KinfoLayout kKinfoLayouts[] = {
    {"F", 208, 24, 120, 124, 132, 0, 196, 3, 112},  {"A", 444, 0, 112, 116, 124, 188, 0, 0, 0},
    {"B", 456, 0, 112, 116, 124, 188, 444, 3, 0},   {"0x1D4", 460, 0, 112, 116, 124, 188, 444, 4, 0},
    {"C", 464, 0, 120, 124, 132, 196, 452, 3, 112}, {"E", 464, 24, 120, 124, 132, 196, 452, 3, 112},
    {"D", 496, 0, 112, 116, 124, 188, 444, 3, 456},
};

}  // namespace corefleet

#endif  // COREFLEET_CORE_KINFO_KINFO_LAYOUT_H_
