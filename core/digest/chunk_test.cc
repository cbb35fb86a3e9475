#include "core/digest/chunk.h"

#include <gtest/gtest.h>
#include <zstd.h>

#include <random>

namespace corefleet {
namespace {

using Bytes = std::vector<uint8_t>;

Bytes Text(size_t size) {
  Bytes bytes(size);
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<uint8_t>("kernel panic "[i % 13]);
  return bytes;
}

Bytes Noise(size_t size) {
  std::mt19937 random(7);
  Bytes bytes(size);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
  return bytes;
}

std::string Frame(const Bytes& raw, int level = 1) {
  std::string frame(ZSTD_compressBound(raw.size()), '\0');
  frame.resize(ZSTD_compress(&frame[0], frame.size(), raw.data(), raw.size(), level));
  return frame;
}

// Both ways of reading a chunk, which must say the same of it.
absl::StatusOr<Bytes> DecodeAs(ChunkEncoding encoding, ByteView stored, uint32_t raw_size,
                               const Sha256Digest& digest) {
  const absl::StatusOr<Bytes> raw = DecodeChunk(encoding, stored, raw_size, digest);
  EXPECT_EQ(CheckChunk(encoding, stored, raw_size, digest), raw.status());
  return raw;
}

absl::StatusOr<Bytes> Decode(const std::string& frame, const Bytes& raw) {
  return DecodeAs(ChunkEncoding::kZstd, BytesOf(frame), static_cast<uint32_t>(raw.size()),
                  Sha256Of(ByteView(raw)));
}

TEST(ChunkTest, ComesBackAsItWent) {
  for (const size_t size : {size_t{1}, size_t{17}, size_t{4096}, size_t{kChunkBytes}}) {
    for (const Bytes& raw : {Text(size), Noise(size), Bytes(size)}) {
      const EncodedChunk chunk = EncodeChunk(raw);
      EXPECT_LE(chunk.bytes.size(), raw.size());
      const auto back = DecodeAs(chunk.encoding, BytesOf(chunk.bytes), static_cast<uint32_t>(size),
                                 Sha256Of(ByteView(raw)));
      ASSERT_TRUE(back.ok()) << back.status();
      EXPECT_EQ(*back, raw);
    }
  }
}

TEST(ChunkTest, WhatDoesNotShrinkStaysRaw) {
  EXPECT_EQ(EncodeChunk(Noise(kChunkBytes)).encoding, ChunkEncoding::kRaw);
  EXPECT_EQ(EncodeChunk(Text(kChunkBytes)).encoding, ChunkEncoding::kZstd);
}

TEST(ChunkTest, ABombIsNotInflated) {
  // 64 MiB of zeros in a few kilobytes, offered as one chunk.
  const Bytes zeros(64 << 20);
  const std::string bomb = Frame(zeros);
  EXPECT_EQ(Decode(bomb, Bytes(kChunkBytes)).status().code(), absl::StatusCode::kDataLoss);
  // And announced as what it is: refused before anything is allocated.
  EXPECT_EQ(DecodeAs(ChunkEncoding::kZstd, BytesOf(bomb), 64u << 20, Sha256Digest{}).status().code(),
            absl::StatusCode::kDataLoss);
}

TEST(ChunkTest, AFrameThatLiesAboutItsSizeIsRefused) {
  // The blocks of 1 MiB behind a header that says 64 KiB: descriptor, window byte, four bytes of size.
  const Bytes zeros(1 << 20);
  std::string frame = Frame(zeros);
  ASSERT_EQ(static_cast<uint8_t>(frame[4]), 0x80);
  ASSERT_EQ(frame[8], 0x10);
  frame[8] = 0x01;
  EXPECT_EQ(Decode(frame, Bytes(kChunkBytes)).status().code(), absl::StatusCode::kDataLoss);
}

TEST(ChunkTest, ExactlyOneFrameOfTheAnnouncedSize) {
  const Bytes raw = Text(1000);
  const std::string frame = Frame(raw);
  ASSERT_TRUE(Decode(frame, raw).ok());
  EXPECT_FALSE(Decode(frame + frame, raw).ok());
  EXPECT_FALSE(Decode(frame + "x", raw).ok());
  EXPECT_FALSE(
      Decode(frame + std::string("\x50\x2a\x4d\x18\x00\x00\x00\x00", 8), raw).ok());  // skippable frame
  EXPECT_FALSE(Decode(std::string("\x50\x2a\x4d\x18\x00\x00\x00\x00", 8), raw).ok());
  EXPECT_FALSE(DecodeAs(ChunkEncoding::kZstd, BytesOf(frame), 999, Sha256Of(ByteView(raw))).ok());
  EXPECT_FALSE(DecodeAs(ChunkEncoding::kZstd, BytesOf(frame), 0, Sha256Of(ByteView())).ok());
}

TEST(ChunkTest, AFrameWithoutItsSizeIsRefused) {
  const Bytes raw = Text(1000);
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
  std::string frame(ZSTD_compressBound(raw.size()), '\0');
  frame.resize(ZSTD_compress2(context, &frame[0], frame.size(), raw.data(), raw.size()));
  ZSTD_freeCCtx(context);
  EXPECT_FALSE(Decode(frame, raw).ok());
}

TEST(ChunkTest, AWindowBeyondTheLimitIsRefused) {
  const Bytes raw = Text(1000);
  std::string frame = Frame(raw);
  // Rewritten by hand as a frame of several segments: descriptor 0x40 (size in two bytes, less 256), window
  // byte.
  ASSERT_EQ(static_cast<uint8_t>(frame[4]), 0x60);
  frame[4] = 0x40;
  const auto with_window = [&](int log) {
    std::string changed = frame;
    changed.insert(5, 1, static_cast<char>((log - 10) << 3));
    return changed;
  };
  EXPECT_TRUE(Decode(with_window(21), raw).ok());
  EXPECT_FALSE(Decode(with_window(22), raw).ok());
  EXPECT_FALSE(Decode(with_window(31), raw).ok());
}

TEST(ChunkTest, ADifferentDigestIsDataLoss) {
  const Bytes raw = Text(1000);
  Bytes other = raw;
  other[500] ^= 1;
  EXPECT_EQ(Decode(Frame(other), raw).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(DecodeAs(ChunkEncoding::kRaw, other, 1000, Sha256Of(ByteView(raw))).status().code(),
            absl::StatusCode::kDataLoss);
}

TEST(ChunkTest, AnUnknownEncodingIsDataLoss) {
  const Bytes raw = Text(10);
  EXPECT_EQ(DecodeAs(static_cast<ChunkEncoding>(9), raw, 10, Sha256Of(ByteView(raw))).status().code(),
            absl::StatusCode::kDataLoss);
}

TEST(ChunkTest, EveryPrefixAndEveryTurnedBitIsRefusedOrTrue) {
  const Bytes raw = Text(300);
  const std::string frame = Frame(raw);
  for (size_t size = 0; size < frame.size(); ++size)
    EXPECT_FALSE(Decode(frame.substr(0, size), raw).ok()) << size;
  for (size_t bit = 0; bit < frame.size() * 8; ++bit) {
    std::string changed = frame;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
    const auto back = Decode(changed, raw);
    EXPECT_TRUE(!back.ok() || *back == raw) << bit;
  }
}

}  // namespace
}  // namespace corefleet
