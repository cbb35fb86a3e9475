#include "core/pstore/reed_solomon.h"

#include <algorithm>
#include <array>

namespace corefleet {
namespace {

constexpr unsigned kPolynomial = 0x11d;
constexpr unsigned kOrder = 255;  // of the multiplicative group

struct Field {
  std::array<uint8_t, 2 * kOrder> power = {};  // of alpha; twice, so that sums of logarithms need no modulo
  std::array<uint8_t, 256> log = {};
};

constexpr Field MakeField() {
  Field field;
  unsigned value = 1;
  for (unsigned i = 0; i < kOrder; ++i) {
    field.power[i] = field.power[i + kOrder] = static_cast<uint8_t>(value);
    field.log[value] = static_cast<uint8_t>(i);
    value <<= 1;
    if (value > 255) value ^= kPolynomial;
  }
  return field;
}
constexpr Field kField = MakeField();

uint8_t Multiply(uint8_t a, uint8_t b) {
  return a == 0 || b == 0 ? 0 : kField.power[kField.log[a] + kField.log[b]];
}
uint8_t Divide(uint8_t a, uint8_t b) {  // b is not 0
  return a == 0 ? 0 : kField.power[kField.log[a] + kOrder - kField.log[b]];
}
uint8_t Power(unsigned exponent) { return kField.power[exponent % kOrder]; }

// Polynomials here have their lowest degree first.
using Polynomial = std::vector<uint8_t>;

uint8_t Evaluate(const Polynomial& polynomial, uint8_t x) {
  uint8_t sum = 0;
  for (size_t i = polynomial.size(); i-- > 0;) sum = static_cast<uint8_t>(Multiply(sum, x) ^ polynomial[i]);
  return sum;
}

// The codeword at the code's roots: all 0 when it is sound.
Polynomial Syndromes(ByteView codeword, size_t parity) {
  Polynomial syndromes(parity);
  for (size_t i = 0; i < parity; ++i) {
    const uint8_t root = Power(static_cast<unsigned>(i));
    uint8_t sum = 0;
    for (const uint8_t byte : codeword) sum = static_cast<uint8_t>(Multiply(sum, root) ^ byte);
    syndromes[i] = sum;
  }
  return syndromes;
}

bool AllZero(const Polynomial& polynomial) {
  return std::all_of(polynomial.begin(), polynomial.end(), [](uint8_t c) { return c == 0; });
}

// Berlekamp and Massey: the shortest recurrence that makes the syndromes. Its roots are the inverse places.
Polynomial ErrorLocator(const Polynomial& syndromes) {
  Polynomial locator = {1}, previous = {1};
  size_t length = 0, gap = 1;
  uint8_t previous_discrepancy = 1;
  for (size_t n = 0; n < syndromes.size(); ++n, ++gap) {
    uint8_t discrepancy = syndromes[n];
    for (size_t i = 1; i <= length && i < locator.size(); ++i)
      discrepancy = static_cast<uint8_t>(discrepancy ^ Multiply(locator[i], syndromes[n - i]));
    if (discrepancy == 0) continue;
    const uint8_t factor = Divide(discrepancy, previous_discrepancy);
    const Polynomial before = locator;
    locator.resize(std::max(locator.size(), previous.size() + gap));
    for (size_t i = 0; i < previous.size(); ++i)
      locator[i + gap] = static_cast<uint8_t>(locator[i + gap] ^ Multiply(factor, previous[i]));
    if (2 * length > n) continue;
    length = n + 1 - length;
    previous = before;
    previous_discrepancy = discrepancy;
    gap = 0;
  }
  while (locator.size() > 1 && locator.back() == 0) locator.pop_back();
  return locator;
}

// Forney: what is wrong at the place whose locator is `x`.
uint8_t ErrorValue(const Polynomial& syndromes, const Polynomial& locator, uint8_t x) {
  const uint8_t inverse = Divide(1, x);
  Polynomial evaluator(syndromes.size());
  for (size_t i = 0; i < locator.size(); ++i) {
    for (size_t j = 0; i + j < evaluator.size(); ++j)
      evaluator[i + j] = static_cast<uint8_t>(evaluator[i + j] ^ Multiply(locator[i], syndromes[j]));
  }
  Polynomial derivative;  // of the locator: in this field only odd powers have one
  for (size_t i = 1; i < locator.size(); ++i) derivative.push_back(i % 2 == 1 ? locator[i] : 0);
  const uint8_t slope = Evaluate(derivative, inverse);
  return slope == 0 ? 0 : Multiply(x, Divide(Evaluate(evaluator, inverse), slope));
}

}  // namespace

ReedSolomon::ReedSolomon(size_t parity) : parity_(std::clamp<size_t>(parity, 1, 127)), generator_(parity_) {
  // The product of (x - root), lowest degree first while it is made.
  Polynomial product = {1};
  for (size_t i = 0; i < parity_; ++i) {
    Polynomial next(product.size() + 1);
    for (size_t j = 0; j < product.size(); ++j) {
      next[j + 1] = static_cast<uint8_t>(next[j + 1] ^ product[j]);
      next[j] = static_cast<uint8_t>(next[j] ^ Multiply(product[j], Power(static_cast<unsigned>(i))));
    }
    product = std::move(next);
  }
  std::reverse_copy(product.begin(), product.end() - 1, generator_.begin());
}

std::vector<uint8_t> ReedSolomon::Encode(ByteView data) const {
  std::vector<uint8_t> remainder(parity_);
  for (const uint8_t byte : data) {
    const uint8_t lead = byte ^ remainder[0];
    std::rotate(remainder.begin(), remainder.begin() + 1, remainder.end());
    remainder.back() = 0;
    for (size_t i = 0; i < parity_; ++i)
      remainder[i] = static_cast<uint8_t>(remainder[i] ^ Multiply(lead, generator_[i]));
  }
  return remainder;
}

std::optional<size_t> ReedSolomon::Correct(absl::Span<uint8_t> data, ByteView parity) const {
  const size_t size = data.size() + parity.size();
  if (parity.size() != parity_ || size > kMaxCodeword) return std::nullopt;
  std::vector<uint8_t> codeword(data.begin(), data.end());
  codeword.insert(codeword.end(), parity.begin(), parity.end());
  const Polynomial syndromes = Syndromes(codeword, parity_);
  if (AllZero(syndromes)) return 0;
  const Polynomial locator = ErrorLocator(syndromes);
  const size_t errors = locator.size() - 1;
  if (errors > parity_ / 2) return std::nullopt;
  size_t found = 0;
  for (size_t i = 0; i < size; ++i) {
    const uint8_t x = Power(static_cast<unsigned>(size - 1 - i));
    if (Evaluate(locator, Divide(1, x)) != 0) continue;
    codeword[i] ^= ErrorValue(syndromes, locator, x);
    ++found;
  }
  if (found != errors || !AllZero(Syndromes(codeword, parity_))) return std::nullopt;
  std::copy_n(codeword.begin(), data.size(), data.begin());
  return errors;
}

}  // namespace corefleet
