#include <benchmark/benchmark.h>

#include <cstring>

#include "absl/strings/str_cat.h"
#include "core/printk/log_buf.h"
#include "core/printk/log_buf_writer.h"
#include "core/printk/ring_reader.h"
#include "tests/support/fake_memory.h"

// How fast a log is decoded, next to copying the same bytes: only the ratio of two lines of one run means
// something. tests/bench/rates prints it.

namespace corefleet {
namespace {

// As long as the lines of a real log are on average.
std::string LineNumber(int i) { return absl::StrCat("driver ", i, ": ", std::string(24 + i % 53, 'x')); }

// A megabyte of text, which is as large as distributions make it, gone round several times.
const RingWriter& FullRing() {
  static const auto* const ring = [] {
    auto* writer = new RingWriter({.count_bits = 14, .size_bits = 20});
    for (int i = 0; i < 40000; ++i) writer->Add({.text = LineNumber(i), .ts_nsec = uint64_t(i) * 1000000});
    return writer;
  }();
  return *ring;
}

size_t BytesOf(const RingWriter& ring) { return ring.descs.size() + ring.infos.size() + ring.data.size(); }

void Copy(benchmark::State& state, size_t bytes) {
  const std::vector<uint8_t> from(bytes, 1);
  std::vector<uint8_t> to(bytes);
  for (auto _ : state) {
    std::memcpy(to.data(), from.data(), bytes);
    benchmark::DoNotOptimize(to.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * bytes));
}

void CopyRing(benchmark::State& state) { Copy(state, BytesOf(FullRing())); }
BENCHMARK(CopyRing);

void DecodeRing(benchmark::State& state) {
  const RingWriter& writer = FullRing();
  const FakeMemory memory = MemoryOf(writer);
  const RingLayout layout = RingLayout::From(Vmcoreinfo(), 8, Endian::kLittle);
  const RingHeader header = *ParseRingHeader(layout, writer.Header());
  size_t records = 0;
  for (auto _ : state) {
    const RingRecords result = ReadRing(Ring::Read(memory, layout, header));
    records += result.records.size();
    benchmark::DoNotOptimize(result.records.data());
  }
  state.SetItemsProcessed(static_cast<int64_t>(records));
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * BytesOf(writer)));
}
BENCHMARK(DecodeRing);

// The same without descriptors: every text is searched for.
void DecodeRingWithoutDescriptors(benchmark::State& state) {
  const RingWriter& writer = FullRing();
  const RingLayout layout = RingLayout::From(Vmcoreinfo(), 8, Endian::kLittle);
  Ring ring = Ring::Read(MemoryOf(writer), layout, *ParseRingHeader(layout, writer.Header()));
  ring.descs = SparseBytes();
  size_t records = 0;
  for (auto _ : state) records += ReadRing(ring).records.size();
  state.SetItemsProcessed(static_cast<int64_t>(records));
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * BytesOf(writer)));
}
BENCHMARK(DecodeRingWithoutDescriptors);

const LogBufWriter& FullLogBuf() {
  static const auto* const buffer = [] {
    auto* writer = new LogBufWriter({.size = 1 << 20});
    for (int i = 0; i < 40000; ++i) writer->Add({.text = LineNumber(i), .ts_nsec = uint64_t(i) * 1000000});
    return writer;
  }();
  return *buffer;
}

void CopyLogBuf(benchmark::State& state) { Copy(state, FullLogBuf().bytes.size()); }
BENCHMARK(CopyLogBuf);

void DecodeLogBuf(benchmark::State& state) {
  const LogBufWriter& writer = FullLogBuf();
  FakeMemory memory;
  memory.Add(0, writer.bytes);
  size_t records = 0;
  for (auto _ : state) {
    const LogBuf log{.layout = LogBufLayout(),
                     .bytes = SparseBytes::ReadVirtual(memory, 0, writer.bytes.size()),
                     .first = writer.first_idx(),
                     .next = writer.next_idx()};
    records += ReadLogBuf(log).records.size();
  }
  state.SetItemsProcessed(static_cast<int64_t>(records));
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * writer.bytes.size()));
}
BENCHMARK(DecodeLogBuf);

}  // namespace
}  // namespace corefleet

BENCHMARK_MAIN();
