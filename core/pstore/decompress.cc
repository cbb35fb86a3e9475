#include "core/pstore/decompress.h"

#include <lz4.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <limits>

#include "core/pstore/lzo1x.h"
#include "core/pstore/record_name.h"

namespace corefleet {
namespace {

constexpr size_t kStep = 64 * 1024;
constexpr int kRawDeflate = -15;
constexpr int kZlib = 15;
static_assert(kMaxRecordTextBytes < std::numeric_limits<int>::max(), "lz4 counts in int");

RecordText Inflate(ByteView payload, int window_bits, absl::string_view codec) {
  RecordText out{.codec = codec};
  z_stream stream = {};
  if (payload.size() > std::numeric_limits<uInt>::max() || inflateInit2(&stream, window_bits) != Z_OK)
    return out;
  stream.next_in = const_cast<Bytef*>(payload.data());
  stream.avail_in = static_cast<uInt>(payload.size());
  int result = Z_OK;
  while (result == Z_OK && out.text.size() < kMaxRecordTextBytes) {
    const size_t before = out.text.size();
    out.text.resize(before + kStep);
    stream.next_out = reinterpret_cast<Bytef*>(out.text.data() + before);
    stream.avail_out = kStep;
    result = inflate(&stream, Z_NO_FLUSH);
    out.text.resize(before + kStep - stream.avail_out);
    if (out.text.size() == before) break;
  }
  inflateEnd(&stream);
  out.whole = result == Z_STREAM_END;
  return out;
}

RecordText DecompressZstd(ByteView payload) {
  RecordText out{.codec = "zstd"};
  ZSTD_DCtx* const context = ZSTD_createDCtx();
  if (context == nullptr) return out;
  ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, 23);  // 8 MiB, as kMaxRecordTextBytes
  ZSTD_inBuffer in = {payload.data(), payload.size(), 0};
  size_t result = 1;
  while (result != 0 && out.text.size() < kMaxRecordTextBytes) {
    const size_t before = out.text.size();
    out.text.resize(before + kStep);
    ZSTD_outBuffer step = {out.text.data() + before, kStep, 0};
    result = ZSTD_decompressStream(context, &step, &in);
    out.text.resize(before + step.pos);
    if (ZSTD_isError(result) || step.pos == 0) break;
  }
  ZSTD_freeDCtx(context);
  out.whole = result == 0;
  return out;
}

RecordText DecompressLz4(ByteView payload) {
  RecordText out{.codec = "lz4"};
  // A byte of lz4 stands for at most 255.
  const size_t room = std::min(kMaxRecordTextBytes, payload.size() * 255 + 64);
  if (payload.size() > kMaxRecordTextBytes) return out;
  out.text.resize(room);
  const int size = LZ4_decompress_safe(reinterpret_cast<const char*>(payload.data()), out.text.data(),
                                       static_cast<int>(payload.size()), static_cast<int>(room));
  out.text.resize(static_cast<size_t>(std::max(size, 0)));
  out.whole = size > 0;
  return out;
}

RecordText DecompressLzo(ByteView payload) {
  Lzo1xText lzo = DecodeLzo1x(payload, kMaxRecordTextBytes);
  return {.text = std::move(lzo.text), .codec = "lzo", .whole = lzo.whole};
}

bool HasZstdMagic(ByteView payload) {
  return payload.size() >= 4 && payload[0] == 0x28 && payload[1] == 0xb5 && payload[2] == 0x2f &&
         payload[3] == 0xfd;
}

// RFC 1950: method 8, and a check of the two bytes.
bool HasZlibHeader(ByteView payload) {
  return payload.size() >= 2 && (payload[0] & 15) == 8 && (payload[0] * 256 + payload[1]) % 31 == 0;
}

bool IsRecord(const RecordText& out) {
  const auto header = ParseRecordHeader(out.text);
  return header && IsPlainText(out.text);
}

}  // namespace

bool IsPlainText(absl::string_view text) {
  const auto odd = std::count_if(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r' && byte != 0x1b) || byte >= 0x7f;
  });
  return static_cast<size_t>(odd) * 20 <= text.size();
}

RecordText DecompressRecord(ByteView payload) {
  RecordText best;
  const auto offer = [&](RecordText out) {
    if (!IsRecord(out)) return;
    if (best.codec.empty() || (!best.whole && (out.whole || out.text.size() > best.text.size())))
      best = std::move(out);
  };
  if (HasZstdMagic(payload)) offer(DecompressZstd(payload));
  if (!best.whole && HasZlibHeader(payload)) offer(Inflate(payload, kZlib, "zlib"));
  if (!best.whole) offer(Inflate(payload, kRawDeflate, "deflate"));
  if (!best.whole) offer(DecompressLz4(payload));
  if (!best.whole) offer(DecompressLzo(payload));
  return best;
}

RecordText ReadRecordText(ByteView payload) {
  const absl::string_view text = TextOf(payload);
  if (ParseRecordHeader(text) || IsPlainText(text)) {
    return {.text = std::string(text.substr(0, kMaxRecordTextBytes)),
            .codec = "plain",
            .whole = text.size() <= kMaxRecordTextBytes};
  }
  return DecompressRecord(payload);
}

}  // namespace corefleet
