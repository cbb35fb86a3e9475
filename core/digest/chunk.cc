#include "core/digest/chunk.h"

#include <zstd.h>

#include <memory>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace corefleet {
namespace {

constexpr int kLevel = 1;
// A frame that asks for a larger window was not made by us. Ours say their size and need no window beyond it.
constexpr int kMaxWindowLog = 21;

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

// Making a context costs more than the chunk, so every thread keeps its own.
ZSTD_CCtx* Compressor() {
  thread_local const std::unique_ptr<ZSTD_CCtx, FreeContext> context(ZSTD_createCCtx());
  return context.get();
}

ZSTD_DCtx* Decompressor() {
  thread_local const std::unique_ptr<ZSTD_DCtx, FreeContext> context(ZSTD_createDCtx());
  return context.get();
}

// RFC 8878 §3.1.1.1: four bytes of magic, the descriptor, and unless the frame is a single segment (whose
// window is its content) the window byte: five bits of exponent above 2^10, three of mantissa.
bool WindowIsSmall(ByteView frame) {
  constexpr uint8_t kSingleSegment = 0x20;
  if (frame.size() < 6) return false;
  if (frame[4] & kSingleSegment) return true;
  return 10 + (frame[5] >> 3) <= kMaxWindowLog;
}

absl::Status CheckFrame(ByteView stored, uint32_t raw_size) {
  if (ZSTD_getFrameContentSize(stored.data(), stored.size()) != raw_size) {
    return absl::DataLossError(absl::StrCat("not a zstd frame that announces ", raw_size, " bytes"));
  }
  // A second frame behind the first would be decoded too.
  if (ZSTD_findFrameCompressedSize(stored.data(), stored.size()) != stored.size()) {
    return absl::DataLossError("not exactly one zstd frame");
  }
  if (!WindowIsSmall(stored)) return absl::DataLossError("a zstd frame with too large a window");
  return absl::OkStatus();
}

absl::StatusOr<ByteView> Inflate(ByteView stored, uint32_t raw_size, std::vector<uint8_t>* buffer) {
  if (absl::Status status = CheckFrame(stored, raw_size); !status.ok()) return status;
  buffer->resize(raw_size);
  const size_t got =
      ZSTD_decompressDCtx(Decompressor(), buffer->data(), raw_size, stored.data(), stored.size());
  if (ZSTD_isError(got)) return absl::DataLossError(absl::StrCat("zstd: ", ZSTD_getErrorName(got)));
  if (got != raw_size) return absl::DataLossError(absl::StrCat(got, " bytes in a chunk of ", raw_size));
  return ByteView(*buffer);
}

// The raw bytes, unchecked: `stored` itself, or in `buffer`.
absl::StatusOr<ByteView> Undo(ChunkEncoding encoding, ByteView stored, uint32_t raw_size,
                              std::vector<uint8_t>* buffer) {
  switch (encoding) {
    case ChunkEncoding::kRaw:
      if (stored.size() != raw_size) {
        return absl::DataLossError(absl::StrCat(stored.size(), " bytes in a raw chunk of ", raw_size));
      }
      return stored;
    case ChunkEncoding::kZstd:
      return Inflate(stored, raw_size, buffer);
  }
  return absl::DataLossError(absl::StrCat("unknown chunk encoding ", static_cast<int>(encoding)));
}

absl::StatusOr<ByteView> CheckedBytes(ChunkEncoding encoding, ByteView stored, uint32_t raw_size,
                                      const Sha256Digest& digest, std::vector<uint8_t>* buffer) {
  if (raw_size == 0 || raw_size > kChunkBytes) {
    return absl::DataLossError(absl::StrCat("a chunk of ", raw_size, " bytes"));
  }
  absl::StatusOr<ByteView> raw = Undo(encoding, stored, raw_size, buffer);
  if (raw.ok() && Sha256Of(*raw) != digest) return absl::DataLossError("a chunk's digest differs");
  return raw;
}

}  // namespace

EncodedChunk EncodeChunk(ByteView raw) {
  // A frame as large as the chunk is of no use, so it gets no more room than that.
  std::string frame(raw.size(), '\0');
  const size_t size =
      ZSTD_compressCCtx(Compressor(), &frame[0], frame.size(), raw.data(), raw.size(), kLevel);
  if (ZSTD_isError(size) || size >= raw.size()) return {ChunkEncoding::kRaw, std::string(TextOf(raw))};
  frame.resize(size);
  return {ChunkEncoding::kZstd, std::move(frame)};
}

absl::StatusOr<std::vector<uint8_t>> DecodeChunk(ChunkEncoding encoding, ByteView stored, uint32_t raw_size,
                                                 const Sha256Digest& digest) {
  std::vector<uint8_t> buffer;
  const absl::StatusOr<ByteView> raw = CheckedBytes(encoding, stored, raw_size, digest, &buffer);
  if (!raw.ok()) return raw.status();
  if (encoding == ChunkEncoding::kRaw) buffer.assign(raw->begin(), raw->end());
  return buffer;
}

absl::Status CheckChunk(ChunkEncoding encoding, ByteView stored, uint32_t raw_size,
                        const Sha256Digest& digest) {
  thread_local std::vector<uint8_t> buffer;
  return CheckedBytes(encoding, stored, raw_size, digest, &buffer).status();
}

}  // namespace corefleet
