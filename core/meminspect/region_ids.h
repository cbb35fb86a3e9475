#ifndef COREFLEET_CORE_MEMINSPECT_REGION_IDS_H_
#define COREFLEET_CORE_MEMINSPECT_REGION_IDS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace corefleet {

// The revision of the meminspect patch series, or of the kmemdump RFC before it, that a kernel carries.
// Region ids are no stable ABI: meminspect's third revision renumbered everything from 26 on, and the RFC's
// second and third had everything from 5 on one higher. So an id means something only together with its
// series. The RFC's first revision has no ids at all, only names.
enum class MeminspectSeries { kUnknown, kV1, kV2, kV3, kRfc1, kRfc2, kRfc3 };

// "meminspect v1", "kmemdump RFC v2" and so on; "" for kUnknown. And back: kUnknown for any other text.
absl::string_view SeriesName(MeminspectSeries series);
MeminspectSeries SeriesOfText(absl::string_view name);
inline bool IsRfc(MeminspectSeries series) { return series >= MeminspectSeries::kRfc1; }

inline constexpr uint32_t kElfHeaderId = 1;
inline constexpr uint32_t kVmcoreinfoId = 2;
inline constexpr uint32_t kConfigId = 3;
// The first id that is handed out at run time, in every series of meminspect; and in any one series.
inline constexpr uint32_t kFirstDynamicId = 44;
uint32_t FirstDynamicId(MeminspectSeries series);
inline constexpr uint32_t kMaxRegionId = 200;

// What the kernel registers under an id: a symbol's name such as "prb_infos", or "the ELF header". "" for ids
// that the series does not use, for dynamic ones, and (but for ids that mean the same in all of them) for
// kUnknown.
absl::string_view SymbolOfId(MeminspectSeries series, uint32_t id);

// The id under which the series registers that symbol.
std::optional<uint32_t> IdOfSymbol(MeminspectSeries series, absl::string_view symbol);

// The id that meminspect v1 has for what the series has under `id`: what most readers know. 0 where v1 has no
// such thing; ids handed out at run time stay as they are.
uint32_t V1IdOf(MeminspectSeries series, uint32_t id);

// True when a kernel of that series always has a region with this id (3, the configuration, depends on the
// build).
bool IsAlwaysRegistered(MeminspectSeries series, uint32_t id);

// What the minidump driver calls the region: "K" and the first eight letters of its name table's entry,
// "Kunknown" past the table's end. Quirk: v3's table was not moved along with its ids, so its 29 (_sinittext)
// is called "Ktk_data".
absl::string_view DriverNameOfId(MeminspectSeries series, uint32_t id);

// The exact size in bytes, rounded up to 4, that a region must have when its id alone says so; 0 when it does
// not.
uint64_t FixedSizeOfId(MeminspectSeries series, uint32_t id);

// False when a region of that size cannot be the one with that id: fixed sizes, whole table entries, powers
// of two.
bool IsPlausibleSize(MeminspectSeries series, uint32_t id, uint64_t size);

// The series that a (name, id) pair gives away, such as ("Kclear_se", 26) for v3. kV1 stands for "v1 or v2":
// these two differ only in id 36, which v2 does not register; kRfc2 for the RFC's second and third, whose
// names are the same.
MeminspectSeries SeriesOfName(absl::string_view name, uint32_t id);

}  // namespace corefleet

#endif  // COREFLEET_CORE_MEMINSPECT_REGION_IDS_H_
