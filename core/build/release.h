#ifndef COREFLEET_CORE_BUILD_RELEASE_H_
#define COREFLEET_CORE_BUILD_RELEASE_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace corefleet {

// A kernel release taken apart, as scripts/setlocalversion and Android's GKI build put it together:
// `6.18.0-rc2-00030-g65df2b8a0dde-dirty`, `5.15.41-android13-8-00205-gf1bf82c3dacd-ab8747247`.
struct Release {
  std::string base;        // "6.18.0-rc2"
  std::string local;       // what nothing below explains, without its first dash: "47-cloud-amd64"
  std::string git_commit;  // 7 to 40 hex digits: a prefix, to be matched as one; "" when there is none
  std::optional<uint64_t> distance;  // commits since the tag
  bool dirty = false;                // "-dirty", "-maybe-dirty" or a bare "+"
  std::string android;               // "android13"; "" unless it is a GKI release
  std::optional<uint32_t> kmi_generation;
  std::string kmi;            // "5.15-android13-8": modules are compatible inside it
  std::string android_build;  // "8747247", Android's own build number
};

// Total: what does not look like a release is all `local`.
Release ParseRelease(absl::string_view release);

// True for stable kernels whose VMCOREINFO has garbage for a BUILD-ID: a change to the kernel's reader of
// notes came without the one that it needed (5.15.168 on, 6.1.113 to 118, 6.6.55 to 62, 6.10.14 on, 6.11.3 to
// 9). `version` is uname's, because some distributions have the stable number only there
// ("Debian 6.1.115-1").
bool HasGarbageBuildId(absl::string_view release, absl::string_view version);

}  // namespace corefleet

#endif  // COREFLEET_CORE_BUILD_RELEASE_H_
