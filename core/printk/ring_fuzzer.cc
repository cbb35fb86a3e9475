#include <algorithm>

#include "core/printk/ring_reader.h"
#include "tests/support/fake_memory.h"
#include "tests/support/fuzz_target.h"

// The input is a byte that says on which machine (bit 0: 32-bit, bit 1: big-endian), then a ring of 16
// descriptors and 512 bytes of text: header, descriptors, infos, text, one behind the other and each as long
// as what is left. The arrays lie at RingWriter's addresses, whatever the header then says.

namespace corefleet {
namespace {

RingShape ShapeOf(uint8_t machine) {
  RingShape shape{.count_bits = 4, .size_bits = 9};
  shape.word = (machine & 1) != 0 ? 4 : 8;
  shape.endian = (machine & 2) != 0 ? Endian::kBig : Endian::kLittle;
  return shape;
}

std::string Pack(const RingWriter& ring) {
  const bool narrow = ring.word() == 4;
  const bool big = ring.shape().endian == Endian::kBig;
  std::string packed(1, static_cast<char>(narrow + 2 * big));
  for (const std::vector<uint8_t>& part : {ring.Header(), ring.descs, ring.infos, ring.data}) {
    packed.append(part.begin(), part.end());
  }
  return packed;
}

std::vector<uint8_t> Take(size_t size, ByteView* bytes) {
  size = std::min(size, bytes->size());
  const std::vector<uint8_t> taken(bytes->begin(), bytes->begin() + size);
  bytes->remove_prefix(size);
  return taken;
}

void CheckRecords(const Ring& ring) {
  const RingRecords result = ReadRing(ring);
  size_t text = 0;
  for (size_t i = 0; i < result.records.size(); ++i) {
    text += result.records[i].text.size();
    if (result.records[i].text_state == TextState::kLost) FUZZ_CHECK(result.records[i].text.empty());
    if (i > 0) FUZZ_CHECK(result.records[i - 1].seq < result.records[i].seq);
  }
  FUZZ_CHECK(text <= ring.data.available());
  FUZZ_CHECK(result.records.empty() || result.method != RingMethod::kNone);
}

// Every machine has a ring that went round, and one in which everything odd happened: a torn writer, a
// recycled slot, a block that was overwritten.
void AddSeeds(uint8_t machine, std::vector<std::string>* seeds) {
  RingShape shape = ShapeOf(machine);
  RingWriter full(shape);
  full.fail = 3;
  for (int i = 0; i < 40; ++i)
    full.Add({.text = std::string(i % 30, 'a' + i % 26), .ts_nsec = uint64_t(i) * 1000});
  shape.records_before = (uint64_t{1} << 30) - 3;  // 32-bit ids are about to wrap
  RingWriter odd(shape);
  odd.Add({.text = "one"});
  odd.AddEmptyLine(1);
  odd.AddLost(2);
  odd.SetState(odd.Add({.text = "torn", .spare = 8}), 0);
  odd.SetState(odd.Add({.text = "recycled"}), 3);
  const uint64_t overwritten = odd.Add({.text = "overwritten"});
  odd.data[odd.BeginOf(overwritten)] ^= 0x55;
  odd.SetState(odd.Add({.text = "open", .flags = 0}), 1);
  odd.Add({.text = "last", .subsystem = "pci", .device = "+pci:0"});
  for (const RingWriter& ring : {full, odd, RingWriter(ShapeOf(machine))}) seeds->push_back(Pack(ring));
}

}  // namespace

std::vector<std::string> FuzzSeeds() {
  std::vector<std::string> seeds;
  for (uint8_t machine = 0; machine < 4; ++machine) AddSeeds(machine, &seeds);
  return seeds;
}

}  // namespace corefleet

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace corefleet;  // The entry point has C linkage and so no namespace of its own.
  if (size == 0) return 0;
  RingWriter writer(ShapeOf(data[0]));
  ByteView rest(data + 1, size - 1);
  const std::vector<uint8_t> header = Take(writer.ring_bytes(), &rest);
  writer.descs = Take(writer.descs.size(), &rest);
  writer.infos = Take(writer.infos.size(), &rest);
  writer.data = Take(writer.data.size(), &rest);

  const RingLayout layout = RingLayout::From(Vmcoreinfo(), writer.shape().word, writer.shape().endian);
  const std::optional<RingHeader> parsed = ParseRingHeader(layout, header);
  if (!parsed) return 0;
  Ring ring = Ring::Read(MemoryOf(writer), layout, *parsed);
  CheckRecords(ring);
  // The same without its struct, without descriptors, and as bare text.
  ring.head_id.reset();
  CheckRecords(ring);
  ring.descs = SparseBytes();
  CheckRecords(ring);
  ring.infos = SparseBytes();
  CheckRecords(ring);
  return 0;
}
