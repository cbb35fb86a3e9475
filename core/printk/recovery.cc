#include "core/printk/recovery.h"

#include <algorithm>
#include <utility>

#include "core/bytes/byte_reader.h"

namespace corefleet {
namespace {

// No record is longer: text_len is a u16.
constexpr uint64_t kMaxTextBytes = 65535;
constexpr size_t kLevelPrefixBytes = 2;
constexpr size_t kShortestRun = 8;
// 64-bit ids start just under 2^32 and count up: eight bytes of text are far beyond this, whatever they say.
constexpr uint64_t kHighestLikelyId = uint64_t{1} << 40;
constexpr uint64_t kLowestLikelyId = uint64_t{1} << 24;

struct Block {
  uint64_t offset;  // of its id
  uint64_t id;
};

// Calls `visit(offset, word)` for every aligned word of the text ring that is in the image.
template <typename Visit>
void ForEachWord(const Ring& ring, Visit visit) {
  const uint64_t word = ring.layout.word;
  for (const SparseBytes::Extent& extent : ring.data.extents()) {
    const ByteView bytes(extent.bytes);
    uint64_t at = (word - extent.offset % word) % word;
    for (; at + word <= bytes.size(); at += word) {
      visit(extent.offset + at, LoadInteger(bytes.subspan(at), word, ring.layout.endian));
    }
  }
}

// Words that can be ids and whose neighbour is their successor or predecessor, ascending by offset.
std::vector<Block> ChainedBlocks(const Ring& ring) {
  std::vector<Block> likely;
  ForEachWord(ring, [&](uint64_t offset, uint64_t word) {
    if (word >= kLowestLikelyId && word < kHighestLikelyId) likely.push_back({offset, word});
  });
  std::vector<Block> chained;
  for (size_t i = 0; i < likely.size(); ++i) {
    const bool follows = i > 0 && likely[i - 1].id + 1 == likely[i].id;
    const bool leads = i + 1 < likely.size() && likely[i].id + 1 == likely[i + 1].id;
    if (follows || leads) chained.push_back(likely[i]);
  }
  return chained;
}

LogRecord Carved(uint64_t seq, absl::string_view text) {
  LogRecord record;
  record.seq = seq;
  record.text = std::string(text);
  record.text_state = TextState::kCarved;
  return record;
}

std::vector<LogRecord> TextOfBlocks(const Ring& ring, const std::vector<Block>& blocks) {
  std::vector<std::pair<uint64_t, absl::string_view>> texts;
  for (size_t i = 0; i < blocks.size(); ++i) {
    const uint64_t start = blocks[i].offset + ring.layout.word;
    const uint64_t end = i + 1 < blocks.size() ? blocks[i + 1].offset : ring.data.size();
    const uint64_t length = end > start ? std::min(end - start, kMaxTextBytes) : 0;
    texts.emplace_back(blocks[i].id, GuessText(TextOf(ring.data.Prefix(start, length))));
  }
  // A block that wraps has its id twice: the longer text is the text.
  std::stable_sort(texts.begin(), texts.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first < b.first : a.second.size() > b.second.size();
  });
  std::vector<LogRecord> records;
  for (size_t i = 0; i < texts.size(); ++i) {
    if (i > 0 && texts[i].first == texts[i - 1].first) continue;
    // Ids count up with seqs; from which seq on, only the number of descriptors could tell.
    const uint64_t seq = ring.count != 0 && ring.layout.word == 8
                             ? texts[i].first + ring.count - (uint64_t{1} << 32)
                             : texts[i].first - texts[0].first;
    records.push_back(Carved(seq, texts[i].second));
  }
  return records;
}

bool IsText(uint8_t byte) { return byte == '\t' || (byte >= 0x20 && byte != 0x7f); }

std::vector<LogRecord> PrintableRuns(const Ring& ring) {
  std::vector<LogRecord> records;
  for (const SparseBytes::Extent& extent : ring.data.extents()) {
    const absl::string_view all = TextOf(extent.bytes);
    for (size_t at = 0; at < all.size();) {
      size_t end = at;
      while (end < all.size() && end - at < kMaxTextBytes && IsText(static_cast<uint8_t>(all[end]))) ++end;
      if (end - at >= kShortestRun) records.push_back(Carved(records.size(), all.substr(at, end - at)));
      at = std::max(end, at + 1);
    }
  }
  return records;
}

}  // namespace

BlockIndex::BlockIndex(const Ring& ring, uint64_t first, uint64_t count) : ring_(ring) {
  const uint64_t id_mask = (ring.layout.word == 8 ? UINT64_MAX : UINT32_MAX) >> 2;
  ForEachWord(ring, [&](uint64_t offset, uint64_t word) {
    if (word <= id_mask && ((word - first) & id_mask) < count) offsets_[word].push_back(offset);
  });
}

std::optional<uint64_t> BlockIndex::Find(uint64_t id, uint64_t text_len) const {
  const auto entry = offsets_.find(id);
  if (entry == offsets_.end()) return {};
  for (const uint64_t offset : entry->second) {
    if (offset + ring_.layout.word + text_len <= ring_.data.size()) return offset;
  }
  return {};
}

absl::string_view GuessText(absl::string_view block) {
  absl::string_view text = block.substr(0, block.find('\0'));
  if (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  const size_t twice = 2 * kLevelPrefixBytes;
  if (text.size() >= twice &&
      text.substr(text.size() - twice, kLevelPrefixBytes) == text.substr(text.size() - kLevelPrefixBytes)) {
    text.remove_suffix(kLevelPrefixBytes);
  }
  return text;
}

std::vector<LogRecord> CarveText(const Ring& ring) {
  const std::vector<Block> blocks = ChainedBlocks(ring);
  return blocks.empty() ? PrintableRuns(ring) : TextOfBlocks(ring, blocks);
}

}  // namespace corefleet
