#include "absl/strings/str_cat.h"
#include "core/printk/log_buf.h"
#include "core/printk/log_buf_writer.h"
#include "tests/support/fake_memory.h"
#include "tests/support/fuzz_target.h"

// The input is a byte that says on which kernel (bit 0: caller ids, bit 1: big-endian, bit 2: before 4.9, bit
// 3: half of the buffer is not in the image), the two indices in two bytes each, and the buffer.

namespace corefleet {
namespace {

LogBufShape ShapeOf(uint8_t kernel) {
  return {.size = 1024,
          .caller_id = (kernel & 1) != 0,
          .endian = (kernel & 2) != 0 ? Endian::kBig : Endian::kLittle};
}

std::string Pack(uint8_t kernel, const LogBufWriter& writer) {
  std::string packed(1, static_cast<char>(kernel));
  for (const uint32_t index : {writer.first_idx(), writer.next_idx()}) {
    packed.push_back(static_cast<char>(index));
    packed.push_back(static_cast<char>(index >> 8));
  }
  packed.append(writer.bytes.begin(), writer.bytes.end());
  return packed;
}

void CheckRecords(const LogBuf& log) {
  const LogBufRecords result = ReadLogBuf(log);
  size_t text = 0;
  for (size_t i = 0; i < result.records.size(); ++i) {
    text += result.records[i].text.size() + log.layout.header;
    if (i > 0) FUZZ_CHECK(result.records[i - 1].seq < result.records[i].seq);
  }
  // Records do not overlap.
  FUZZ_CHECK(text <= log.bytes.size() + log.layout.header * 2);
  FUZZ_CHECK(result.skipped <= log.bytes.size());
}

}  // namespace

std::vector<std::string> FuzzSeeds() {
  std::vector<std::string> seeds;
  for (const uint8_t kernel : {0, 1, 2, 4, 8, 15}) {
    LogBufWriter writer(ShapeOf(kernel));
    seeds.push_back(Pack(kernel, writer));
    for (int i = 0; i < 60; ++i) {
      writer.Add({.text = std::string(i % 30, 'a' + i % 26),
                  .dictionary = i % 5 == 0 ? std::string("SUBSYSTEM=pci\0DEVICE=+pci:0", 27) : "",
                  .ts_nsec = uint64_t(i) * 1000,
                  .flags = static_cast<uint8_t>(i % 16)});
      if (i == 10 || i == 59) seeds.push_back(Pack(kernel, writer));
    }
    std::fill_n(writer.bytes.begin() + 300, 100, 0);
    seeds.push_back(Pack(kernel, writer));
  }
  return seeds;
}

}  // namespace corefleet

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace corefleet;  // The entry point has C linkage and so no namespace of its own.
  if (size < 6) return 0;
  const LogBufWriter writer(ShapeOf(data[0]));
  const std::string text =
      absl::StrCat("OSRELEASE=", (data[0] & 4) != 0 ? "4.4.0" : "4.19.0", "\n", writer.VmcoreinfoLines());
  const ByteView bytes(data + 5, size - 5);
  FakeMemory memory(8, writer.shape().endian);
  if ((data[0] & 8) != 0) {
    memory.Add(0, {bytes.begin(), bytes.begin() + bytes.size() / 4});
    memory.Add(bytes.size() / 2, {bytes.begin() + bytes.size() / 2, bytes.end()});
  } else {
    memory.Add(0, {bytes.begin(), bytes.end()});
  }
  LogBuf log;
  log.layout = LogBufLayout::From(Vmcoreinfo::Parse(BytesOf(text), nullptr), writer.shape().endian);
  log.bytes = SparseBytes::ReadVirtual(memory, 0, bytes.size());
  log.first = LoadInteger(ByteView(data + 1, 2), 2, Endian::kLittle);
  log.next = LoadInteger(ByteView(data + 3, 2), 2, Endian::kLittle);
  CheckRecords(log);
  log.first.reset();
  CheckRecords(log);
  return 0;
}
