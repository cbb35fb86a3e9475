#include "core/printk/ring.h"

#include "core/bytes/byte_reader.h"

namespace corefleet {
namespace {

// printk_ringbuffer.h's marks of a record without a block: both positions are odd.
constexpr uint64_t kFailedPosition = 1;
constexpr uint64_t kEmptyLinePosition = 3;

}  // namespace

Ring Ring::Read(const AddressSpace& space, const RingLayout& layout, const RingHeader& header) {
  Ring ring;
  ring.layout = layout;
  ring.count = header.count;
  ring.data_size = header.data_size;
  ring.fail = header.fail;
  ring.head_id = header.head_id;
  ring.tail_id = header.tail_id;
  ring.descs = SparseBytes::ReadVirtual(space, header.descs, header.count * layout.desc_size);
  ring.infos = SparseBytes::ReadVirtual(space, header.infos, header.count * layout.info_size);
  ring.data = SparseBytes::ReadVirtual(space, header.data, header.data_size);
  return ring;
}

RingElements::RingElements(const Ring& ring)
    : ring_(ring), word_mask_(ring.layout.word == 8 ? UINT64_MAX : UINT32_MAX), id_mask_(word_mask_ >> 2) {}

uint64_t RingElements::Word(ByteView bytes, uint64_t offset) const {
  return LoadInteger(bytes.subspan(offset), ring_.layout.word, ring_.layout.endian);
}

std::optional<Descriptor> RingElements::DescriptorAt(uint64_t slot) const {
  const RingLayout& layout = ring_.layout;
  const ByteView bytes = ring_.descs.Whole(slot * layout.desc_size, layout.desc_size);
  if (bytes.empty()) return {};
  const uint64_t state_var = Word(bytes, layout.state_var);
  return Descriptor{.state = static_cast<DescriptorState>(state_var >> (layout.word * 8 - 2)),
                    .id = state_var & id_mask_,
                    .begin = Word(bytes, layout.begin),
                    .next = Word(bytes, layout.next)};
}

std::string RingElements::FixedString(ByteView info, uint64_t offset, uint64_t length) const {
  const absl::string_view field = TextOf(info.subspan(offset, length));
  return std::string(field.substr(0, field.find('\0')));
}

std::optional<Info> RingElements::InfoAt(uint64_t slot) const {
  const RingLayout& layout = ring_.layout;
  const ByteView bytes = ring_.infos.Whole(slot * layout.info_size, layout.info_size);
  if (bytes.empty()) return {};
  const auto integer = [&](uint64_t offset, size_t width) {
    return LoadInteger(bytes.subspan(offset), width, layout.endian);
  };
  Info info;
  LogRecord& record = info.record;
  record.seq = integer(layout.seq, 8);
  record.ts_nsec = integer(layout.ts_nsec, 8);
  record.facility = bytes[layout.facility];
  // `u8 flags:5; u8 level:3;`: the compiler gives bit-fields out from the end that the byte order starts
  // with.
  const uint8_t both = bytes[layout.flags_level];
  const bool little = layout.endian == Endian::kLittle;
  record.level = little ? both >> 5 : both & 7;
  record.flags = little ? both & 31 : both >> 3;
  record.caller_id = static_cast<uint32_t>(integer(layout.caller_id, 4));
  record.subsystem = FixedString(bytes, layout.subsystem, layout.subsystem_length);
  record.device = FixedString(bytes, layout.device, layout.device_length);
  info.text_len = static_cast<uint16_t>(integer(layout.text_len, 2));
  return info;
}

std::optional<uint64_t> RingElements::SeqAt(uint64_t slot) const {
  const RingLayout& layout = ring_.layout;
  const ByteView bytes = ring_.infos.Whole(slot * layout.info_size + layout.seq, 8);
  if (bytes.empty()) return {};
  return LoadInteger(bytes, 8, layout.endian);
}

TextBlock RingElements::BlockOf(const Descriptor& descriptor) const {
  const uint64_t begin = descriptor.begin;
  const uint64_t next = descriptor.next;
  if ((begin & 1) != 0 && (next & 1) != 0) {
    if (begin == kEmptyLinePosition && next == kEmptyLinePosition) return {TextBlock::Kind::kEmptyLine};
    if (begin == kFailedPosition && next == kFailedPosition) return {TextBlock::Kind::kNoText};
    return {};
  }
  const uint64_t size = ring_.data_size;
  if (begin % word() != 0 || next % word() != 0 || size < word()) return {};
  // `next - 1`, because since 6.19 a block may end exactly where the array does.
  const uint64_t last = (next - 1) & word_mask_;
  const uint64_t wraps = word_mask_ / size + 1;  // 0 when size is 1, which the check above excludes
  TextBlock block;
  if (begin / size == last / size) {
    block = {TextBlock::Kind::kBlock, begin % size, ((next - begin) & word_mask_)};
  } else if ((begin / size + 1) % wraps == last / size) {
    block = {TextBlock::Kind::kBlock, 0, last % size + 1};  // only its id stayed at `begin`
  }
  if (block.length < word() || block.length > size) return {};
  return block;
}

std::optional<uint64_t> RingElements::IdAt(uint64_t offset) const {
  const ByteView bytes = ring_.data.Whole(offset, word());
  if (bytes.empty()) return {};
  return Word(bytes, 0);
}

}  // namespace corefleet
