#include "core/printk/log_buf_writer.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace corefleet {
namespace {

constexpr size_t kMaxText = 32 * 1024;
// Of the fields in the header, in bytes.
constexpr uint64_t kLen = 8;
constexpr uint64_t kTextLen = 10;
constexpr uint64_t kDictLen = 12;
constexpr uint64_t kCallerId = 16;

}  // namespace

void LogBufWriter::Put(uint64_t value, size_t width, uint64_t at) {
  for (size_t i = 0; i < width; ++i) {
    const size_t place = shape_.endian == Endian::kLittle ? i : width - 1 - i;
    bytes[at + place] = static_cast<uint8_t>(value >> (8 * i));
  }
}

uint64_t LogBufWriter::LengthAt(uint32_t index) const {
  return LoadInteger(ByteView(bytes).subspan(index + kLen), 2, shape_.endian);
}

// There must always be room for one more header behind a record, for the mark of length 0.
bool LogBufWriter::HasSpace(uint32_t size) const {
  const uint32_t total = shape_.size;
  const bool in_order = next_idx_ > first_idx_ || records_ == 0;
  const uint32_t free = in_order ? std::max<uint32_t>(total - next_idx_, first_idx_) : first_idx_ - next_idx_;
  return free >= size + header_bytes();
}

void LogBufWriter::DropOldest() {
  if (LengthAt(first_idx_) == 0) first_idx_ = 0;
  first_idx_ += static_cast<uint32_t>(LengthAt(first_idx_));
  --records_;
}

uint32_t LogBufWriter::Add(const Record& record) {
  const uint32_t step = shape_.packed ? 4 : 8;
  const size_t text = std::min(record.text.size(), kMaxText);
  const size_t dictionary = std::min(record.dictionary.size(), kMaxText / 2);
  const uint32_t size = (header_bytes() + static_cast<uint32_t>(text + dictionary) + step - 1) / step * step;
  while (records_ > 0 && !HasSpace(size)) DropOldest();
  if (!HasSpace(size)) return next_idx_;
  if (next_idx_ + size + header_bytes() > shape_.size) {
    std::fill_n(bytes.begin() + next_idx_, header_bytes(), 0);
    next_idx_ = 0;
  }
  const uint32_t at = next_idx_;
  std::fill_n(bytes.begin() + at, size, 0);
  Put(record.ts_nsec, 8, at);
  Put(size, 2, at + kLen);
  Put(text, 2, at + kTextLen);
  Put(dictionary, 2, at + kDictLen);
  bytes[at + kDictLen + 2] = record.facility;
  // Bit-fields are given out from the end that the byte order starts with.
  bytes[at + kDictLen + 3] = static_cast<uint8_t>(
      shape_.endian == Endian::kLittle ? record.level << 5 | record.flags : record.flags << 3 | record.level);
  if (shape_.caller_id) Put(record.caller_id, 4, at + kCallerId);
  std::copy_n(record.text.begin(), text, bytes.begin() + at + header_bytes());
  std::copy_n(record.dictionary.begin(), dictionary, bytes.begin() + at + header_bytes() + text);
  next_idx_ += size;
  ++records_;
  return at;
}

std::string LogBufWriter::VmcoreinfoLines() const {
  const absl::string_view type = shape_.old_name ? "log" : "printk_log";
  std::string lines = absl::StrCat("SIZE(", type, ")=", header_bytes(), "\n");
  const auto offset = [&](absl::string_view member, uint64_t value) {
    absl::StrAppend(&lines, "OFFSET(", type, ".", member, ")=", value, "\n");
  };
  offset("ts_nsec", 0);
  offset("len", kLen);
  offset("text_len", kTextLen);
  offset("dict_len", kDictLen);
  if (shape_.caller_id) offset("caller_id", kCallerId);
  return lines;
}

}  // namespace corefleet
