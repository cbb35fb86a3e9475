#include "core/minidump/payload_anchors.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "absl/strings/match.h"
#include "core/bytes/byte_reader.h"
#include "core/minidump/payload_chain.h"
#include "core/reassembly/anchors.h"

namespace corefleet {
namespace {

constexpr uint64_t kMaxScanned = 256 << 20;
constexpr uint64_t kBlock = 1 << 20;
constexpr uint64_t kLookAhead = 512;  // bytes after a place that its recognition may need
constexpr uint64_t kStep = 4;         // regions are multiples of four bytes
constexpr uint64_t kKernelHalf = uint64_t{0xffff} << 48;
// What a hostile file can make the scan keep and try.
constexpr size_t kMaxPlaces = 1 << 20;
constexpr size_t kMaxRingTries = 1 << 16;
constexpr int kMaxTextsOfId = 4;
constexpr size_t kMaxRings = 4;
constexpr uint32_t kFewestListHeads = 2;
constexpr uint32_t kFewestRecords = 4;

uint64_t Word(ByteView bytes, size_t at) { return LoadInteger(bytes.subspan(at), 8, Endian::kLittle); }
uint64_t RoundUp4(uint64_t size) { return (size + 3) & ~uint64_t{3}; }

constexpr uint64_t AsWord(const char (&text)[9]) {
  uint64_t word = 0;
  for (int i = 0; i < 8; ++i) word |= static_cast<uint64_t>(static_cast<uint8_t>(text[i])) << (8 * i);
  return word;
}
constexpr uint64_t kBannerWord = AsWord("Linux ve");
constexpr uint64_t kConfigWord = AsWord("IKCFG_ST");

// Which slots a log ring lies in.
struct RingSlots {
  size_t descs, infos, data;
  uint64_t records;  // a power of two
};

class Scan {
 public:
  Scan(const ByteSource& file, uint64_t start, const std::vector<Slot>& slots, MeminspectSeries series,
       const Vmcoreinfo& vmcoreinfo)
      : file_(file), start_(start), slots_(slots), vmcoreinfo_(vmcoreinfo), places_(slots.size()) {
    for (size_t i = 0; i < slots.size(); ++i) {
      if (!slots[i].can_be_filled()) continue;
      if (slots[i].has_vaddr) by_vaddr_.push_back(i);
      if (slots[i].id) by_symbol_.emplace(SymbolOfId(series, *slots[i].id), i);
    }
    std::sort(by_vaddr_.begin(), by_vaddr_.end(),
              [&](size_t a, size_t b) { return slots[a].vaddr < slots[b].vaddr; });
  }

  std::vector<std::vector<PayloadPlace>> Run() {
    ForEachPlace([this](uint64_t at, ByteView bytes) { LookAtWord(at, bytes); });
    if (!rings_.empty()) {
      ForEachPlace([this](uint64_t at, ByteView bytes) { LookForRecords(at, bytes); });
      for (const RingSlots& ring : rings_) ReadDescriptors(ring);
      if (!texts_.empty()) ForEachPlace([this](uint64_t at, ByteView bytes) { LookForText(at, bytes); });
    }
    std::vector<std::vector<PayloadPlace>> found(slots_.size());
    for (size_t i = 0; i < slots_.size(); ++i) found[i] = BestPlaces(i);
    return found;
  }

 private:
  // Calls f(offset, the bytes from there: at least 8, at most kLookAhead) for every place where a region may
  // begin.
  template <typename F>
  void ForEachPlace(F f) {
    const uint64_t end = std::min(file_.size(), kMaxScanned);
    for (uint64_t block = start_; block < end; block += kBlock) {
      const auto bytes = ReadBytes(file_, block, std::min(kBlock + kLookAhead, end - block));
      if (!bytes.ok()) continue;
      const ByteView all(*bytes);
      for (uint64_t at = 0; at < kBlock && at + 8 <= all.size(); at += kStep)
        f(block + at, all.subspan(at, std::min<size_t>(kLookAhead, all.size() - at)));
    }
  }

  void Vote(size_t slot, uint64_t at) {
    if (at < start_ || votes_ >= kMaxPlaces) return;
    if (places_[slot][at]++ == 0) ++votes_;
  }
  std::optional<size_t> SlotOf(absl::string_view symbol) const {
    const auto found = by_symbol_.find(symbol);
    if (found == by_symbol_.end()) return std::nullopt;
    return found->second;
  }
  bool IsAddressOf(absl::string_view symbol, uint64_t value) const {
    const std::optional<size_t> slot = SlotOf(symbol);
    return slot && slots_[*slot].has_vaddr && slots_[*slot].vaddr == value;
  }
  void VoteFor(absl::string_view symbol, uint64_t at) {
    if (const std::optional<size_t> slot = SlotOf(symbol)) Vote(*slot, at);
  }

  void LookAtWord(uint64_t at, ByteView bytes) {
    const uint64_t word = Word(bytes, 0);
    if (word >= kKernelHalf) return LookAtPointer(at, word, bytes);
    if (word == kBannerWord) LookAtBanner(at, bytes);
    if (word == kConfigWord) VoteFor("kernel_config_data", at);
    if ((word & 0xffff) == ('P' | 'G' << 8) && (word >> 16 & 0xff) <= 1) VoteFor("taint_flags", at);
    if (absl::StartsWith(TextOf(bytes), absl::string_view("Linux\0\0\0", 8))) LookAtUtsname(at, bytes);
  }

  // The log has the banner's text too, but not with its newline, its NUL and its size.
  void LookAtBanner(uint64_t at, ByteView bytes) {
    const std::optional<size_t> slot = SlotOf("linux_banner");
    const size_t end = TextOf(bytes).find('\0');
    const bool whole = end != absl::string_view::npos && bytes[end - 1] == '\n';
    if (slot && whole && RoundUp4(end + 1) == RoundUp4(slots_[*slot].size)) Vote(*slot, at);
  }

  void LookAtUtsname(uint64_t at, ByteView bytes) {
    const auto release = vmcoreinfo_.Text("OSRELEASE");
    const uint64_t offset = vmcoreinfo_.Offset("uts_namespace.name").value_or(0);
    if (release && !release->empty() && offset <= at && absl::StrContains(TextOf(bytes), *release))
      VoteFor("init_uts_ns", at - offset);
  }

  void LookAtPointer(uint64_t at, uint64_t value, ByteView bytes) {
    if (IsAddressOf("printk_rb_static", value) || IsAddressOf("printk_rb_dynamic", value)) VoteFor("prb", at);
    if (IsAddressOf("_text", value)) VoteFor("kallsyms_relative_base", at);
    if (vmcoreinfo_.Symbol("mem_section") == value && !IsAddressOf("mem_section", value))
      VoteFor("mem_section", at);
    const bool list_head = bytes.size() >= 16 && Word(bytes, 8) == value;
    // The walk back is bounded: regions that contain a common address are few.
    auto after = std::partition_point(by_vaddr_.begin(), by_vaddr_.end(),
                                      [&](size_t slot) { return slots_[slot].vaddr <= value; });
    for (int back = 0; back < 8 && after != by_vaddr_.begin(); ++back) {
      const size_t slot = *--after;
      const uint64_t inside = value - slots_[slot].vaddr;
      if (inside >= slots_[slot].size) continue;
      if (list_head && inside <= at) Vote(slot, at - inside);
      if (inside == 0 && at >= start_ + 8) LookAtRing(at - 8, slot);
    }
  }

  // `slot` is what the third word of a ring's header would call the descriptors.
  void LookAtRing(uint64_t at, size_t descs) {
    if (ring_tries_++ >= kMaxRingTries) return;
    const auto bytes = ReadBytes(file_, at, std::min<uint64_t>(128, file_.size() - at));
    if (!bytes.ok()) return;
    const std::optional<RingHeader> header = ReadRingHeader(*bytes, vmcoreinfo_);
    if (!header || header->descs != slots_[descs].vaddr || header->descs_size != slots_[descs].size) return;
    const auto infos = SlotAt(header->infos, header->infos_size),
               data = SlotAt(header->data, header->data_size);
    if (!infos || !data) return;
    const bool is_static = descs == SlotOf("prb_descs").value_or(slots_.size());
    VoteFor(is_static ? "printk_rb_static" : "printk_rb_dynamic", at);
    const uint64_t records = header->descs_size / vmcoreinfo_.Size("prb_desc").value_or(24);
    const bool known =
        std::any_of(rings_.begin(), rings_.end(), [&](const RingSlots& r) { return r.descs == descs; });
    if (!known && rings_.size() < kMaxRings && records != 0)
      rings_.push_back({descs, *infos, *data, records});
  }

  std::optional<size_t> SlotAt(uint64_t vaddr, uint64_t size) const {
    for (size_t slot : by_vaddr_) {
      if (slots_[slot].vaddr == vaddr && slots_[slot].size == size) return slot;
    }
    return std::nullopt;
  }

  // Descriptors and infos of neighbouring records count up, and say at which index of their array they are.
  void LookForRecords(uint64_t at, ByteView bytes) {
    constexpr uint64_t kDesc = 24, kInfo = 88, kIdMask = (uint64_t{1} << 62) - 1;
    if (bytes.size() < kInfo + 24) return;
    const uint64_t state = Word(bytes, 0);
    if (state >> 62 != 0 && Word(bytes, kDesc) == state + 1) {
      for (const RingSlots& ring : rings_) {
        const uint64_t before = kDesc * ((state & kIdMask) % ring.records);
        if (before <= at) Vote(ring.descs, at - before);
      }
    }
    const uint64_t seq = state, stamp = Word(bytes, 8);
    const bool counts = Word(bytes, kInfo) == seq + 1 && Word(bytes, kInfo + 8) >= stamp;
    if (!counts || seq >> 48 != 0 || stamp == 0 || Word(bytes, 16) == 0) return;
    for (const RingSlots& ring : rings_) {
      const uint64_t before = kInfo * (seq % ring.records);
      if (before <= at) Vote(ring.infos, at - before);
    }
  }

  // The ids that stand in front of records' texts, and how far into the text each is.
  void ReadDescriptors(const RingSlots& ring) {
    const std::vector<PayloadPlace> places = BestPlaces(ring.descs);
    if (places.empty()) return;
    const auto bytes =
        ReadBytes(file_, places[0].offset,
                  std::min({slots_[ring.descs].size, uint64_t{1} << 20, file_.size() - places[0].offset}));
    if (!bytes.ok()) return;
    const uint64_t size = slots_[ring.data].size;
    for (size_t at = 0; at + 24 <= bytes->size(); at += 24) {
      const uint64_t state = Word(*bytes, at), begin = Word(*bytes, at + 8);
      // An odd position means that the record has no text.
      if (state >> 62 == 0 || begin % 2 != 0) continue;
      texts_.emplace(state & ((uint64_t{1} << 62) - 1), Text{ring.data, begin % size});
    }
  }

  void LookForText(uint64_t at, ByteView bytes) {
    const auto range = texts_.equal_range(Word(bytes, 0));
    int tries = 0;
    for (auto text = range.first; text != range.second && tries < kMaxTextsOfId; ++text, ++tries) {
      if (text->second.offset <= at) Vote(text->second.slot, at - text->second.offset);
    }
  }

  uint32_t FewestVotes(size_t slot) const {
    for (const RingSlots& ring : rings_) {
      if (slot == ring.descs || slot == ring.infos || slot == ring.data) return kFewestRecords;
    }
    return slots_[slot].size >= 512 ? kFewestListHeads : 1;
  }

  // The places with the most votes, the best first.
  std::vector<PayloadPlace> BestPlaces(size_t slot) const {
    std::vector<PayloadPlace> best;
    for (const auto& [at, votes] : places_[slot]) {
      if (votes >= FewestVotes(slot) || IsSure(slot)) best.push_back({at, votes});
    }
    std::stable_sort(best.begin(), best.end(),
                     [](const PayloadPlace& a, const PayloadPlace& b) { return a.votes > b.votes; });
    if (best.size() > kMaxPlacesOfPayload) best.resize(kMaxPlacesOfPayload);
    return best;
  }

  // Large regions that are known by one look at their beginning.
  bool IsSure(size_t slot) const { return SlotOf("kernel_config_data") == slot; }

  struct Text {
    size_t slot;
    uint64_t offset;
  };

  const ByteSource& file_;
  const uint64_t start_;
  const std::vector<Slot>& slots_;
  const Vmcoreinfo& vmcoreinfo_;
  std::vector<size_t> by_vaddr_;
  std::map<absl::string_view, size_t> by_symbol_;
  std::vector<std::map<uint64_t, uint32_t>> places_;  // votes for each slot's beginning
  size_t votes_ = 0;                                  // places in all of them
  std::vector<RingSlots> rings_;
  size_t ring_tries_ = 0;
  std::unordered_multimap<uint64_t, Text> texts_;  // by record id
};

}  // namespace

std::vector<std::optional<uint64_t>> FindPayloads(const ByteSource& file, uint64_t start,
                                                  const std::vector<Slot>& slots, MeminspectSeries series,
                                                  const Vmcoreinfo& vmcoreinfo) {
  std::vector<uint64_t> sizes;
  for (const Slot& slot : slots) sizes.push_back(slot.size);
  return ChooseChain(Scan(file, start, slots, series, vmcoreinfo).Run(), sizes);
}

}  // namespace corefleet
