#ifndef COREFLEET_COLLECTOR_SPOOL_LOSSES_H_
#define COREFLEET_COLLECTOR_SPOOL_LOSSES_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace corefleet {

// Why a crash never left the device. The numbers are stored: never reuse one. The names travel (proto
// DeviceLoss).
enum class LossReason : uint8_t {
  kSpoolBytes = 0,     // dropped from the spool: more bytes than it may have
  kSpoolHeadroom = 1,  // ... too little free space was left on its file system
  kSpoolInodes = 2,    // ... too few free inodes
  kSpoolEntries = 3,   // ... more entries than it may have
  kSpoolAge = 4,       // ... it waited too long
  kSpoolDamaged = 5,   // the spool's copy was damaged
  kUnreadable = 6,     // the source could not be read
  kTooLarge = 7,       // larger than the spool may take
  kConsent = 8,        // consent was withdrawn before it was sent
  kPolicy = 9,         // the device's own policy says not to send it
};

inline constexpr size_t kLossReasons = 10;

// "spool_bytes", "spool_headroom", "spool_inodes", "spool_entries", "spool_age", "spool_damaged",
// "unreadable", "too_large", "consent", "policy".
absl::string_view LossReasonName(LossReason reason);

// How many crashes were lost, by LossReason. Only ever grows within an epoch, so that to report it twice or
// late counts nothing twice (proto DeviceAccount).
struct LossAccount {
  std::string epoch;  // 32 hex digits
  std::array<uint64_t, kLossReasons> counts{};

  uint64_t of(LossReason reason) const { return counts[static_cast<size_t>(reason)]; }
  uint64_t total() const;
  friend bool operator==(const LossAccount&, const LossAccount&) = default;
};

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_SPOOL_LOSSES_H_
