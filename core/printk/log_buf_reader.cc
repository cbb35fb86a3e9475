#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "core/bytes/byte_reader.h"
#include "core/printk/log_buf.h"

namespace corefleet {
namespace {

// Records start on a multiple of this; on machines that want it, of 8.
constexpr uint64_t kStep = 4;
constexpr uint64_t kMaxPadding = 7;
// 1024 bytes of text, and a dictionary.
constexpr uint64_t kLongestRecord = 4096;
// A record found by looking for one must be near in time to the one before it. Clocks of CPUs differ a
// little, and a machine may be silent for long.
constexpr uint64_t kSecond = 1000000000;
constexpr uint64_t kMaxStepBack = 10 * kSecond;
constexpr uint64_t kMaxSilence = uint64_t{30} * 86400 * kSecond;

constexpr uint8_t kFlagNewline = 2;
constexpr uint8_t kFlagPrefix = 4;
constexpr uint8_t kFlagContinuation = 8;

// The walk over the records. One use.
class Walk {
 public:
  // With `any_order`, records may go back in time: the walk does not know where the oldest is.
  Walk(const LogBuf& log, bool any_order) : layout_(log.layout), bytes_(log.bytes), any_order_(any_order) {}

  // The records from `first` to `next`, round the end of the buffer when that is the way.
  void Follow(uint64_t first, uint64_t next) {
    if (first <= next) return Stretch(first, next);
    Stretch(first, bytes_.size());
    Stretch(0, next);
  }

  // True when a record that is newer than the last one lies at `at`, and another one behind it: then the log
  // does not end here.
  bool GoesOnAt(uint64_t at) const {
    const std::optional<Header> header = HeaderAt(at, bytes_.size());
    if (!header || header->record.ts_nsec < last_ts_ || !IsNear(header->record.ts_nsec)) return false;
    return HeaderAt(at + header->len, bytes_.size()).has_value();
  }

  LogBufRecords Take() { return std::move(result_); }

 private:
  struct Header {
    LogRecord record;
    uint64_t len = 0;
    uint64_t text_len = 0;
    uint64_t dict_len = 0;
  };

  // The records in [at, end).
  void Stretch(uint64_t at, uint64_t end) {
    while (at < end) {
      if (end == bytes_.size() && IsEndMark(at) && IsLikelyEnd(at, end)) return;
      std::optional<Header> header = HeaderAt(at, end);
      if (!header) {
        const uint64_t next = FindRecord(at + kStep, end);
        ++result_.stretches;
        result_.skipped += next - at;
        ++seq_;
        at = next;
        continue;
      }
      AddRecord(at, &*header);
      at += header->len;
    }
  }

  // A header of length 0: the next record is at the start of the buffer. The writer always leaves room for
  // one.
  bool IsEndMark(uint64_t at) const {
    const ByteView bytes = bytes_.Whole(at, layout_.header);
    return !bytes.empty() && std::all_of(bytes.begin(), bytes.end(), [](uint8_t byte) { return byte == 0; });
  }

  // Zeros in the middle of the buffer look like the end of it. But a record that did not fit is not longer
  // than this, and what lies behind the true end is older than what lies in front of it.
  bool IsLikelyEnd(uint64_t at, uint64_t end) const {
    if (end - at <= kLongestRecord) return true;
    const uint64_t next = FindRecord(at + kStep, end);
    return next == end || (!any_order_ && HeaderAt(next, end)->record.ts_nsec < last_ts_);
  }

  std::optional<Header> HeaderAt(uint64_t at, uint64_t end) const {
    const ByteView bytes = bytes_.Whole(at, layout_.header);
    if (bytes.empty()) return {};
    const auto integer = [&](uint64_t offset, size_t width) {
      return LoadInteger(bytes.subspan(offset), width, layout_.endian);
    };
    Header header;
    header.len = integer(layout_.len, 2);
    header.text_len = integer(layout_.text_len, 2);
    header.dict_len = integer(layout_.dict_len, 2);
    const uint64_t used = layout_.header + header.text_len + header.dict_len;
    if (header.len < used || header.len > used + kMaxPadding || header.len % kStep != 0) return {};
    if (header.len > end - at) return {};
    header.record.ts_nsec = integer(layout_.ts_nsec, 8);
    if (layout_.caller_id) header.record.caller_id = static_cast<uint32_t>(integer(*layout_.caller_id, 4));
    if (layout_.level_with_facility) {
      const uint64_t both = integer(layout_.facility, 2);
      header.record.level = both & 7;
      header.record.facility = static_cast<uint8_t>(both >> 3);
      header.record.flags = kFlagNewline;
    } else {
      // Bit-fields are given out from the end that the byte order starts with.
      const uint8_t both = bytes[layout_.flags_level];
      const bool little = layout_.endian == Endian::kLittle;
      header.record.facility = bytes[layout_.facility];
      header.record.level = little ? both >> 5 : both & 7;
      header.record.flags = little ? both & 31 : both >> 3;
    }
    return header;
  }

  // The first place from `at` on where a record is that another one follows, or `end`.
  uint64_t FindRecord(uint64_t at, uint64_t end) const {
    for (; at < end; at += kStep) {
      at = (bytes_.NextAvailable(at) + kStep - 1) / kStep * kStep;
      if (at >= end) break;
      const std::optional<Header> header = HeaderAt(at, end);
      if (!header || !IsNear(header->record.ts_nsec)) continue;
      const uint64_t next = at + header->len;
      if (next == end || HeaderAt(next, end) || (end == bytes_.size() && IsEndMark(next))) return at;
    }
    return end;
  }

  bool IsNear(uint64_t ts_nsec) const {
    return (any_order_ || ts_nsec + kMaxStepBack >= last_ts_) && ts_nsec <= last_ts_ + kMaxSilence;
  }

  void AddRecord(uint64_t at, Header* header) {
    last_ts_ = header->record.ts_nsec;
    const uint8_t flags = header->record.flags;
    LogRecord record = std::move(header->record);
    const ByteView text = bytes_.Prefix(at + layout_.header, header->text_len);
    record.text = std::string(TextOf(text));
    if (text.size() < header->text_len)
      record.text_state = text.empty() ? TextState::kLost : TextState::kTruncated;
    const uint64_t dict = at + layout_.header + header->text_len;
    ReadDictionary(TextOf(bytes_.Prefix(dict, header->dict_len)), &record);
    if (Continues(record)) {
      open_->text.append(record.text);
      open_->flags |= record.flags & kFlagNewline;
    } else {
      record.seq = seq_++;
      result_.records.push_back(std::move(record));
      open_ = &result_.records.back();
    }
    last_flags_ = flags;
  }

  static void ReadDictionary(absl::string_view dictionary, LogRecord* record) {
    for (absl::string_view entry : absl::StrSplit(dictionary, '\0')) {
      if (absl::ConsumePrefix(&entry, "SUBSYSTEM=")) record->subsystem = std::string(entry);
      if (absl::ConsumePrefix(&entry, "DEVICE=")) record->device = std::string(entry);
    }
  }

  // Before 4.9 the pieces of one line were records of their own, and printed without a stamp between them.
  bool Continues(const LogRecord& record) const {
    if (!layout_.joins_by_flags || result_.records.empty() || open_->text_state != TextState::kWhole ||
        record.text_state != TextState::kWhole || open_->text.size() + record.text.size() > UINT16_MAX) {
      return false;
    }
    const bool left_open = (last_flags_ & kFlagContinuation) != 0 && (last_flags_ & kFlagNewline) == 0;
    return left_open && ((record.flags & kFlagPrefix) == 0 || (record.flags & kFlagContinuation) != 0);
  }

  const LogBufLayout& layout_;
  const SparseBytes& bytes_;
  const bool any_order_;
  LogBufRecords result_;
  uint64_t seq_ = 0;
  uint64_t last_ts_ = 0;
  uint8_t last_flags_ = 0;
  LogRecord* open_ = nullptr;  // the last of result_.records
};

bool IsIndex(const std::optional<uint64_t>& index, uint64_t size) {
  return index && *index < size && *index % kStep == 0;
}

// A walk from the start of the buffer meets the newest records first when it went round: the oldest come
// after the largest step back in time.
void PutOldestFirst(std::vector<LogRecord>* records) {
  size_t oldest = 0;
  uint64_t largest = kMaxStepBack;
  for (size_t i = 1; i < records->size(); ++i) {
    const uint64_t before = (*records)[i - 1].ts_nsec;
    const uint64_t here = (*records)[i].ts_nsec;
    if (before > here && before - here > largest) std::tie(oldest, largest) = std::pair(i, before - here);
  }
  std::rotate(records->begin(), records->begin() + oldest, records->end());
  for (size_t i = 0; i < records->size(); ++i) (*records)[i].seq = i;
}

LogBufRecords WalkAll(const LogBuf& log) {
  Walk walk(log, /*any_order=*/true);
  walk.Follow(0, log.bytes.size());
  LogBufRecords result = walk.Take();
  PutOldestFirst(&result.records);
  result.walked_all = true;
  return result;
}

}  // namespace

LogBufRecords ReadLogBuf(const LogBuf& log) {
  const uint64_t size = log.bytes.size();
  if (!IsIndex(log.first, size) || !IsIndex(log.next, size)) return WalkAll(log);
  // The writer never fills the buffer to the last byte: equal indices say that nothing was written.
  if (*log.first == *log.next) {
    LogBufRecords all = WalkAll(log);
    return all.records.empty() ? LogBufRecords() : all;
  }
  Walk walk(log, /*any_order=*/false);
  walk.Follow(*log.first, *log.next);
  const bool goes_on = walk.GoesOnAt(*log.next);
  LogBufRecords result = walk.Take();
  result.went_round = *log.first != 0 || (!result.records.empty() && result.records[0].ts_nsec >= kSecond);
  if (!goes_on && result.stretches == 0) return result;
  // The indices may be what is damaged.
  LogBufRecords all = WalkAll(log);
  const bool better = all.records.size() > result.records.size() && (goes_on || all.skipped < result.skipped);
  return better ? all : result;
}

}  // namespace corefleet
