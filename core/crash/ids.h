#ifndef COREFLEET_CORE_CRASH_IDS_H_
#define COREFLEET_CORE_CRASH_IDS_H_

#include <array>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/strong_id.h"

namespace corefleet {

// The device a crash came from, as the operator names it. 1 to 128 bytes of printable ASCII without blanks.
using DeviceId = StrongId<struct DeviceIdTag>;
// One upload under way, 32 hex digits. Unguessable: knowing it is the right to continue it.
using SessionId = StrongId<struct SessionIdTag>;
// What makes two uploads the same crash: SHA-256, in hex, over the canonical manifest
// (docs/formats/manifest.md).
using CrashUid = StrongId<struct CrashUidTag>;
// GNU build id of a kernel, lower-case hex.
using BuildId = StrongId<struct BuildIdTag>;

// The name of a stored crash.
//
// In storage it is a UUIDv7, so that its order is the order of arrival and it says which partition it is in.
// Printed, the random half comes first (20 hex digits, then 12 of milliseconds since 1970): the first eight
// digits already tell crashes of one minute apart, so ids can be shortened like git's. A value type; compares
// by time of arrival.
class CrashId {
 public:
  // The all-zero id, which no crash has.
  CrashId() = default;
  // `random` must be 80 unpredictable bits (version and variant bits are overwritten). `when` is cut to
  // milliseconds.
  static CrashId Make(absl::Time when, const std::array<uint8_t, 10>& random);
  // INVALID_ARGUMENT unless `text` is 32 lower-case hex digits in the printed order.
  static absl::StatusOr<CrashId> Parse(absl::string_view text);
  // From the 36 characters of the UUID in storage. INVALID_ARGUMENT if it is none.
  static absl::StatusOr<CrashId> FromUuid(absl::string_view uuid);

  std::string ToString() const;  // 32 hex digits, random half first
  std::string ToUuid() const;    // "0199…": time first, with dashes
  absl::Time time() const;
  bool empty() const { return *this == CrashId(); }

  friend bool operator==(const CrashId&, const CrashId&) = default;
  friend auto operator<=>(const CrashId&, const CrashId&) = default;

 private:
  std::array<uint8_t, 16> bytes_{};  // UUID order
};

// INVALID_ARGUMENT, saying what is allowed, unless `text` can be a device's name.
absl::StatusOr<DeviceId> ParseDeviceId(absl::string_view text);

// True for 32 lower-case hex digits.
bool IsSessionId(absl::string_view text);

}  // namespace corefleet

#endif  // COREFLEET_CORE_CRASH_IDS_H_
