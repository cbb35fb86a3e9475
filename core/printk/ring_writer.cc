#include "core/printk/ring_writer.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace corefleet {
namespace {

constexpr uint64_t kReusable = 3;
constexpr uint64_t kFinalized = 2;
// Positions of a record without a block.
constexpr uint64_t kFailedPosition = 1;
constexpr uint64_t kEmptyLinePosition = 3;
constexpr size_t kSubsystemBytes = 16;
constexpr size_t kDeviceBytes = 48;

void CopyField(const std::string& value, size_t room, uint8_t* at) {
  std::memcpy(at, value.data(), std::min(value.size(), room));
}

}  // namespace

RingWriter::RingWriter(const RingShape& shape)
    : descs_vaddr(shape.word == 8 ? 0xffffffff82010000 : 0xc2010000),
      infos_vaddr(descs_vaddr + 0x4000000),
      data_vaddr(descs_vaddr + 0x8000000),
      descs((uint64_t{1} << shape.count_bits) * 3 * shape.word),
      infos((uint64_t{1} << shape.count_bits) * kInfoBytes),
      data(uint64_t{1} << shape.size_bits),
      shape_(shape),
      word_mask_(shape.word == 8 ? UINT64_MAX : UINT32_MAX),
      id_mask_(word_mask_ >> 2),
      count_(uint64_t{1} << shape.count_bits),
      next_seq_(shape.records_before) {
  // The kernel computes the first id in 32 bits, and lets the first text position be just before a wrap.
  const uint64_t first_id = static_cast<uint32_t>(-(count_ + 1));
  head_id_ = tail_id_ = oldest_text_ = (first_id + shape.records_before) & id_mask_;
  head_position_ = (shape.text_before / shape.word * shape.word - data.size()) & word_mask_;
  SetState(head_id_, kReusable);
  WritePosition(head_id_, kFailedPosition, kFailedPosition);
  Put(-count_, 8, infos.data());
}

void RingWriter::Put(uint64_t value, size_t width, uint8_t* at) const {
  for (size_t i = 0; i < width; ++i) {
    const size_t place = shape_.endian == Endian::kLittle ? i : width - 1 - i;
    at[place] = static_cast<uint8_t>(value >> (8 * i));
  }
}

uint64_t RingWriter::GetWord(const uint8_t* at) const {
  return LoadInteger(ByteView(at, shape_.word), shape_.word, shape_.endian);
}

uint64_t RingWriter::NewDescriptor() {
  head_id_ = (head_id_ + 1) & id_mask_;
  if (((head_id_ - tail_id_) & id_mask_) >= count_) tail_id_ = (tail_id_ + 1) & id_mask_;
  std::memset(descriptor(head_id_), 0, desc_bytes());
  SetState(head_id_, kFinalized);
  return head_id_;
}

void RingWriter::SetState(uint64_t id, uint64_t state) {
  PutWord(state << (8 * word() - 2) | id, descriptor(id));
}

void RingWriter::WriteInfo(uint64_t id, const Record& record) {
  uint8_t* at = info(id);
  std::memset(at, 0, kInfoBytes);
  Put(next_seq_++, 8, at);
  Put(record.ts_nsec, 8, at + 8);
  Put(std::min<size_t>(record.text.size(), UINT16_MAX), 2, at + 16);
  at[18] = record.facility;
  // Bit-fields are given out from the end that the byte order starts with.
  at[19] = static_cast<uint8_t>(shape_.endian == Endian::kLittle ? record.level << 5 | record.flags
                                                                 : record.flags << 3 | record.level);
  Put(record.caller_id, 4, at + 20);
  CopyField(record.subsystem, kSubsystemBytes, at + 24);
  CopyField(record.device, kDeviceBytes, at + 24 + kSubsystemBytes);
}

void RingWriter::WritePosition(uint64_t id, uint64_t begin, uint64_t next) {
  PutWord(begin, descriptor(id) + word());
  PutWord(next, descriptor(id) + 2 * word());
}

// Makes reusable every record whose text starts before `lowest_position`. They are the oldest ones.
void RingWriter::PushOutUntil(uint64_t lowest_position) {
  if (((oldest_text_ - tail_id_) & id_mask_) >= count_) oldest_text_ = tail_id_;
  for (; oldest_text_ != head_id_; oldest_text_ = (oldest_text_ + 1) & id_mask_) {
    const uint64_t begin = GetWord(descriptor(oldest_text_) + word());
    if ((begin & 1) != 0) continue;
    const uint64_t ahead = (lowest_position - begin) & word_mask_;
    if (ahead == 0 || ahead > word_mask_ / 2) return;
    const uint64_t state = GetWord(descriptor(oldest_text_)) >> (8 * word() - 2);
    if (state == kFinalized) SetState(oldest_text_, kReusable);
  }
}

uint64_t RingWriter::Add(const Record& record) {
  const size_t length = std::min<size_t>(record.text.size(), UINT16_MAX);
  const uint64_t size = (word() + length + record.spare + word() - 1) / word() * word();
  if (size > data.size() - word()) return AddLost(record.ts_nsec);
  const uint64_t id = NewDescriptor();
  WriteInfo(id, record);
  const uint64_t begin = head_position_;
  uint64_t next = (begin + size) & word_mask_;
  uint64_t at = begin % data.size();
  const uint64_t last = exact_fit_ ? next - 1 : next;
  if (begin / data.size() != (last & word_mask_) / data.size()) {
    PutWord(id, data.data() + at);  // a wrapped block leaves its id where it would have begun
    next = ((begin / data.size() + 1) * data.size() + size) & word_mask_;
    at = 0;
  }
  PushOutUntil((next - data.size()) & word_mask_);
  PutWord(id, data.data() + at);
  std::memcpy(data.data() + at + word(), record.text.data(), length);
  if (record.spare > 0) data[at + word() + length] = 0;
  WritePosition(id, begin, next);
  head_position_ = next;
  return id;
}

uint64_t RingWriter::AddEmptyLine(uint64_t ts_nsec) {
  const uint64_t id = NewDescriptor();
  WriteInfo(id, {.ts_nsec = ts_nsec});
  WritePosition(id, kEmptyLinePosition, kEmptyLinePosition);
  return id;
}

uint64_t RingWriter::AddLost(uint64_t ts_nsec) {
  const uint64_t id = NewDescriptor();
  WriteInfo(id, {.ts_nsec = ts_nsec});
  WritePosition(id, kFailedPosition, kFailedPosition);
  return id;
}

std::vector<uint8_t> RingWriter::Header() const {
  std::vector<uint8_t> header(ring_bytes());
  const auto member = [&](uint64_t index) { return header.data() + index * word(); };
  Put(shape_.count_bits, 4, member(0));
  PutWord(descs_vaddr, member(1));
  PutWord(infos_vaddr, member(2));
  PutWord(head_id_, member(3));
  PutWord(tail_id_, member(4));
  PutWord(head_id_, member(5));  // last_finalized
  Put(shape_.size_bits, 4, member(6));
  PutWord(data_vaddr, member(7));
  PutWord(head_position_, member(8));
  PutWord((head_position_ - data.size()) & word_mask_, member(9));
  PutWord(fail, member(10));
  return header;
}

std::string RingWriter::VmcoreinfoLines() const {
  const uint64_t w = word();
  std::string lines;
  const auto offset = [&](absl::string_view member, uint64_t value) {
    absl::StrAppend(&lines, "OFFSET(", member, ")=", value, "\n");
  };
  absl::StrAppend(&lines, "SIZE(printk_ringbuffer)=", ring_bytes(), "\n");
  offset("printk_ringbuffer.desc_ring", 0);
  offset("printk_ringbuffer.text_data_ring", 6 * w);
  offset("printk_ringbuffer.fail", 10 * w);
  absl::StrAppend(&lines, "SIZE(prb_desc_ring)=", 6 * w, "\n");
  offset("prb_desc_ring.count_bits", 0);
  offset("prb_desc_ring.descs", w);
  offset("prb_desc_ring.infos", 2 * w);
  offset("prb_desc_ring.head_id", 3 * w);
  offset("prb_desc_ring.tail_id", 4 * w);
  absl::StrAppend(&lines, "SIZE(prb_desc)=", desc_bytes(), "\n");
  offset("prb_desc.state_var", 0);
  offset("prb_desc.text_blk_lpos", w);
  absl::StrAppend(&lines, "SIZE(prb_data_blk_lpos)=", 2 * w, "\n");
  offset("prb_data_blk_lpos.begin", 0);
  offset("prb_data_blk_lpos.next", w);
  absl::StrAppend(&lines, "SIZE(printk_info)=", kInfoBytes, "\n");
  offset("printk_info.seq", 0);
  offset("printk_info.ts_nsec", 8);
  offset("printk_info.text_len", 16);
  offset("printk_info.caller_id", 20);
  offset("printk_info.dev_info", 24);
  absl::StrAppend(&lines, "SIZE(dev_printk_info)=", kSubsystemBytes + kDeviceBytes, "\n");
  offset("dev_printk_info.subsystem", 0);
  absl::StrAppend(&lines, "LENGTH(printk_info_subsystem)=", kSubsystemBytes, "\n");
  offset("dev_printk_info.device", kSubsystemBytes);
  absl::StrAppend(&lines, "LENGTH(printk_info_device)=", kDeviceBytes, "\n");
  absl::StrAppend(&lines, "SIZE(prb_data_ring)=", 4 * w, "\n");
  offset("prb_data_ring.size_bits", 0);
  offset("prb_data_ring.data", w);
  offset("prb_data_ring.head_lpos", 2 * w);
  offset("prb_data_ring.tail_lpos", 3 * w);
  absl::StrAppend(&lines, "SIZE(atomic_long_t)=", w, "\n");
  offset("atomic_long_t.counter", 0);
  return lines;
}

}  // namespace corefleet
