#include "collector/spool/losses.h"

#include <numeric>

namespace corefleet {

absl::string_view LossReasonName(LossReason reason) {
  switch (reason) {
    case LossReason::kSpoolBytes:
      return "spool_bytes";
    case LossReason::kSpoolHeadroom:
      return "spool_headroom";
    case LossReason::kSpoolInodes:
      return "spool_inodes";
    case LossReason::kSpoolEntries:
      return "spool_entries";
    case LossReason::kSpoolAge:
      return "spool_age";
    case LossReason::kSpoolDamaged:
      return "spool_damaged";
    case LossReason::kUnreadable:
      return "unreadable";
    case LossReason::kTooLarge:
      return "too_large";
    case LossReason::kConsent:
      return "consent";
    case LossReason::kPolicy:
      return "policy";
  }
  return "other";
}

uint64_t LossAccount::total() const { return std::accumulate(counts.begin(), counts.end(), uint64_t{0}); }

}  // namespace corefleet
