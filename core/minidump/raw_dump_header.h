#ifndef COREFLEET_CORE_MINIDUMP_RAW_DUMP_HEADER_H_
#define COREFLEET_CORE_MINIDUMP_RAW_DUMP_HEADER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "core/bytes/byte_view.h"

namespace corefleet {

// The records of a Raw_Dmp! container, little-endian and packed. Source: docs/formats/raw-dump.md.

inline constexpr absl::string_view kRawDumpMark = "Raw_Dmp!";
inline constexpr uint64_t kRawDumpHeaderBytes = 56;
inline constexpr uint64_t kRawDumpSectionBytes = 64;
inline constexpr size_t kRawDumpNameBytes = 20;

inline constexpr uint32_t kRawDumpValid = 1;
// Of the header: the storage ended before the dump did. Of a section: it was not written for that reason, or,
// if it calls itself valid too, not to its end.
inline constexpr uint32_t kRawDumpNoRoom = 2;

// "v0.4096" of the one vendor; the other one's numbers are larger.
inline constexpr uint32_t kRawDumpVersion = 4096;

enum class RawDumpMark { kFresh, kMiniDump, kCopyDone, kZeroed };

enum class RawSectionType : uint32_t {
  kNone = 0,
  kDdrRange = 1,
  kCpuContext = 2,
  kVendorSpecific = 3,
  kDumpReason = 4,
  kSystemInformation = 5,
};

struct RawDumpHeader {
  RawDumpMark mark = RawDumpMark::kFresh;
  uint32_t version = kRawDumpVersion;
  uint32_t flags = kRawDumpValid;
  uint64_t os_data = 0;
  uint64_t cpu_context = 0;
  uint32_t reset_trigger = 0;
  uint64_t dump_size = 0;       // bytes written, headers included
  uint64_t total_required = 0;  // bytes that a whole dump would have taken
  uint32_t section_count = 0;

  // Where the sections' headers end; section_count is 32 bits, so this cannot overflow.
  uint64_t headers_end() const { return kRawDumpHeaderBytes + kRawDumpSectionBytes * section_count; }
};

struct RawDumpSection {
  uint32_t flags = kRawDumpValid;
  uint32_t version = kRawDumpVersion;
  RawSectionType type = RawSectionType::kNone;
  uint64_t offset = 0;     // from the header's first byte
  uint64_t size = 0;       // bytes
  uint64_t base = 0;       // physical address, if a kDdrRange
  uint64_t more_info = 0;  // the info field's second half
  std::string name;        // the file name to give it: up to 20 untrusted bytes, up to the first NUL

  bool lacked_room() const { return (flags & kRawDumpNoRoom) != 0; }
  bool not_written() const { return lacked_room() && (flags & kRawDumpValid) == 0; }
};

// nullopt when the bytes begin with none of the marks, or with zeros; RawDumpMark::kZeroed says only that.
std::optional<RawDumpMark> ReadRawDumpMark(ByteView bytes);

// nullopt for fewer than kRawDumpHeaderBytes or no mark. A mark of zeros must be checked by
// LooksLikeRawDump: here it is taken for one.
std::optional<RawDumpHeader> ParseRawDumpHeader(ByteView bytes);

// The sections whose records lie whole in `bytes` (which begin with the header), at most `limit`.
std::vector<RawDumpSection> ParseRawDumpSections(ByteView bytes, const RawDumpHeader& header, size_t limit);

}  // namespace corefleet

#endif  // COREFLEET_CORE_MINIDUMP_RAW_DUMP_HEADER_H_
