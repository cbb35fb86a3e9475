#include "storage/segment/segment_scan.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/status_macros.h"
#include "core/bytes/byte_reader.h"
#include "core/digest/digest.h"
#include "storage/segment/segment_format.h"

namespace corefleet {
namespace {

constexpr absl::string_view kPackMagic = "CFPACK\x01\n";  // docs/formats/pack.md
constexpr size_t kSearchBytes = 256 << 10;
// Bytes that may be checksummed in search of a record, for each byte of the segment: a device may have filled
// its packs with what looks like headers.
constexpr uint64_t kSearchFactor = 4;

// The session's id at the front of a pack whose checksum was right.
std::string SessionOf(ByteView pack) {
  ByteReader reader(pack);
  if (TextOf(reader.Bytes(kPackMagic.size())) != kPackMagic) return "";
  const std::string session(TextOf(reader.Bytes(reader.U8())));
  return reader.ok() ? session : "";
}

class Scanner {
 public:
  Scanner(ReadFile* file, uint64_t size) : file_(file), size_(size), budget_(size * kSearchFactor) {}

  absl::StatusOr<SegmentScan> Scan() {
    SegmentScan scan;
    ASSIGN_OR_RETURN(uint64_t at, SkipMagic(&scan));
    while (at < size_) {
      ASSIGN_OR_RETURN(const auto header, HeaderAt(at));
      ASSIGN_OR_RETURN(const bool whole, header ? IsWhole(at, *header) : false);
      if (whole) {
        scan.records.push_back(
            {.offset = at + kRecordHeaderBytes, .size = header->size, .released = header->released});
        if (!header->released) scan.records.back().session = SessionOf(pack_);
        at += kRecordHeaderBytes + header->size;
      } else {
        ++scan.damaged;
        ASSIGN_OR_RETURN(at, NextBehind(at, header));
      }
    }
    return scan;
  }

 private:
  absl::StatusOr<uint64_t> SkipMagic(SegmentScan* scan) {
    std::array<uint8_t, 8> magic{};
    static_assert(kSegmentMagic.size() == sizeof(magic));
    if (size_ >= magic.size()) RETURN_IF_ERROR(file_->ReadAt(0, absl::MakeSpan(magic)));
    if (TextOf(magic) == kSegmentMagic) return magic.size();
    if (size_ == 0) return 0;
    ++scan->damaged;
    return FindRecord(0);
  }

  // None unless a header stands there and its pack fits into the file.
  absl::StatusOr<std::optional<RecordHeader>> HeaderAt(uint64_t at) {
    std::array<uint8_t, kRecordHeaderBytes> bytes;
    if (size_ - at < bytes.size()) return std::optional<RecordHeader>();
    RETURN_IF_ERROR(file_->ReadAt(at, absl::MakeSpan(bytes)));
    std::optional<RecordHeader> header = DecodeRecordHeader(bytes);
    if (header && header->size > size_ - at - bytes.size()) header.reset();
    return header;
  }

  // Leaves the pack in pack_. A released one has no bytes any more that could be checked, only an end.
  absl::StatusOr<bool> IsWhole(uint64_t at, const RecordHeader& header) {
    if (header.released) return LeadsOn(at, header);
    pack_.resize(header.size);
    RETURN_IF_ERROR(file_->ReadAt(at + kRecordHeaderBytes, absl::MakeSpan(pack_)));
    return Crc32c(pack_) == header.sum;
  }

  // True when the file ends, or another header stands, where the record says that it ends.
  absl::StatusOr<bool> LeadsOn(uint64_t at, const RecordHeader& header) {
    const uint64_t next = at + kRecordHeaderBytes + header.size;
    if (next == size_) return true;
    ASSIGN_OR_RETURN(const auto follower, HeaderAt(next));
    return follower.has_value();
  }

  absl::StatusOr<uint64_t> NextBehind(uint64_t at, const std::optional<RecordHeader>& header) {
    ASSIGN_OR_RETURN(const bool leads_on, header ? LeadsOn(at, *header) : false);
    if (leads_on) return at + kRecordHeaderBytes + header->size;
    return FindRecord(at + 1);
  }

  // Where the next whole record starts, at `from` or behind; the file's end if there is none.
  absl::StatusOr<uint64_t> FindRecord(uint64_t from) {
    std::vector<uint8_t> window;
    while (from < size_ && size_ - from >= kRecordHeaderBytes) {
      window.resize(std::min<uint64_t>(kSearchBytes, size_ - from));
      RETURN_IF_ERROR(file_->ReadAt(from, absl::MakeSpan(window)));
      const absl::string_view text = TextOf(window);
      for (size_t hit = text.find(kRecordMagic); hit != text.npos; hit = text.find(kRecordMagic, hit + 1)) {
        ASSIGN_OR_RETURN(const bool record, StartsRecord(from + hit));
        if (record) return from + hit;
      }
      // A magic may lie across the window's end.
      from += window.size() - std::min(window.size() - 1, kRecordMagic.size() - 1);
    }
    return size_;
  }

  absl::StatusOr<bool> StartsRecord(uint64_t at) {
    ASSIGN_OR_RETURN(const auto header, HeaderAt(at));
    if (!header || header->size == 0 || header->size > budget_) return false;
    budget_ -= header->size;
    return IsWhole(at, *header);
  }

  ReadFile* const file_;
  const uint64_t size_;
  uint64_t budget_;
  std::vector<uint8_t> pack_;
};

}  // namespace

absl::StatusOr<SegmentScan> ScanSegment(ReadFile* file, uint64_t size) { return Scanner(file, size).Scan(); }

}  // namespace corefleet
