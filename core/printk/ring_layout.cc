#include "core/printk/ring_layout.h"

#include <algorithm>

namespace corefleet {
namespace {

constexpr uint64_t kMaxCountBits = 24;
constexpr uint64_t kMaxSizeBits = 31;
// No struct here comes near; a larger offset is a lie that would only cost time.
constexpr uint64_t kMaxStruct = 4096;

// Takes offsets from VMCOREINFO as long as they stay inside any struct that can be.
class Lookup {
 public:
  explicit Lookup(const Vmcoreinfo& info) : info_(info) {}
  uint64_t Offset(absl::string_view member, uint64_t otherwise) const {
    return InStruct(info_.Offset(member), otherwise);
  }
  uint64_t Size(absl::string_view type, uint64_t otherwise) const {
    const uint64_t size = InStruct(info_.Size(type), otherwise);
    return size == 0 ? otherwise : size;
  }
  uint64_t Length(absl::string_view array, uint64_t otherwise) const {
    return InStruct(info_.Length(array), otherwise);
  }

 private:
  static uint64_t InStruct(std::optional<uint64_t> value, uint64_t otherwise) {
    return value && *value <= kMaxStruct ? *value : otherwise;
  }
  const Vmcoreinfo& info_;
};

void PlaceRing(const Lookup& lookup, RingLayout* layout) {
  const uint64_t w = layout->word;
  const uint64_t desc_ring = lookup.Offset("printk_ringbuffer.desc_ring", 0);
  const uint64_t data_ring = lookup.Offset("printk_ringbuffer.text_data_ring", 6 * w);
  const uint64_t counter = lookup.Offset("atomic_long_t.counter", 0);
  layout->count_bits = desc_ring + lookup.Offset("prb_desc_ring.count_bits", 0);
  layout->descs = desc_ring + lookup.Offset("prb_desc_ring.descs", w);
  layout->infos = desc_ring + lookup.Offset("prb_desc_ring.infos", 2 * w);
  layout->head_id = desc_ring + lookup.Offset("prb_desc_ring.head_id", 3 * w) + counter;
  layout->tail_id = desc_ring + lookup.Offset("prb_desc_ring.tail_id", 4 * w) + counter;
  layout->size_bits = data_ring + lookup.Offset("prb_data_ring.size_bits", 0);
  layout->data = data_ring + lookup.Offset("prb_data_ring.data", w);
  layout->fail = lookup.Offset("printk_ringbuffer.fail", 10 * w) + counter;
  layout->ring_size =
      std::max({layout->count_bits + 4, layout->descs + w, layout->infos + w, layout->head_id + w,
                layout->tail_id + w, layout->size_bits + 4, layout->data + w, layout->fail + w});
}

void PlaceDescriptor(const Lookup& lookup, RingLayout* layout) {
  const uint64_t w = layout->word;
  const uint64_t position = lookup.Offset("prb_desc.text_blk_lpos", w);
  layout->state_var = lookup.Offset("prb_desc.state_var", 0) + lookup.Offset("atomic_long_t.counter", 0);
  layout->begin = position + lookup.Offset("prb_data_blk_lpos.begin", 0);
  layout->next = position + lookup.Offset("prb_data_blk_lpos.next", w);
  const uint64_t least = std::max({layout->state_var, layout->begin, layout->next}) + w;
  layout->desc_size = std::max(lookup.Size("prb_desc", 3 * w), least);
}

void PlaceInfo(const Lookup& lookup, RingLayout* layout) {
  layout->seq = lookup.Offset("printk_info.seq", 0);
  layout->ts_nsec = lookup.Offset("printk_info.ts_nsec", 8);
  layout->text_len = lookup.Offset("printk_info.text_len", 16);
  layout->facility = layout->text_len + 2;
  layout->flags_level = layout->text_len + 3;
  layout->caller_id = lookup.Offset("printk_info.caller_id", 20);
  const uint64_t device = lookup.Offset("printk_info.dev_info", 24);
  layout->subsystem = device + lookup.Offset("dev_printk_info.subsystem", 0);
  layout->subsystem_length = lookup.Length("printk_info_subsystem", 16);
  layout->device = device + lookup.Offset("dev_printk_info.device", 16);
  layout->device_length = lookup.Length("printk_info_device", 48);
  const uint64_t least =
      std::max({layout->seq + 8, layout->ts_nsec + 8, layout->text_len + 4, layout->caller_id + 4,
                layout->subsystem + layout->subsystem_length, layout->device + layout->device_length});
  layout->info_size = std::max(lookup.Size("printk_info", 88), least);
}

}  // namespace

RingLayout RingLayout::From(const Vmcoreinfo& info, uint32_t word, Endian endian) {
  RingLayout layout;
  layout.word = word;
  layout.endian = endian;
  const Lookup lookup(info);
  PlaceRing(lookup, &layout);
  PlaceDescriptor(lookup, &layout);
  PlaceInfo(lookup, &layout);
  return layout;
}

std::optional<RingHeader> ParseRingHeader(const RingLayout& layout, ByteView bytes) {
  if (bytes.size() < layout.ring_size) return {};
  const auto word = [&](uint64_t offset) {
    return LoadInteger(bytes.subspan(offset), layout.word, layout.endian);
  };
  const uint64_t count_bits = LoadInteger(bytes.subspan(layout.count_bits), 4, layout.endian);
  const uint64_t size_bits = LoadInteger(bytes.subspan(layout.size_bits), 4, layout.endian);
  if (count_bits == 0 || count_bits > kMaxCountBits || size_bits == 0 || size_bits > kMaxSizeBits) return {};
  RingHeader header;
  header.count = uint64_t{1} << count_bits;
  header.data_size = uint64_t{1} << size_bits;
  header.descs = word(layout.descs);
  header.infos = word(layout.infos);
  header.data = word(layout.data);
  header.head_id = word(layout.head_id);
  header.tail_id = word(layout.tail_id);
  header.fail = word(layout.fail);
  if (header.descs == 0 || header.infos == 0 || header.data == 0) return {};
  return header;
}

}  // namespace corefleet
