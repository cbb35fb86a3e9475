#ifndef COREFLEET_CORE_BUILD_BANNER_H_
#define COREFLEET_CORE_BUILD_BANNER_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "core/bytes/byte_view.h"

namespace corefleet {

// `Linux version <release> (<user>@<host>) (<compiler>) <version>`: what linux_banner and the log's first
// lines say. Raw bytes. The builder's name is left out on purpose: it is a person's.
struct Banner {
  std::string release;
  std::string compiler;  // with the linker; may hold brackets
  std::string version;   // from "#" on
};
inline constexpr absl::string_view kBannerStart = "Linux version ";

// Takes the line with or without its newline and what follows a NUL. nullopt unless it starts as a banner
// does and has a release. A banner that is cut gives what is there.
std::optional<Banner> ParseBanner(absl::string_view text);

// struct new_utsname: six fields of 65 bytes. nodename is left out: it is a host's name, and personal data.
struct UtsName {
  std::string sysname;
  std::string release;
  std::string version;  // cut at 64 characters by the kernel's build, so a date in it may be incomplete
  std::string machine;
};
inline constexpr size_t kUtsFieldBytes = 65;
inline constexpr size_t kUtsNameBytes = 6 * kUtsFieldBytes;

// nullopt unless `bytes` start with six NUL-terminated fields of which the first is "Linux".
std::optional<UtsName> ParseUtsName(ByteView bytes);

// Finds the names in an object whose layout is not known (it may be randomised). nullopt when nowhere.
std::optional<UtsName> FindUtsName(ByteView object);

}  // namespace corefleet

#endif  // COREFLEET_CORE_BUILD_BANNER_H_
