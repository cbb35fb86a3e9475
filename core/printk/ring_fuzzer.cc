#include <algorithm>

#include "core/printk/ring_reader.h"
#include "tests/support/fuzz_target.h"
#include "tests/support/ring_builder.h"

// The input is a ring of 16 descriptors and 512 bytes of text: header, descriptors, infos, text, one behind
// the other and each as long as what is left. They lie at RingBuilder's addresses, whatever the header then
// says.

namespace corefleet {
namespace {

std::string Pack(const RingBuilder& ring) {
  std::string packed;
  for (const std::vector<uint8_t>& part : {ring.Header(), ring.descs, ring.infos, ring.data}) {
    packed.append(part.begin(), part.end());
  }
  return packed;
}

FakeMemory Unpack(ByteView bytes) {
  const RingBuilder shape(4, 9);
  FakeMemory memory;
  const auto take = [&](uint64_t vaddr, size_t size) {
    size = std::min(size, bytes.size());
    memory.Add(vaddr, std::vector<uint8_t>(bytes.begin(), bytes.begin() + size));
    bytes.remove_prefix(size);
  };
  take(shape.ring_vaddr, RingBuilder::kRingBytes);
  take(shape.descs_vaddr, shape.descs.size());
  take(shape.infos_vaddr, shape.infos.size());
  take(shape.data_vaddr, shape.data.size());
  return memory;
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
  FUZZ_CHECK(result.records.empty() == (result.method == RingMethod::kNone) || result.records.empty());
}

}  // namespace

std::vector<std::string> FuzzSeeds() {
  RingBuilder full(4, 9);
  full.fail = 3;
  for (int i = 0; i < 40; ++i)
    full.Add({.text = std::string(i % 30, 'a' + i % 26), .ts_nsec = uint64_t(i) * 1000});
  RingBuilder odd(4, 9);
  odd.Add({.text = "one"});
  odd.AddEmptyLine(1);
  odd.AddLost(2);
  odd.SetState(odd.Add({.text = "torn", .spare = 8}), 0);
  odd.Add({.text = "last", .subsystem = "pci", .device = "+pci:0"});
  return {Pack(full), Pack(odd), Pack(RingBuilder(4, 9))};
}

}  // namespace corefleet

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace corefleet;  // The entry point has C linkage and so no namespace of its own.
  const FakeMemory memory = Unpack(ByteView(data, size));
  const RingLayout layout = RingLayout::From(Vmcoreinfo(), 8, Endian::kLittle);
  const RingBuilder shape(4, 9);
  std::vector<uint8_t> header(RingBuilder::kRingBytes);
  if (!memory.ReadVirtual(shape.ring_vaddr, absl::MakeSpan(header)).ok()) return 0;
  const std::optional<RingHeader> parsed = ParseRingHeader(layout, header);
  if (!parsed) return 0;
  Ring ring = Ring::Read(memory, layout, *parsed);
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
