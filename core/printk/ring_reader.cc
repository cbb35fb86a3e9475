#include "core/printk/ring_reader.h"

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>

#include "core/printk/recovery.h"

namespace corefleet {
namespace {

// How many slots there are up to the last one that the image has something of: what a ring claims beyond
// costs nothing.
uint64_t SlotsIn(const SparseBytes& array, uint64_t element_size, uint64_t count) {
  if (array.extents().empty()) return 0;
  const SparseBytes::Extent& last = array.extents().back();
  return std::min(count, (last.offset + last.bytes.size()) / element_size);
}

uint64_t SlotsIn(const Ring& ring) {
  return std::max(SlotsIn(ring.descs, ring.layout.desc_size, ring.count),
                  SlotsIn(ring.infos, ring.layout.info_size, ring.count));
}

// How seqs and ids of one ring go together. The kernel keeps seq = id + a constant (32-bit ids wrap at 2^30);
// the constant most slots agree on is taken, so that one damaged slot neither misleads nor is believed.
class Sequence {
 public:
  Sequence(const Ring& ring, const RingElements& elements) : id_mask_(elements.id_mask()) {
    // The first id is computed in 32 bits, even where ids have 62: hence this odd constant.
    anchor_id_ = 0;
    anchor_seq_ = ring.layout.word == 8 ? ring.count - (uint64_t{1} << 32) : ring.count;
    Vote(ring, elements);
  }

  uint64_t SeqOf(uint64_t id) const { return anchor_seq_ + Distance(id - anchor_id_); }
  uint64_t IdOf(uint64_t seq) const { return (anchor_id_ + (seq - anchor_seq_)) & id_mask_; }

 private:
  // `difference` of two ids as a signed number.
  uint64_t Distance(uint64_t difference) const {
    difference &= id_mask_;
    return difference > id_mask_ / 2 ? difference - id_mask_ - 1 : difference;
  }

  // Majority vote in one pass and no memory (Boyer and Moore).
  void Vote(const Ring& ring, const RingElements& elements) {
    uint64_t votes = 0;
    uint64_t constant = 0;
    for (uint64_t slot = 0; slot < SlotsIn(ring.descs, ring.layout.desc_size, ring.count); ++slot) {
      const std::optional<Descriptor> desc = elements.DescriptorAt(slot);
      if (!desc || elements.SlotOf(desc->id) != slot) continue;
      if (desc->state != DescriptorState::kCommitted && desc->state != DescriptorState::kFinalized) continue;
      const std::optional<uint64_t> seq = elements.SeqAt(slot);
      if (!seq || elements.SlotOf(*seq) != slot) continue;
      const uint64_t vote = (*seq - desc->id) & id_mask_;
      if (votes == 0) {
        constant = vote;
        anchor_id_ = desc->id;
        anchor_seq_ = *seq;
      }
      votes += vote == constant ? 1 : uint64_t(-1);
    }
  }

  uint64_t id_mask_;
  uint64_t anchor_id_;
  uint64_t anchor_seq_;
};

// Decodes the records of a list of ids, each with whatever of its descriptor, its info and its text is there.
class Decoder {
 public:
  // `ids` ascend and lie within one lap of the ring. With `salvage`, slots that the kernel had given up count
  // too, as far as everything in them still agrees.
  Decoder(const Ring& ring, const RingElements& elements, const Sequence& sequence,
          const std::vector<uint64_t>& ids, bool salvage)
      : ring_(ring),
        elements_(elements),
        sequence_(sequence),
        ids_(ids),
        salvage_(salvage),
        text_left_(ring.data.available()) {}

  RingRecords Decode() {
    auto& records = result_.records;
    records.reserve(ids_.size());
    for (const uint64_t id : ids_) DecodeOne(id);
    const auto not_ascending = [](const LogRecord& a, const LogRecord& b) { return a.seq >= b.seq; };
    // Of a sound ring they are in order, and moving all of them would be the most expensive step.
    if (std::adjacent_find(records.begin(), records.end(), not_ascending) != records.end()) SortBySeq();
    return std::move(result_);
  }

 private:
  void SortBySeq() {
    auto& records = result_.records;
    std::stable_sort(records.begin(), records.end(),
                     [](const auto& a, const auto& b) { return a.seq < b.seq; });
    const auto same = [](const LogRecord& a, const LogRecord& b) { return a.seq == b.seq; };
    records.erase(std::unique(records.begin(), records.end(), same), records.end());
  }

  void DecodeOne(uint64_t id) {
    const uint64_t slot = elements_.SlotOf(id);
    const std::optional<Descriptor> desc = elements_.DescriptorAt(slot);
    const std::optional<Info> info = elements_.InfoAt(slot);
    if (!desc) return info ? DecodeByInfo(id, *info) : DecodeByBlock(id);
    if (desc->id != id) {
      ++result_.damaged;
    } else if (desc->state == DescriptorState::kReserved) {
      DecodeUnfinished(*desc, info);
    } else if (desc->state != DescriptorState::kReusable) {
      DecodeWhole(*desc, info);
    } else if (salvage_ && info) {
      DecodeRecycled(*desc, *info);
    }
  }

  void DecodeWhole(const Descriptor& desc, const std::optional<Info>& info) {
    LogRecord record = info ? info->record : LogRecord{};
    FixSeq(desc.id, info.has_value(), &record);
    const TextBlock block = elements_.BlockOf(desc);
    switch (block.kind) {
      case TextBlock::Kind::kEmptyLine:
        break;
      case TextBlock::Kind::kNoText:
        ++result_.no_room;
        record.text_state = TextState::kLost;
        break;
      case TextBlock::Kind::kDamaged:
        ++result_.damaged;
        TakeTextById(desc.id, info, &record);
        break;
      case TextBlock::Kind::kBlock:
        if (elements_.IdAt(block.offset) != desc.id) {
          TakeTextById(desc.id, info, &record);
        } else {
          TakeTextOf(block, info, &record);
        }
    }
    result_.records.push_back(std::move(record));
  }

  void TakeTextOf(const TextBlock& block, const std::optional<Info>& info, LogRecord* record) {
    const uint64_t room = block.length - elements_.word();
    if (info) {
      TakeText(block.offset, room, info->text_len, record);
    } else {
      GuessTextAt(block.offset, room, record);
    }
  }

  // The descriptor leads to a block of another record, or nowhere: it or the ring's size may be what is
  // damaged, and the block be somewhere else.
  void TakeTextById(uint64_t id, const std::optional<Info>& info, LogRecord* record) {
    record->text_state = TextState::kLost;
    if (!info || info->text_len == 0) return;
    const std::optional<uint64_t> offset = Blocks().Find(id, info->text_len);
    if (!offset) return;
    record->text_state = TextState::kWhole;
    TakeText(*offset, info->text_len, info->text_len, record);
    if (record->text_state != TextState::kWhole) return;
    record->text_state = TextState::kCarved;
    ++result_.found_by_id;
  }

  // The kernel gave this record up and wrote nothing else into its place.
  void DecodeRecycled(const Descriptor& desc, const Info& info) {
    const TextBlock block = elements_.BlockOf(desc);
    if (info.record.seq != sequence_.SeqOf(desc.id) || block.kind != TextBlock::Kind::kBlock ||
        elements_.IdAt(block.offset) != desc.id || info.text_len > block.length - elements_.word()) {
      return;
    }
    LogRecord record = info.record;
    TakeTextOf(block, info, &record);
    if (record.text_state != TextState::kWhole) return;
    record.text_state = TextState::kCarved;
    ++result_.recycled;
    result_.records.push_back(std::move(record));
  }

  // A writer was inside. What it had written is worth showing when the block is its own.
  void DecodeUnfinished(const Descriptor& desc, const std::optional<Info>& info) {
    ++result_.unfinished;
    const TextBlock block = elements_.BlockOf(desc);
    if (block.kind != TextBlock::Kind::kBlock || elements_.IdAt(block.offset) != desc.id) {
      ++result_.unfinished_without_text;
      return;
    }
    LogRecord record = info ? info->record : LogRecord{};
    record.seq = sequence_.SeqOf(desc.id);
    const uint64_t room = block.length - elements_.word();
    if (info && info->text_len > 0) {
      TakeText(block.offset, room, info->text_len, &record);
    } else {
      GuessTextAt(block.offset, room, &record);
    }
    record.text_state = TextState::kIncomplete;
    result_.records.push_back(std::move(record));
  }

  void DecodeByInfo(uint64_t id, const Info& info) {
    LogRecord record = info.record;
    if (record.ts_nsec == 0 && info.text_len == 0) return;  // the slot of a record that never was
    if (record.seq != sequence_.SeqOf(id)) {
      ++result_.damaged;
      return;
    }
    if (info.text_len > 0) {
      const std::optional<uint64_t> offset = Blocks().Find(id, info.text_len);
      if (offset) {
        TakeText(*offset, info.text_len, info.text_len, &record);
      } else {
        record.text_state = TextState::kLost;
      }
    }
    result_.records.push_back(std::move(record));
  }

  void DecodeByBlock(uint64_t id) {
    const std::optional<uint64_t> offset = Blocks().Find(id, elements_.word());
    if (!offset) {
      ++result_.absent;
      return;
    }
    ++result_.no_info;
    const std::optional<uint64_t> next = Blocks().Find((id + 1) & elements_.id_mask(), 0);
    const uint64_t start = *offset + elements_.word();
    const uint64_t end = next && *next > start ? *next : ring_.data.size();
    LogRecord record;
    record.seq = sequence_.SeqOf(id);
    GuessTextAt(*offset, end - start, &record);
    result_.records.push_back(std::move(record));
  }

  void FixSeq(uint64_t id, bool has_info, LogRecord* record) {
    const uint64_t seq = sequence_.SeqOf(id);
    if (!has_info) ++result_.no_info;
    if (has_info && record->seq != seq) ++result_.damaged;
    record->seq = seq;
  }

  void TakeText(uint64_t offset, uint64_t room, uint64_t text_len, LogRecord* record) {
    const ByteView text = ring_.data.Prefix(offset + elements_.word(), std::min(room, text_len));
    if (!Spend(text.size(), record)) return;
    record->text.assign(reinterpret_cast<const char*>(text.data()), text.size());
    if (text.size() == text_len) return;
    record->text_state = text.empty() && room > 0 ? TextState::kLost : TextState::kTruncated;
  }

  void GuessTextAt(uint64_t offset, uint64_t room, LogRecord* record) {
    const ByteView bytes = ring_.data.Prefix(offset + elements_.word(), std::min<uint64_t>(room, UINT16_MAX));
    const absl::string_view text = GuessText(TextOf(bytes));
    record->text_state = TextState::kCarved;
    if (Spend(text.size(), record)) record->text = std::string(text);
  }

  // Blocks of a sound ring do not overlap, so all texts together are no more than the text ring. A ring made
  // to claim the same bytes again and again ends here.
  bool Spend(uint64_t bytes, LogRecord* record) {
    if (bytes <= text_left_) {
      text_left_ -= bytes;
      return true;
    }
    ++result_.damaged;
    record->text_state = TextState::kLost;
    return false;
  }

  const BlockIndex& Blocks() {
    if (!blocks_) {
      const uint64_t span = ((ids_.back() - ids_.front()) & elements_.id_mask()) + 1;
      blocks_.emplace(ring_, ids_.front(), std::min(span, ring_.count));
    }
    return *blocks_;
  }

  const Ring& ring_;
  const RingElements& elements_;
  const Sequence& sequence_;
  const std::vector<uint64_t>& ids_;
  const bool salvage_;
  uint64_t text_left_;
  std::optional<BlockIndex> blocks_;
  RingRecords result_;
};

// Every id from the oldest to the newest; empty when the two cannot be.
std::vector<uint64_t> IdsOfHeader(const Ring& ring, const RingElements& elements) {
  std::vector<uint64_t> ids;
  if (!ring.head_id || !ring.tail_id) return ids;
  const uint64_t span = (*ring.head_id - *ring.tail_id) & elements.id_mask();
  if (span >= ring.count || *ring.head_id > elements.id_mask() || *ring.tail_id > elements.id_mask())
    return ids;
  // A record of which only the text is left has a block at least, and there cannot be more of those than
  // words.
  const bool text_alone = ring.count <= ring.data.available() / elements.word();
  const uint64_t slots = SlotsIn(ring);
  for (uint64_t i = 0; i <= span; ++i) {
    const uint64_t id = (*ring.tail_id + i) & elements.id_mask();
    if (text_alone || elements.SlotOf(id) < slots) ids.push_back(id);
  }
  return ids;
}

bool IsReadable(DescriptorState state) {
  return state == DescriptorState::kCommitted || state == DescriptorState::kFinalized;
}

// True when there are records that are not between tail and head: no writer leaves such, so one of the two is
// damaged, however possible it looks.
bool HasRecordsOutside(const Ring& ring, const RingElements& elements, const Sequence& sequence) {
  for (uint64_t slot = 0; slot < SlotsIn(ring.descs, ring.layout.desc_size, ring.count); ++slot) {
    const std::optional<Descriptor> desc = elements.DescriptorAt(slot);
    if (!desc || !IsReadable(desc->state) || elements.SlotOf(desc->id) != slot) continue;
    const uint64_t span = (*ring.head_id - *ring.tail_id) & elements.id_mask();
    if (((desc->id - *ring.tail_id) & elements.id_mask()) <= span) continue;
    if (elements.SeqAt(slot) == sequence.SeqOf(desc->id)) return true;
  }
  return false;
}

// The id that a slot seems to hold, by its descriptor or else by its info.
std::optional<uint64_t> IdOfSlot(const RingElements& elements, const Sequence& sequence, uint64_t slot) {
  if (const std::optional<Descriptor> desc = elements.DescriptorAt(slot)) {
    // Slots never used are all zero.
    const bool in_use = desc->id != 0 || desc->begin != 0;
    return in_use && elements.SlotOf(desc->id) == slot ? std::optional(desc->id) : std::nullopt;
  }
  const std::optional<uint64_t> seq = elements.SeqAt(slot);
  if (!seq || elements.SlotOf(*seq) != slot) return {};
  return sequence.IdOf(*seq);
}

// The ids of all slots that look used, without those that are not within one lap of most others.
std::vector<uint64_t> IdsOfSlots(const Ring& ring, const RingElements& elements, const Sequence& sequence) {
  const uint64_t slots = SlotsIn(ring);
  // By seq, which unlike 32-bit ids does not wrap.
  std::vector<uint64_t> seqs;
  for (uint64_t slot = 0; slot < slots; ++slot) {
    const std::optional<uint64_t> id = IdOfSlot(elements, sequence, slot);
    if (id) seqs.push_back(sequence.SeqOf(*id));
  }
  std::sort(seqs.begin(), seqs.end());
  size_t best = 0;
  size_t best_size = 0;
  for (size_t first = 0, end = 0; first < seqs.size(); ++first) {
    while (end < seqs.size() && seqs[end] - seqs[first] < ring.count) ++end;
    if (end - first > best_size) std::tie(best, best_size) = std::pair(first, end - first);
  }
  std::vector<uint64_t> ids;
  for (size_t i = best; i < best + best_size; ++i) ids.push_back(sequence.IdOf(seqs[i]));
  return ids;
}

bool IsPowerOfTwo(uint64_t value) { return value != 0 && (value & (value - 1)) == 0; }

RingMethod MethodFor(const Ring& ring, RingMethod with_descriptors) {
  if (ring.descs.available() >= ring.layout.desc_size) return with_descriptors;
  return ring.infos.available() >= ring.layout.info_size ? RingMethod::kInfos : RingMethod::kCarved;
}

// How many records there are between the newest that was read and `last_seq`.
uint64_t MissingAfter(const RingRecords& found, uint64_t last_seq) {
  const uint64_t newest = found.records.back().seq;
  const uint64_t after = last_seq > newest ? last_seq - newest : 0;
  return after - std::min(after, found.unfinished_without_text);
}

RingRecords Carve(const Ring& ring) {
  RingRecords result;
  result.records = CarveText(ring);
  if (!result.records.empty()) result.method = RingMethod::kCarved;
  return result;
}

}  // namespace

absl::string_view RingMethodName(RingMethod method) {
  switch (method) {
    case RingMethod::kNone:
      return "";
    case RingMethod::kIds:
      return "ring";
    case RingMethod::kDescriptors:
      return "descriptors";
    case RingMethod::kInfos:
      return "infos";
    case RingMethod::kCarved:
      return "carved";
  }
  return "";
}

RingRecords ReadRing(const Ring& ring) {
  if (!IsPowerOfTwo(ring.count) || (ring.data_size != 0 && !IsPowerOfTwo(ring.data_size))) return Carve(ring);
  const RingElements elements(ring);
  const Sequence sequence(ring, elements);
  const auto decode = [&](const std::vector<uint64_t>& ids, RingMethod method) {
    const bool salvage = method == RingMethod::kDescriptors;
    RingRecords result = Decoder(ring, elements, sequence, ids, salvage).Decode();
    result.method = MethodFor(ring, method);
    return result;
  };
  const std::vector<uint64_t> ids = IdsOfHeader(ring, elements);
  RingRecords by_ids = decode(ids, RingMethod::kIds);
  if (!by_ids.records.empty()) {
    by_ids.after_last = MissingAfter(by_ids, sequence.SeqOf(*ring.head_id));
    by_ids.absent += ((*ring.head_id - *ring.tail_id) & elements.id_mask()) + 1 - ids.size();
  }
  const bool outside = !ids.empty() && HasRecordsOutside(ring, elements, sequence);
  if (!by_ids.records.empty() && by_ids.damaged <= by_ids.records.size() && !outside) return by_ids;
  RingRecords by_slots = decode(IdsOfSlots(ring, elements, sequence), RingMethod::kDescriptors);
  if (by_slots.records.size() > by_ids.records.size()) return by_slots;
  if (!by_ids.records.empty()) return by_ids;
  // A ring whose descriptors are whole and all unused is an empty log, not a damaged one.
  const bool has_metadata = ring.descs.available() > 0 || ring.infos.available() > 0;
  if (has_metadata && ring.descs.available() == ring.descs.size() && ring.head_id) return RingRecords{};
  return Carve(ring);
}

}  // namespace corefleet
