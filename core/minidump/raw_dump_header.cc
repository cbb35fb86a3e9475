#include "core/minidump/raw_dump_header.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "core/bytes/byte_reader.h"
#include "core/crash/region_set.h"
#include "core/minidump/raw_dump.h"

namespace corefleet {
namespace {

constexpr absl::string_view kMiniDumpMark = "MiniDump";
constexpr absl::string_view kCopyDoneMark = "CopyDone";

bool IsPrintable(absl::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

bool IsPlausible(const RawDumpHeader& header) {
  return header.version == kRawDumpVersion && (header.flags & kRawDumpValid) != 0 && header.flags < 16 &&
         header.section_count != 0 && header.section_count <= kMaxRegions &&
         header.dump_size >= header.headers_end() && header.dump_size <= header.total_required;
}

bool IsPlausible(const RawDumpSection& section, const RawDumpHeader& header) {
  return section.type <= RawSectionType::kSystemInformation && section.flags < 16 &&
         section.offset >= header.headers_end() && section.size <= header.total_required &&
         IsPrintable(section.name);
}

// Without a mark, every field must speak for a dump: half of all partitions begin with zeros.
bool IsDumpWithoutMark(ByteView head) {
  const std::optional<RawDumpHeader> header = ParseRawDumpHeader(head);
  if (!header || !IsPlausible(*header)) return false;
  const std::vector<RawDumpSection> sections = ParseRawDumpSections(head, *header, kMaxRegions);
  return !sections.empty() &&
         std::all_of(sections.begin(), sections.end(),
                     [&](const RawDumpSection& section) { return IsPlausible(section, *header); });
}

}  // namespace

std::optional<RawDumpMark> ReadRawDumpMark(ByteView bytes) {
  const absl::string_view mark = TextOf(bytes).substr(0, kRawDumpMarkBytes);
  if (mark == kRawDumpMark) return RawDumpMark::kFresh;
  if (mark == kMiniDumpMark) return RawDumpMark::kMiniDump;
  if (mark == kCopyDoneMark) return RawDumpMark::kCopyDone;
  if (mark == absl::string_view("\0\0\0\0\0\0\0\0", kRawDumpMarkBytes)) return RawDumpMark::kZeroed;
  return std::nullopt;
}

std::optional<RawDumpHeader> ParseRawDumpHeader(ByteView bytes) {
  const std::optional<RawDumpMark> mark = ReadRawDumpMark(bytes);
  if (!mark || bytes.size() < kRawDumpHeaderBytes) return std::nullopt;
  ByteReader reader(bytes);
  reader.Skip(kRawDumpMarkBytes);
  RawDumpHeader header;
  header.mark = *mark;
  header.version = reader.U32();
  header.flags = reader.U32();
  header.os_data = reader.U64();
  header.cpu_context = reader.U64();
  header.reset_trigger = reader.U32();
  header.dump_size = reader.U64();
  header.total_required = reader.U64();
  header.section_count = reader.U32();
  return header;
}

std::vector<RawDumpSection> ParseRawDumpSections(ByteView bytes, const RawDumpHeader& header, size_t limit) {
  std::vector<RawDumpSection> sections;
  ByteReader reader(bytes);
  reader.Skip(kRawDumpHeaderBytes);
  while (sections.size() < std::min<uint64_t>(limit, header.section_count) &&
         reader.remaining() >= kRawDumpSectionBytes) {
    RawDumpSection section;
    section.flags = reader.U32();
    section.version = reader.U32();
    section.type = static_cast<RawSectionType>(reader.U32());
    section.offset = reader.U64();
    section.size = reader.U64();
    section.base = reader.U64();
    section.more_info = reader.U64();
    const absl::string_view name = TextOf(reader.Bytes(kRawDumpNameBytes));
    section.name = std::string(name.substr(0, name.find('\0')));
    sections.push_back(std::move(section));
  }
  return sections;
}

bool LooksLikeRawDump(ByteView head) {
  const std::optional<RawDumpMark> mark = ReadRawDumpMark(head);
  return mark && (*mark != RawDumpMark::kZeroed || IsDumpWithoutMark(head));
}

absl::StatusOr<RawDumpExtent> MeasureRawDump(ByteView head) {
  if (!LooksLikeRawDump(head)) return absl::NotFoundError("no Raw_Dmp! container");
  const std::optional<RawDumpHeader> header = ParseRawDumpHeader(head);
  if (!header) return absl::OutOfRangeError("fewer than the 56 bytes of a Raw_Dmp! header");
  RawDumpExtent extent;
  extent.consumed = header->mark != RawDumpMark::kFresh;
  extent.valid = (header->flags & kRawDumpValid) != 0;
  extent.bytes = std::max(header->dump_size, header->headers_end());
  for (const RawDumpSection& section : ParseRawDumpSections(head, *header, kMaxRegions)) {
    if (section.lacked_room() || section.size > UINT64_MAX - section.offset) continue;
    extent.bytes = std::max(extent.bytes, section.offset + section.size);
  }
  return extent;
}

void NormaliseRawDumpMark(absl::Span<uint8_t> head) {
  if (head.size() < kRawDumpHeaderBytes || !LooksLikeRawDump(head)) return;
  std::copy(kRawDumpMark.begin(), kRawDumpMark.end(), head.begin());
}

}  // namespace corefleet
