#ifndef COREFLEET_SERVER_INGEST_DEVICE_ACCOUNT_H_
#define COREFLEET_SERVER_INGEST_DEVICE_ACCOUNT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "storage/crash_index.h"

namespace corefleet {

// What became of crashes on the device that never got as far as an offer (proto DeviceAccount). Untrusted.
struct DeviceAccount {
  std::string epoch;
  std::vector<ReasonCount> lost;  // the device's own words, since the epoch began
  uint64_t spooled = 0;           // crashes that wait on the device now

  friend bool operator==(const DeviceAccount&, const DeviceAccount&) = default;
};

// The reasons that are counted under their own names: docs/admission.md. Others count as "other".
absl::Span<const absl::string_view> DeviceLossReasons();

// Why sessions end without a crash, in the index's account: their devices abandoned them, their bytes were
// not what was announced, or never came.
inline constexpr char kAbandoned[] = "abandoned";
inline constexpr char kDamaged[] = "damaged";
inline constexpr char kNeverSent[] = "never_sent";

// True when the epoch is 1 to 64 printable characters without blanks.
bool IsValidEpoch(absl::string_view epoch);

// The losses by known reasons, each once, sorted, without those of count 0.
std::vector<ReasonCount> KnownLosses(const DeviceAccount& account);

// Tells an account from the device's next one. `spooled` is no part of it: it is not counted.
uint64_t FingerprintOf(const DeviceAccount& account);

}  // namespace corefleet

#endif  // COREFLEET_SERVER_INGEST_DEVICE_ACCOUNT_H_
