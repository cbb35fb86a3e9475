#include "core/crash/defect.h"

namespace corefleet {

absl::string_view DefectCodeName(DefectCode code) {
  switch (code) {
    case DefectCode::kHeaderMissing:
      return "HEADER_MISSING";
    case DefectCode::kHeaderDamaged:
      return "HEADER_DAMAGED";
    case DefectCode::kNotesDamaged:
      return "NOTES_DAMAGED";
    case DefectCode::kVmcoreinfoMissing:
      return "VMCOREINFO_MISSING";
    case DefectCode::kVmcoreinfoDamaged:
      return "VMCOREINFO_DAMAGED";
    case DefectCode::kRegionMissing:
      return "REGION_MISSING";
    case DefectCode::kRegionTruncated:
      return "REGION_TRUNCATED";
    case DefectCode::kRegionOverlong:
      return "REGION_OVERLONG";
    case DefectCode::kRegionEmptyHeader:
      return "REGION_EMPTY_HEADER";
    case DefectCode::kRegionUnplaced:
      return "REGION_UNPLACED";
    case DefectCode::kRegionDuplicate:
      return "REGION_DUPLICATE";
    case DefectCode::kRegionMislabelled:
      return "REGION_MISLABELLED";
    case DefectCode::kRegionAmbiguous:
      return "REGION_AMBIGUOUS";
    case DefectCode::kRegionOverlap:
      return "REGION_OVERLAP";
    case DefectCode::kAddressOverflow:
      return "ADDRESS_OVERFLOW";
    case DefectCode::kAddressTableDamaged:
      return "ADDRESS_TABLE_DAMAGED";
    case DefectCode::kUnsupported:
      return "UNSUPPORTED";
    case DefectCode::kLogMissing:
      return "LOG_MISSING";
    case DefectCode::kLogDamaged:
      return "LOG_DAMAGED";
    case DefectCode::kLogGap:
      return "LOG_GAP";
    case DefectCode::kLogTextLost:
      return "LOG_TEXT_LOST";
    case DefectCode::kLogFromStatic:
      return "LOG_FROM_STATIC";
    case DefectCode::kFactConflict:
      return "FACT_CONFLICT";
    case DefectCode::kFactImplausible:
      return "FACT_IMPLAUSIBLE";
    case DefectCode::kStoredBytesDamaged:
      return "STORED_BYTES_DAMAGED";
    case DefectCode::kAnalysisFailed:
      return "ANALYSIS_FAILED";
    case DefectCode::kContainerDamaged:
      return "CONTAINER_DAMAGED";
    case DefectCode::kInsufficientStorage:
      return "INSUFFICIENT_STORAGE";
    case DefectCode::kCollectedBefore:
      return "COLLECTED_BEFORE";
    case DefectCode::kRegionsShifted:
      return "REGIONS_SHIFTED";
    case DefectCode::kPlacedByContent:
      return "PLACED_BY_CONTENT";
    case DefectCode::kUnrecognised:
      return "UNRECOGNISED";
    case DefectCode::kEncrypted:
      return "ENCRYPTED";
    case DefectCode::kDumpIncomplete:
      return "DUMP_INCOMPLETE";
    case DefectCode::kKinfoDamaged:
      return "KINFO_DAMAGED";
    case DefectCode::kRecordPartMissing:
      return "RECORD_PART_MISSING";
    case DefectCode::kRecordUnreadable:
      return "RECORD_UNREADABLE";
    case DefectCode::kEccUnrecoverable:
      return "ECC_UNRECOVERABLE";
    case DefectCode::kNotSent:
      return "NOT_SENT";
  }
  return "UNKNOWN";
}

bool IsLoss(DefectCode code) {
  switch (code) {
    case DefectCode::kNotesDamaged:  // Rebuilt whole from the vmcoreinfo region.
    case DefectCode::kRegionOverlong:
    case DefectCode::kRegionDuplicate:
    case DefectCode::kRegionMislabelled:
    case DefectCode::kRegionOverlap:
    case DefectCode::kAddressTableDamaged:
    case DefectCode::kFactConflict:
    case DefectCode::kFactImplausible:
    case DefectCode::kCollectedBefore:
    case DefectCode::kRegionsShifted:  // Found again.
    case DefectCode::kPlacedByContent:
    case DefectCode::kUnrecognised:  // Everything of it is kept.
    case DefectCode::kKinfoDamaged:  // It has no memory of the machine.
    case DefectCode::kLogGap:        // A ring that wrapped has lost its oldest records: that is its nature.
      return false;
    default:
      return true;
  }
}

}  // namespace corefleet
