#include "core/crash/facts.h"

namespace corefleet {

absl::string_view ProvenanceName(Provenance provenance) {
  switch (provenance) {
    case Provenance::kSymbol:
      return "symbol";
    case Provenance::kVmcoreinfo:
      return "vmcoreinfo";
    case Provenance::kRegionId:
      return "region-id";
    case Provenance::kAnchor:
      return "anchor";
    case Provenance::kElfHeader:
      return "elf-header";
    case Provenance::kLogText:
      return "log-text";
    case Provenance::kDerived:
      return "derived";
  }
  return "unknown";
}

absl::string_view CrashStateName(CrashState state) {
  switch (state) {
    case CrashState::kReceived:
      return "RECEIVED";
    case CrashState::kComplete:
      return "COMPLETE";
    case CrashState::kPartial:
      return "PARTIAL";
    case CrashState::kLogOnly:
      return "LOG_ONLY";
    case CrashState::kUnreadable:
      return "UNREADABLE";
  }
  return "UNKNOWN";
}

absl::string_view RegionStateName(RegionState state) {
  switch (state) {
    case RegionState::kPresent:
      return "PRESENT";
    case RegionState::kTruncated:
      return "TRUNCATED";
    case RegionState::kMissing:
      return "MISSING";
    case RegionState::kUnplaced:
      return "UNPLACED";
    case RegionState::kOverlong:
      return "OVERLONG";
    case RegionState::kDuplicate:
      return "DUPLICATE";
  }
  return "UNKNOWN";
}

}  // namespace corefleet
