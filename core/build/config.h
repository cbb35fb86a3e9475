#ifndef COREFLEET_CORE_BUILD_CONFIG_H_
#define COREFLEET_CORE_BUILD_CONFIG_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/bytes/byte_view.h"

namespace corefleet {

// The kernel's configuration as CONFIG_IKCONFIG keeps it: `IKCFG_ST`, a gzip stream, `IKCFG_ED`.

// At most this much is inflated, and at most that much comes out: what is larger is no kernel's
// configuration.
inline constexpr size_t kMaxPackedConfig = size_t{2} << 20;
inline constexpr size_t kMaxConfig = size_t{8} << 20;

struct KernelConfig {
  std::string text;  // inflated
  // False when the stream or the end mark is cut off: then `text` is only the beginning.
  bool whole = false;
};

// Inflates the configuration in `region`, which may have other bytes around it.
//   NOT_FOUND      there is no start mark, or no gzip stream behind it
//   DATA_LOSS      nothing could be inflated
//   OUT_OF_RANGE   it is larger than kMaxConfig
absl::StatusOr<KernelConfig> ConfigFromRegion(ByteView region);

// SHA-256, lower-case hex, of the configuration in normal form: only `CONFIG_X=...` and `# CONFIG_X is not
// set` lines, without trailing blanks, sorted bytewise, joined by newlines. Equal for two builds with the
// same choices.
std::string ConfigSha256(absl::string_view config);

// The value of a switch: "y", "250", "\"text\"". nullopt when it is not set. `name` is "CONFIG_HZ".
std::optional<std::string> ConfigValue(absl::string_view config, absl::string_view name);

}  // namespace corefleet

#endif  // COREFLEET_CORE_BUILD_CONFIG_H_
