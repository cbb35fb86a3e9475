#include "core/pstore/lzo1x.h"

#include "core/bytes/byte_reader.h"

namespace corefleet {
namespace {

// Distances of the short, the middle and the far kind of match begin here.
constexpr size_t kMiddleBase = 2049;
constexpr size_t kFarBase = 16384;
// What the last instruction copied, if it was a long run of literals.
constexpr unsigned kLongRun = 4;

class Decoder {
 public:
  Decoder(ByteView stream, size_t limit) : in_(stream), limit_(limit) {}

  Lzo1xText Decode() {
    Begin();
    while (ok_ && !out_.whole) Step();
    return std::move(out_);
  }

 private:
  // The first byte may be a run of literals of its own kind.
  void Begin() {
    ByteReader peek = in_;
    const unsigned first = peek.U8();
    if (!peek.ok() || first <= 17) return;
    in_ = peek;
    const unsigned run = first - 17;
    Literals(run);
    state_ = run < kLongRun ? run : kLongRun;
  }

  void Step() {
    const unsigned t = in_.U8();
    if (!in_.ok()) {
      ok_ = false;
    } else if (t >= 64) {
      const size_t distance = (size_t{in_.U8()} << 3) + ((t >> 2) & 7) + 1;
      Match(distance, (t >> 5) + 1, t & 3);
    } else if (t >= 32) {
      const size_t length = Length(t, 31) + 2;
      const unsigned word = in_.U16();
      Match((word >> 2) + 1, length, word & 3);
    } else if (t >= 16) {
      Far(t);
    } else if (state_ == 0) {
      Literals(Length(t, 15) + 3);
      state_ = kLongRun;
    } else {
      const size_t base = state_ == kLongRun ? kMiddleBase : 1;
      const size_t distance = (size_t{in_.U8()} << 2) + (t >> 2) + base;
      Match(distance, state_ == kLongRun ? 3 : 2, t & 3);
    }
  }

  // A far match at the least distance of all is the end of the stream.
  void Far(unsigned t) {
    const size_t length = Length(t, 7) + 2;
    const unsigned word = in_.U16();
    const size_t distance = kFarBase + ((t & 8) << 11) + (word >> 2);
    if (in_.ok() && distance == kFarBase) {
      out_.whole = true;
    } else {
      Match(distance, length, word & 3);
    }
  }

  // The length in the bits of `mask`, or, if these are 0, in the bytes that follow: 255 for each 0.
  size_t Length(unsigned t, unsigned mask) {
    if ((t & mask) != 0) return t & mask;
    size_t length = mask;
    unsigned byte = in_.U8();
    for (; byte == 0 && in_.ok(); byte = in_.U8()) length += 255;
    return length + byte;
  }

  void Literals(size_t count) {
    if (!in_.ok() || count > in_.remaining() || !HasRoom(count)) {
      ok_ = false;
      return;
    }
    const ByteView bytes = in_.Bytes(count);
    out_.text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }

  // Copies out of what was decoded, perhaps out of itself; then `literals` more from the stream.
  void Match(size_t distance, size_t length, unsigned literals) {
    if (!in_.ok() || distance > out_.text.size() || !HasRoom(length)) {
      ok_ = false;
      return;
    }
    const size_t from = out_.text.size() - distance;
    for (size_t i = 0; i < length; ++i) out_.text.push_back(out_.text[from + i]);
    if (literals > 0) Literals(literals);
    state_ = literals;
  }

  bool HasRoom(size_t count) const { return count <= limit_ - out_.text.size(); }

  ByteReader in_;
  const size_t limit_;
  Lzo1xText out_;
  unsigned state_ = 0;  // literals that the last instruction copied: 0 to 3, or kLongRun
  bool ok_ = true;
};

}  // namespace

Lzo1xText DecodeLzo1x(ByteView stream, size_t limit) { return Decoder(stream, limit).Decode(); }

}  // namespace corefleet
