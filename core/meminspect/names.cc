#include "core/meminspect/names.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "core/meminspect/region_ids.h"

namespace corefleet {
namespace {

constexpr size_t kMaxFileNameBytes = 255;
constexpr size_t kMaxIdDigits = 3;

bool IsDigit(char c) { return absl::ascii_isdigit(static_cast<unsigned char>(c)); }

// The value of all-digit `text` if it can be an id as the driver prints it.
std::optional<uint32_t> AsId(absl::string_view text) {
  if (text.empty() || text.size() > kMaxIdDigits || text.front() == '0') return std::nullopt;
  uint32_t id = 0;
  for (char c : text) {
    if (!IsDigit(c)) return std::nullopt;
    id = id * 10 + static_cast<uint32_t>(c - '0');
  }
  if (id > kMaxRegionId) return std::nullopt;
  return id;
}

bool IsDriverName(absl::string_view name, uint32_t id) {
  return absl::EqualsIgnoreCase(name, DriverNameOfId(MeminspectSeries::kV1, id)) ||
         absl::EqualsIgnoreCase(name, DriverNameOfId(MeminspectSeries::kRfc2, id)) ||
         absl::EqualsIgnoreCase(name, DriverNameOfId(MeminspectSeries::kV3, id));
}

absl::string_view WithoutVirtualMachine(absl::string_view stem) {
  size_t digits = 0;
  while (digits < stem.size() && absl::ascii_isxdigit(static_cast<unsigned char>(stem[digits]))) ++digits;
  return digits > 0 && digits < stem.size() && stem[digits] == '_' ? stem.substr(digits + 1) : stem;
}

}  // namespace

std::optional<RegionFileName> ParseRegionFileName(absl::string_view file_name) {
  if (const size_t slash = file_name.find_last_of("/\\"); slash != absl::string_view::npos) {
    file_name.remove_prefix(slash + 1);
  }
  if (file_name.size() > kMaxFileNameBytes || file_name.size() < 8) return std::nullopt;
  if (!absl::StartsWithIgnoreCase(file_name, "md_") || !absl::EndsWithIgnoreCase(file_name, ".bin")) {
    return std::nullopt;
  }
  const absl::string_view stem = WithoutVirtualMachine(file_name.substr(3, file_name.size() - 7));
  if (stem.empty() || absl::ascii_toupper(static_cast<unsigned char>(stem[0])) != 'K') return std::nullopt;

  std::optional<RegionFileName> best;
  for (size_t digits = kMaxIdDigits; digits > 0; --digits) {
    if (digits >= stem.size()) continue;
    const absl::string_view name = stem.substr(0, stem.size() - digits);
    const std::optional<uint32_t> id = AsId(stem.substr(name.size()));
    if (!id) continue;
    if (IsDriverName(name, *id)) return RegionFileName{std::string(name), id};
    if (!best) best = RegionFileName{std::string(name), id};
  }
  if (best) return best;
  return RegionFileName{std::string(stem), std::nullopt};
}

}  // namespace corefleet
