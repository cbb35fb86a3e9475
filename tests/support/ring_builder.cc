#include "tests/support/ring_builder.h"

#include <algorithm>
#include <cstring>

namespace corefleet {
namespace {

constexpr uint64_t kWord = 8;
constexpr uint64_t kIdMask = UINT64_MAX >> 2;

}  // namespace

absl::Status FakeMemory::ReadVirtual(uint64_t vaddr, absl::Span<uint8_t> out) const {
  if (ReadableFrom(vaddr, out.size()) < out.size()) return absl::NotFoundError("a hole");
  for (size_t done = 0; done < out.size();) {
    const auto& [start, bytes] = *std::prev(pieces_.upper_bound(vaddr + done));
    const size_t skip = vaddr + done - start;
    const size_t n = std::min(out.size() - done, bytes.size() - skip);
    std::memcpy(out.data() + done, bytes.data() + skip, n);
    done += n;
  }
  return absl::OkStatus();
}

uint64_t FakeMemory::ReadableFrom(uint64_t vaddr, uint64_t want) const {
  uint64_t have = 0;
  while (have < want) {
    const auto after = pieces_.upper_bound(vaddr + have);
    if (after == pieces_.begin()) break;
    const auto& [start, bytes] = *std::prev(after);
    const uint64_t skip = vaddr + have - start;
    if (skip >= bytes.size()) break;
    have += std::min<uint64_t>(want - have, bytes.size() - skip);
  }
  return have;
}

RingBuilder::RingBuilder(uint32_t count_bits, uint32_t size_bits)
    : descs((uint64_t{1} << count_bits) * kDescBytes),
      infos((uint64_t{1} << count_bits) * kInfoBytes),
      data(uint64_t{1} << size_bits),
      count_bits_(count_bits),
      size_bits_(size_bits),
      count_(uint64_t{1} << count_bits) {
  // The kernel computes the first id in 32 bits, and lets the first text position be just before a wrap.
  head_id_ = tail_id_ = static_cast<uint32_t>(-(count_ + 1));
  head_position_ = -(data.size());
  Put(uint64_t{3} << 62 | head_id_, descriptor(head_id_));
  Put(1, descriptor(head_id_) + 8);
  Put(1, descriptor(head_id_) + 16);
  Put(-count_, infos.data());
}

uint64_t RingBuilder::Get(const uint8_t* at) {
  uint64_t value;
  std::memcpy(&value, at, sizeof(value));
  return value;
}

void RingBuilder::Put(uint64_t value, uint8_t* at) { std::memcpy(at, &value, sizeof(value)); }

uint64_t RingBuilder::NewDescriptor() {
  head_id_ = (head_id_ + 1) & kIdMask;
  if (head_id_ - tail_id_ >= count_) ++tail_id_;
  std::memset(descriptor(head_id_), 0, kDescBytes);
  SetState(head_id_, 2);
  return head_id_;
}

void RingBuilder::SetState(uint64_t id, uint64_t state) { Put(state << 62 | id, descriptor(id)); }

void RingBuilder::WriteInfo(uint64_t id, const Record& record) {
  uint8_t* at = info(id);
  std::memset(at, 0, kInfoBytes);
  Put(id + count_ - (uint64_t{1} << 32), at);
  Put(record.ts_nsec, at + 8);
  const uint16_t length = static_cast<uint16_t>(record.text.size());
  std::memcpy(at + 16, &length, sizeof(length));
  at[18] = record.facility;
  at[19] = static_cast<uint8_t>(record.level << 5 | record.flags);
  std::memcpy(at + 20, &record.caller_id, sizeof(record.caller_id));
  std::memcpy(at + 24, record.subsystem.data(), std::min<size_t>(record.subsystem.size(), 16));
  std::memcpy(at + 40, record.device.data(), std::min<size_t>(record.device.size(), 48));
}

void RingBuilder::WritePosition(uint64_t id, uint64_t begin, uint64_t next) {
  Put(begin, descriptor(id) + 8);
  Put(next, descriptor(id) + 16);
}

// Makes reusable every record whose text starts before `lowest_position`.
void RingBuilder::PushOutUntil(uint64_t lowest_position) {
  for (uint64_t id = tail_id_; id != head_id_; ++id) {
    const uint64_t begin = Get(descriptor(id) + 8);
    const bool has_block = (begin & 1) == 0 && Get(descriptor(id)) >> 62 == 2;
    if (has_block && static_cast<int64_t>(lowest_position - begin) > 0) SetState(id, 3);
  }
}

uint64_t RingBuilder::Add(const Record& record) {
  const uint64_t id = NewDescriptor();
  WriteInfo(id, record);
  const uint64_t size = (kWord + record.text.size() + record.spare + kWord - 1) / kWord * kWord;
  const uint64_t begin = head_position_;
  uint64_t next = begin + size;
  uint64_t at = begin % data.size();
  const uint64_t last = exact_fit_ ? next - 1 : next;
  if (begin / data.size() != last / data.size()) {
    Put(id, data.data() + at);  // a wrapped block leaves its id where it would have begun
    next = (begin / data.size() + 1) * data.size() + size;
    at = 0;
  }
  PushOutUntil(next - data.size());
  Put(id, data.data() + at);
  std::memcpy(data.data() + at + kWord, record.text.data(), record.text.size());
  if (record.spare > 0) data[at + kWord + record.text.size()] = 0;
  WritePosition(id, begin, next);
  head_position_ = next;
  return id;
}

uint64_t RingBuilder::AddEmptyLine(uint64_t ts_nsec) {
  const uint64_t id = NewDescriptor();
  WriteInfo(id, {.ts_nsec = ts_nsec});
  WritePosition(id, 3, 3);
  return id;
}

uint64_t RingBuilder::AddLost(uint64_t ts_nsec) {
  const uint64_t id = NewDescriptor();
  WriteInfo(id, {.ts_nsec = ts_nsec});
  WritePosition(id, 1, 1);
  return id;
}

std::vector<uint8_t> RingBuilder::Header() const {
  std::vector<uint8_t> header(kRingBytes);
  Put(count_bits_, header.data());
  Put(descs_vaddr, header.data() + 8);
  Put(infos_vaddr, header.data() + 16);
  Put(head_id_, header.data() + 24);
  Put(tail_id_, header.data() + 32);
  Put(size_bits_, header.data() + 48);
  Put(data_vaddr, header.data() + 56);
  Put(head_position_, header.data() + 64);
  Put(fail, header.data() + 80);
  return header;
}

FakeMemory RingBuilder::Memory() const {
  FakeMemory memory;
  memory.Add(ring_vaddr, Header());
  memory.Add(descs_vaddr, descs);
  memory.Add(infos_vaddr, infos);
  memory.Add(data_vaddr, data);
  return memory;
}

}  // namespace corefleet
