#include "core/crash/facts.h"

#include <iterator>

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
    case Provenance::kDumpHeader:
      return "dump-header";
    case Provenance::kKinfo:
      return "kinfo";
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
    case RegionState::kContainer:
      return "CONTAINER";
    case RegionState::kOpaque:
      return "OPAQUE";
  }
  return "UNKNOWN";
}

absl::string_view AbilityName(Ability::Kind kind) {
  constexpr absl::string_view kNames[] = {"log",   "build",  "taint",  "symbols", "cpus", "per-cpu",
                                          "tasks", "stacks", "config", "crash",   "drgn", "gdb"};
  const size_t i = static_cast<size_t>(kind);
  return i < std::size(kNames) ? kNames[i] : "unknown";
}

absl::string_view AnswerName(Ability::Answer answer) {
  switch (answer) {
    case Ability::Answer::kNo:
      return "no";
    case Ability::Answer::kPartly:
      return "partly";
    case Ability::Answer::kYes:
      return "yes";
  }
  return "unknown";
}

}  // namespace corefleet
