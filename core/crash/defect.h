#ifndef COREFLEET_CORE_CRASH_DEFECT_H_
#define COREFLEET_CORE_CRASH_DEFECT_H_

#include <string>

#include "absl/strings/string_view.h"

namespace corefleet {

// What can be wrong with a crash. A defect is data, never an error: the crash is kept, and everything else of
// it is still read. The names (DefectCodeName) are part of the API: never rename one, never reuse one.
enum class DefectCode {
  // Regions against the ELF header region's program headers.
  kHeaderMissing,      // no region is an ELF core header
  kHeaderDamaged,      // the header region is cut short or does not parse
  kNotesDamaged,       // the notes were overwritten; they are rebuilt from the vmcoreinfo region
  kVmcoreinfoMissing,  // no region is the VMCOREINFO text
  kVmcoreinfoDamaged,  // the text is cut, or lines do not parse
  kRegionMissing,      // a program header has no region
  kRegionTruncated,    // a region has fewer bytes than its program header says
  kRegionOverlong,  // a region has more; what is past the end is kept as received, and not put into the core
  kRegionEmptyHeader,  // a program header of size 0: the kernel lost this region (meminspect v3, enlarged
                       // log)
  kRegionUnplaced,     // a region that no program header and no address table places
  kRegionDuplicate,    // the same region twice; when the bytes differ, the detail says so
  kRegionMislabelled,  // name or id say something else than address and content do
  kRegionAmbiguous,    // several places fit equally well; the detail says which was taken
  kRegionOverlap,      // two program headers cover the same memory; when the bytes differ, the detail says so
  kAddressOverflow,    // address + size leaves 64 bits; the program header is ignored
  kAddressTableDamaged,  // the address table does not parse or contradicts itself
  kUnsupported,          // recognised, and not read (32-bit, big-endian): the detail says what
  // The kernel log.
  kLogMissing,     // no ring could be found or read
  kLogDamaged,     // the ring's own header is implausible; records were found by walking descriptors or by
                   // content
  kLogGap,         // records are lost; the detail counts them
  kLogTextLost,    // records whose text is not in the image; the detail counts them
  kLogFromStatic,  // text came from the static early ring because the live ring's text is not in the image
  // Facts.
  kFactConflict,     // two sources of one fact disagree; the detail has both
  kFactImplausible,  // a value was read and dropped as impossible
  // The server.
  kStoredBytesDamaged,  // stored bytes of a region could not be read back as they were acknowledged
  kAnalysisFailed,      // reading the crash failed repeatedly on the server; its bytes are kept
  // Files that hold regions, and files that are none of ours.
  kContainerDamaged,  // a container's own headers are cut or contradict themselves; the detail says what was
                      // lost
  kInsufficientStorage,  // the firmware ran out of room while it saved the crash
  kCollectedBefore,      // a mark says that somebody took this crash off the device before
  kRegionsShifted,   // an assembled file has regions elsewhere than its headers say; found again by content
  kPlacedByContent,  // no address was received; the place was inferred from content, the detail says how
                     // surely
  kUnrecognised,     // a file of no known kind: kept as received
  kEncrypted,        // the firmware encrypted it: kept as received
  kDumpIncomplete,   // a dump that says of itself that it is not whole
  kKinfoDamaged,     // a Debug Kinfo area whose checksum or fields are wrong
  // pstore.
  kRecordPartMissing,  // parts of a record are missing; the detail says which
  kRecordUnreadable,   // a record could not be decompressed or decoded: kept as received
  kEccUnrecoverable,   // blocks that the error correction could not repair
  // A fleet's ingest.
  kNotSent,  // bytes of a region were announced and are not here: not wanted, or the upload ended early
};

// Of all of them; what has a line for each code checks that it has.
inline constexpr DefectCode kLastDefectCode = DefectCode::kNotSent;

struct Defect {
  DefectCode code;
  // The region as a person would name it ("Kprb_info 24"), empty when it is not about one. Escaped, printable
  // UTF-8.
  std::string region;
  // What was found, what was expected, what it costs. Escaped, printable UTF-8, one line.
  std::string detail;
};

// "REGION_MISSING" for kRegionMissing.
absl::string_view DefectCodeName(DefectCode code);
// True when the defect means that bytes or text of the crash are not there, which makes it PARTIAL.
bool IsLoss(DefectCode code);

}  // namespace corefleet

#endif  // COREFLEET_CORE_CRASH_DEFECT_H_
