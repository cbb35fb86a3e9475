#include "core/simulate/model_log.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "core/printk/log_buf_writer.h"
#include "core/printk/ring_writer.h"
#include "core/simulate/report_parts.h"

namespace corefleet {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;
// PRB_AVGBITS: the static ring has a descriptor for each 2^5 bytes of text.
constexpr uint32_t kBitsPerRecord = 5;
constexpr uint64_t kStateShift = 62;
constexpr uint64_t kFinalized = 2;
// Texts that a torn ring loses.
constexpr size_t kOverwritten = 3;

uint64_t ChooseTaint(const ModelKernel& kernel) {
  static constexpr uint64_t kMasks[] = {0, 0, kTaintOutOfTree, kTaintOutOfTree | kTaintUnsigned,
                                        kTaintProprietary | kTaintOutOfTree | kTaintUnsigned};
  return Random(kernel.seed, "taint").Pick(kMasks);
}

RingWriter::Record RingRecordOf(const LogRecord& record) {
  return {.text = record.text,
          .ts_nsec = record.ts_nsec,
          .level = record.level,
          .facility = record.facility,
          .flags = record.flags,
          .caller_id = record.caller_id,
          .subsystem = record.subsystem,
          .device = record.device};
}

void Store64(uint64_t value, uint8_t* at) {
  for (int i = 0; i < 8; ++i) at[i] = static_cast<uint8_t>(value >> (8 * i));
}

// How many records the older buffer holds: the oldest gave way.
size_t CountRecords(const LogBytes& buffer) {
  constexpr uint32_t kLengthAt = 8;
  size_t count = 0;
  for (uint32_t at = buffer.first_idx; at != buffer.next_idx;) {
    const uint64_t length = LoadInteger(ByteView(buffer.text).subspan(at + kLengthAt), 2, Endian::kLittle);
    count += length != 0 ? 1 : 0;
    at = length != 0 ? at + static_cast<uint32_t>(length) : 0;  // 0 marks the wrap
  }
  return count;
}

// A writer was inside when the machine stopped, and others had just run over the oldest texts.
void TearRing(std::vector<uint64_t> ids, RingWriter* ring, std::vector<bool>* spoilt) {
  ring->SetState(ids.back(), 0);
  (*spoilt)[ids.size() - 1] = true;
  for (size_t i = 1; i <= kOverwritten && i + 1 < ids.size(); ++i) {
    Store64(ids.back() + i, ring->data.data() + ring->BeginOf(ids[i]));
    (*spoilt)[i] = true;
  }
}

}  // namespace

ModelLog WriteModelLog(const ModelKernel& kernel, CrashKind kind) {
  ModelLog log;
  LogAuthor author(kernel, "log");
  WriteBootLog(&author);
  const uint64_t up = author.random().Between(30, 4 * 86400) * kSecond;
  WriteEverydayLog(up, &author);
  log.story = WriteCrashLog(kind, ChooseTaint(kernel), &author);
  log.records = author.TakeRecords();
  log.early = std::min<size_t>(log.records.size(), 12);
  return log;
}

LogBytes WriteRing(const std::vector<LogRecord>& records, uint32_t shift, const LogPlace& place,
                   const RingDamage& damage) {
  RingWriter ring({.count_bits = shift - kBitsPerRecord, .size_bits = shift});
  ring.descs_vaddr = place.descs_vaddr;
  ring.infos_vaddr = place.infos_vaddr;
  ring.data_vaddr = place.text_vaddr;
  std::vector<uint64_t> ids;
  for (const LogRecord& record : records) ids.push_back(ring.Add(RingRecordOf(record)));
  std::vector<bool> spoilt(records.size());
  for (size_t i = 0; i < ids.size(); ++i) {
    const uint64_t state = LoadInteger(ByteView(ring.descriptor(ids[i]), 8), 8, Endian::kLittle);
    spoilt[i] = state != (kFinalized << kStateShift | ids[i]);
  }
  if (damage.writer_inside && !ids.empty()) TearRing(ids, &ring, &spoilt);
  LogBytes bytes;
  bytes.header = ring.Header();
  if (damage.wild_head) {
    Store64(0x6b6b6b6b6b6b6b6b, bytes.header.data() + 24);
    Store64(0x0123456789abcdef, bytes.header.data() + 32);
  }
  bytes.vmcoreinfo_lines = ring.VmcoreinfoLines();
  for (size_t i = 0; i < records.size(); ++i) {
    if (!spoilt[i]) bytes.readable.push_back(records[i]);
  }
  bytes.descs = std::move(ring.descs);
  bytes.infos = std::move(ring.infos);
  bytes.text = std::move(ring.data);
  return bytes;
}

LogBytes WriteLogBuf(const std::vector<LogRecord>& records, uint32_t shift, const ModelKernel& kernel) {
  LogBufWriter buffer(
      {.size = 1u << shift, .caller_id = kernel.IsAtLeast(5, 1), .old_name = !kernel.IsAtLeast(3, 11)});
  for (const LogRecord& record : records) {
    std::string dictionary;
    if (!record.subsystem.empty()) {
      dictionary =
          absl::StrCat("SUBSYSTEM=", record.subsystem, absl::string_view("\0", 1), "DEVICE=", record.device);
    }
    buffer.Add({.text = record.text,
                .dictionary = dictionary,
                .ts_nsec = record.ts_nsec,
                .level = record.level,
                .facility = record.facility,
                .flags = record.flags,
                .caller_id = kernel.IsAtLeast(5, 1) ? record.caller_id : 0});
  }
  LogBytes bytes;
  bytes.first_idx = buffer.first_idx();
  bytes.next_idx = buffer.next_idx();
  bytes.vmcoreinfo_lines = buffer.VmcoreinfoLines();
  bytes.text = std::move(buffer.bytes);
  const size_t left = std::min(CountRecords(bytes), records.size());
  bytes.readable.assign(records.end() - static_cast<ptrdiff_t>(left), records.end());
  for (LogRecord& record : bytes.readable) {
    if (!kernel.IsAtLeast(5, 1)) record.caller_id = 0;
  }
  return bytes;
}

}  // namespace corefleet
