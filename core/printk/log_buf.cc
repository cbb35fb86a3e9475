#include "core/printk/log_buf.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/bytes/byte_reader.h"

namespace corefleet {
namespace {

constexpr uint64_t kMaxHeader = 64;
constexpr uint64_t kMaxBuffer = uint64_t{1} << 31;
// When nothing says how long the buffer is: no kernel of that time had a larger one unless it was told to.
constexpr uint64_t kMaxGuessed = uint64_t{16} << 20;
// The smallest buffer that a kernel can be configured to.
constexpr uint64_t kMinBuffer = 4096;

// "4.9" as {4, 9}; zeros when it does not start so.
std::pair<uint32_t, uint32_t> VersionOf(absl::string_view release) {
  const std::vector<absl::string_view> parts = absl::StrSplit(release, absl::MaxSplits('.', 2));
  std::pair<uint32_t, uint32_t> version;
  if (parts.size() < 2) return {};
  const absl::string_view minor = parts[1].substr(0, parts[1].find_first_not_of("0123456789"));
  if (!absl::SimpleAtoi(parts[0], &version.first) || !absl::SimpleAtoi(minor, &version.second)) return {};
  return version;
}

std::optional<uint64_t> Integer(const AddressSpace& space, std::optional<uint64_t> vaddr, size_t width) {
  uint8_t bytes[8];
  if (!vaddr || !space.ReadVirtual(*vaddr, absl::MakeSpan(bytes, width)).ok()) return {};
  return LoadInteger(ByteView(bytes, width), width, space.endian());
}

// Where the buffer is: `log_buf` is a pointer. nullopt when it leads nowhere.
std::optional<uint64_t> BufferAddress(const AddressSpace& space, const Vmcoreinfo& info) {
  const std::optional<uint64_t> at = Integer(space, info.Symbol("log_buf"), space.word_size());
  return at && *at != 0 ? at : std::nullopt;
}

// SYMBOL(log_buf_len), or how much memory there is from `at` on.
uint64_t BufferLength(const AddressSpace& space, const Vmcoreinfo& info, uint64_t at) {
  const std::optional<uint64_t> length = Integer(space, info.Symbol("log_buf_len"), 4);
  if (length && *length >= kMinBuffer && *length <= kMaxBuffer) return *length;
  return std::bit_floor(space.ReadableFrom(at, kMaxGuessed));
}

}  // namespace

LogBufLayout LogBufLayout::From(const Vmcoreinfo& info, Endian endian) {
  LogBufLayout layout;
  layout.endian = endian;
  const absl::string_view type = info.Size("log") ? "log" : "printk_log";
  const auto offset = [&](absl::string_view member) {
    const std::optional<uint64_t> value = info.Offset(absl::StrCat(type, ".", member));
    return value && *value <= kMaxHeader ? value : std::nullopt;
  };
  layout.ts_nsec = offset("ts_nsec").value_or(layout.ts_nsec);
  layout.len = offset("len").value_or(layout.len);
  layout.text_len = offset("text_len").value_or(layout.text_len);
  layout.dict_len = offset("dict_len").value_or(layout.dict_len);
  layout.facility = layout.dict_len + 2;
  layout.flags_level = layout.dict_len + 3;
  layout.caller_id = offset("caller_id");
  const uint64_t least = std::max({layout.ts_nsec + 8, layout.len + 2, layout.text_len + 2,
                                   layout.dict_len + 4, layout.caller_id.value_or(0) + 4});
  const uint64_t size = info.Size(type).value_or(least);
  layout.header = size >= least && size <= kMaxHeader ? size : least;
  const auto version = VersionOf(info.Text("OSRELEASE").value_or(""));
  layout.level_with_facility = version == std::pair(3u, 5u);
  layout.joins_by_flags = version != std::pair(0u, 0u) && version < std::pair(4u, 9u);
  return layout;
}

std::optional<LogBuf> FindLogBuf(const AddressSpace& space, const Vmcoreinfo& info) {
  if (info.Symbol("log_end")) return {};
  const std::optional<uint64_t> at = BufferAddress(space, info);
  if (!at) return {};
  LogBuf log;
  log.layout = LogBufLayout::From(info, space.endian());
  log.bytes = SparseBytes::ReadVirtual(space, *at, BufferLength(space, info, *at));
  log.first = Integer(space, info.Symbol("log_first_idx"), 4);
  log.next = Integer(space, info.Symbol("log_next_idx"), 4);
  if (log.bytes.available() == 0) return {};
  return log;
}

std::optional<ByteLog> ReadByteLog(const AddressSpace& space, const Vmcoreinfo& info) {
  const std::optional<uint64_t> end = Integer(space, info.Symbol("log_end"), 4);
  const std::optional<uint64_t> at = BufferAddress(space, info);
  if (!end || !at) return {};
  const uint64_t size = BufferLength(space, info, *at);
  const SparseBytes bytes = SparseBytes::ReadVirtual(space, *at, size);
  if (bytes.available() == 0) return {};
  ByteLog log;
  log.missing = size - bytes.available();
  log.went_round = *end > size;
  const auto append = [&](uint64_t first, uint64_t last) {
    for (const SparseBytes::Extent& extent : bytes.extents()) {
      const uint64_t from = std::max(first, extent.offset);
      const uint64_t to = std::min<uint64_t>(last, extent.offset + extent.bytes.size());
      if (from < to) absl::StrAppend(&log.text, TextOf(bytes.Prefix(from, to - from)));
    }
  };
  // `log_end` counts all bytes ever written, modulo 2^32; the buffer's size is a power of two.
  if (log.went_round) append(*end % size, size);
  append(0, log.went_round ? *end % size : *end);
  return log;
}

}  // namespace corefleet
