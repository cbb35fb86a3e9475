#include "tests/bench/load/kernel_bytes.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "absl/strings/match.h"

namespace corefleet {
namespace {

constexpr size_t kWord = sizeof(uint64_t);
constexpr uint64_t kSlideGrain = 2 << 20;
constexpr uint64_t kSlides = 512;  // x86 has as many places for its kernel
constexpr size_t kLine = 64;       // bytes

// How much differs from boot to boot: one word in so many, and which of its bits.
struct Wear {
  size_t words_per_change;
  uint64_t bits;
};
constexpr Wear kFreshlyBooted = {256, 0xffff};
constexpr Wear kBusy = {4, 0xffff'ffff};

// What a 64-bit kernel's pointers into itself begin with.
bool IsKernelPointer(uint64_t word) { return word >> 48 == 0xffff; }

bool IsEmpty(absl::string_view line) { return line.find_first_not_of('\0') == absl::string_view::npos; }

uint64_t Seed(uint64_t boot, uint64_t region) { return boot * 0x9e3779b97f4a7c15 ^ (region << 40); }

void Change(const Wear& wear, uint64_t boot, uint64_t region, absl::Span<char> bytes) {
  Random random(Seed(boot, region));
  const size_t words = bytes.size() / kWord;
  for (size_t i = 0; i < words; i += wear.words_per_change) {
    const size_t place = i + random.Next() % std::min(wear.words_per_change, words - i);
    uint64_t word;
    std::memcpy(&word, bytes.data() + place * kWord, kWord);
    word ^= random.Next() & wear.bits;
    std::memcpy(bytes.data() + place * kWord, &word, kWord);
  }
}

}  // namespace

uint64_t Random::Next() {
  uint64_t z = state_ += 0x9e3779b97f4a7c15;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}

double Random::Normal() {
  const double radius = std::sqrt(-2 * std::log(1 - Fraction()));
  return radius * std::cos(2 * 3.14159265358979323846 * Fraction());
}

KernelBytes::KernelBytes(const std::vector<CorpusCase>& cases) {
  for (const CorpusCase& crash : cases) {
    for (const auto& [name, bytes] : crash.files) {
      if (!absl::StartsWith(name, "md_")) continue;
      // Whole lines, so that pointers stay where words begin.
      for (size_t at = 0; at + kLine <= bytes.size(); at += kLine) {
        const absl::string_view line = absl::string_view(bytes).substr(at, kLine);
        if (!IsEmpty(line)) real_.append(line.data(), line.size());
      }
    }
  }
}

void KernelBytes::Fill(uint64_t boot, uint64_t region, absl::Span<char> out) const {
  // The place depends on the region alone: the same structures on every device, as in a fleet of one build.
  size_t from = Random(region).Next() % (real_.size() / kWord) * kWord;
  for (size_t done = 0; done < out.size();) {
    const size_t count = std::min(out.size() - done, real_.size() - from);
    std::memcpy(out.data() + done, real_.data() + from, count);
    done += count;
    from = 0;
  }
  const uint64_t slide = Random(boot).Next() % kSlides * kSlideGrain;
  for (size_t at = 0; at + kWord <= out.size(); at += kWord) {
    uint64_t word;
    std::memcpy(&word, out.data() + at, kWord);
    if (!IsKernelPointer(word)) continue;
    word += slide;
    std::memcpy(out.data() + at, &word, kWord);
  }
  Change(kBusy, boot, region, out);
}

void KernelBytes::Age(uint64_t boot, uint64_t region, absl::Span<char> bytes) {
  Change(kFreshlyBooted, boot, region, bytes);
}

}  // namespace corefleet
