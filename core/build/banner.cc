#include "core/build/banner.h"

#include <algorithm>
#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace corefleet {
namespace {

// Names of kernels are printable; anything else means that this is not one.
bool IsPrintable(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return absl::ascii_isprint(c); });
}

absl::string_view UpToNul(absl::string_view text) { return text.substr(0, text.find('\0')); }

}  // namespace

std::optional<Banner> ParseBanner(absl::string_view text) {
  text = UpToNul(text);
  text = text.substr(0, text.find('\n'));
  if (!absl::StartsWith(text, kBannerStart)) return {};
  text.remove_prefix(kBannerStart.size());
  Banner banner;
  const size_t release_end = text.find(' ');
  banner.release = std::string(text.substr(0, release_end));
  if (banner.release.empty() || !IsPrintable(banner.release)) return {};
  // Compiler names have brackets of their own, so only the last `) #` ends one.
  const size_t hash = text.rfind(") #");
  if (hash == absl::string_view::npos) return banner;
  banner.version = std::string(text.substr(hash + 2));
  const size_t compiler = text.find(") (");
  if (compiler != absl::string_view::npos && compiler + 3 <= hash) {
    banner.compiler = std::string(text.substr(compiler + 3, hash - compiler - 3));
  }
  return banner;
}

std::optional<UtsName> ParseUtsName(ByteView bytes) {
  if (bytes.size() < kUtsNameBytes) return {};
  std::array<absl::string_view, 6> fields;
  for (size_t i = 0; i < fields.size(); ++i) {
    const absl::string_view field = TextOf(bytes.subspan(i * kUtsFieldBytes, kUtsFieldBytes));
    fields[i] = UpToNul(field);
    if (fields[i].size() == field.size()) return {};
  }
  const auto& [sysname, nodename, release, version, machine, domainname] = fields;
  if (sysname != "Linux" || release.empty()) return {};
  if (!IsPrintable(release) || !IsPrintable(version) || !IsPrintable(machine)) return {};
  return UtsName{std::string(sysname), std::string(release), std::string(version), std::string(machine)};
}

std::optional<UtsName> FindUtsName(ByteView object) {
  constexpr absl::string_view kStart("Linux\0", 6);
  const absl::string_view text = TextOf(object);
  for (size_t at = text.find(kStart); at != absl::string_view::npos; at = text.find(kStart, at + 1)) {
    if (std::optional<UtsName> name = ParseUtsName(object.subspan(at))) return name;
  }
  return {};
}

}  // namespace corefleet
