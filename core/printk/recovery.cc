#include "core/printk/recovery.h"

#include <algorithm>
#include <bitset>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/strip.h"
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

// Words that are ids, ascending by offset. The end of a text can look like one. But all ids of a ring are
// near one another, and most have a successor: the neighbourhood with the most such pairs is theirs.
std::vector<Block> LikelyBlocks(const Ring& ring) {
  constexpr int kNeighbourhoodBits = 20;
  std::vector<Block> words;
  absl::flat_hash_set<uint64_t> present;
  ForEachWord(ring, [&](uint64_t offset, uint64_t word) {
    if (word < kLowestLikelyId || word >= kHighestLikelyId) return;
    words.push_back({offset, word});
    present.insert(word);
  });
  absl::flat_hash_map<uint64_t, uint64_t> pairs;
  uint64_t best = 0;
  for (const uint64_t id : present) {
    if (!present.contains(id + 1)) continue;
    const uint64_t here = id >> kNeighbourhoodBits;
    // Ties go to the lower neighbourhood, so that the answer does not depend on the order of a hash table.
    ++pairs[here];
    if (pairs[here] > pairs[best] || (pairs[here] == pairs[best] && here < best)) best = here;
  }
  if (pairs.empty()) return {};
  std::vector<Block> blocks;
  for (const Block& block : words) {
    const uint64_t here = block.id >> kNeighbourhoodBits;
    if (here + 1 >= best && here <= best + 1) blocks.push_back(block);
  }
  return blocks;
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
  // Ids count up with seqs; from which seq on, only the number of descriptors tells.
  const uint64_t first_ever = (uint64_t{1} << 32) - ring.count;
  const bool known = ring.count != 0 && ring.layout.word == 8 && texts[0].first >= first_ever;
  const uint64_t first_id = known ? first_ever : texts[0].first;
  std::vector<LogRecord> records;
  for (size_t i = 0; i < texts.size(); ++i) {
    if (i > 0 && texts[i].first == texts[i - 1].first) continue;
    records.push_back(Carved(texts[i].first - first_id, texts[i].second));
  }
  return records;
}

bool IsText(uint8_t byte) { return byte == '\t' || (byte >= 0x20 && byte != 0x7f); }

// Erased flash reads as 0xff and freed memory as 0x6b, which is a letter: a run must be mostly ASCII, and say
// something.
bool SaysSomething(absl::string_view run) {
  constexpr size_t kFewestDifferentBytes = 4;
  std::bitset<256> seen;
  size_t graphic = 0;
  for (const unsigned char byte : run) {
    seen.set(byte);
    if (byte > 0x20 && byte < 0x7f) ++graphic;
  }
  return run.size() >= kShortestRun && 2 * graphic >= run.size() && seen.count() >= kFewestDifferentBytes;
}

std::vector<LogRecord> PrintableRuns(const Ring& ring) {
  std::vector<LogRecord> records;
  for (const SparseBytes::Extent& extent : ring.data.extents()) {
    const absl::string_view all = TextOf(extent.bytes);
    for (size_t at = 0; at < all.size();) {
      size_t end = at;
      while (end < all.size() && end - at < kMaxTextBytes && IsText(static_cast<uint8_t>(all[end]))) ++end;
      const absl::string_view run = all.substr(at, end - at);
      if (SaysSomething(run)) records.push_back(Carved(records.size(), run));
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
  // The last piece of a continued line was a newline alone: its prefix is still there.
  if (absl::ConsumeSuffix(&text, "\001c")) return text;
  const size_t twice = 2 * kLevelPrefixBytes;
  if (text.size() >= twice &&
      text.substr(text.size() - twice, kLevelPrefixBytes) == text.substr(text.size() - kLevelPrefixBytes)) {
    text.remove_suffix(kLevelPrefixBytes);
  }
  return text;
}

std::vector<LogRecord> CarveText(const Ring& ring) {
  const std::vector<Block> blocks = LikelyBlocks(ring);
  return blocks.empty() ? PrintableRuns(ring) : TextOfBlocks(ring, blocks);
}

}  // namespace corefleet
