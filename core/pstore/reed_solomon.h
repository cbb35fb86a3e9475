#ifndef COREFLEET_CORE_PSTORE_REED_SOLOMON_H_
#define COREFLEET_CORE_PSTORE_REED_SOLOMON_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/types/span.h"
#include "core/bytes/byte_view.h"

namespace corefleet {

// The Reed-Solomon code that ramoops guards its zones with: bytes, field polynomial 0x11d, roots alpha^0 to
// alpha^(parity-1), shortened, parity behind the data. Corrects parity / 2 bytes. Thread-safe.
class ReedSolomon {
 public:
  // `parity` bytes for each block: 1 to 127.
  explicit ReedSolomon(size_t parity);

  // A block and its parity together have at most this many bytes.
  static constexpr size_t kMaxCodeword = 255;

  size_t parity() const { return parity_; }
  // The parity of `data`, which leaves room for it in a codeword.
  std::vector<uint8_t> Encode(ByteView data) const;
  // Repairs `data` in place. How many bytes of it and of `parity` were wrong; nothing, and `data` as it was,
  // when there were more than can be repaired.
  std::optional<size_t> Correct(absl::Span<uint8_t> data, ByteView parity) const;

 private:
  const size_t parity_;
  std::vector<uint8_t> generator_;  // highest degree first, without its leading 1
};

}  // namespace corefleet

#endif  // COREFLEET_CORE_PSTORE_REED_SOLOMON_H_
