#ifndef COREFLEET_TESTS_BENCH_LOAD_KERNEL_BYTES_H_
#define COREFLEET_TESTS_BENCH_LOAD_KERNEL_BYTES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "tests/support/corpus.h"

namespace corefleet {

// A small, fast source of random numbers that a seed determines (splitmix64).
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t Next();
  // Uniform in [0, 1).
  double Fraction() { return static_cast<double>(Next() >> 11) * 0x1p-53; }
  // Normally distributed, mean 0, deviation 1.
  double Normal();

 private:
  uint64_t state_;
};

// Memory like that of busy kernels, as much of it as anybody wants. Its stuff are the real crashes, but those
// come from small machines that had just booted, nine tenths of whose memory were still zeros: the lines (64
// bytes) that hold something are taken, and counters, pointers to the heap and times are changed on them.
// What it gives compresses about three to one, as memory of a machine that has worked does, and no two boots'
// are the same. Thread-safe once made.
class KernelBytes {
 public:
  // `cases` must not be empty.
  explicit KernelBytes(const std::vector<CorpusCase>& cases);

  // Fills `out` with what a region of some crash holds. The same numbers give the same bytes.
  void Fill(uint64_t boot, uint64_t region, absl::Span<char> out) const;

  // Changes bytes of a real region as another boot of the same kernel would that was loaded to the same
  // place: about one word in 256.
  static void Age(uint64_t boot, uint64_t region, absl::Span<char> bytes);

 private:
  std::string real_;
};

}  // namespace corefleet

#endif  // COREFLEET_TESTS_BENCH_LOAD_KERNEL_BYTES_H_
