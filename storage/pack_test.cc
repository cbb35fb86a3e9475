#include "storage/pack.h"

#include <gtest/gtest.h>

#include <random>

#include "absl/strings/str_cat.h"

namespace corefleet {
namespace {

constexpr char kSession[] = "0123456789abcdef0123456789abcdef";

PackEntry EntryOf(uint32_t region, uint64_t chunk, absl::string_view raw, ChunkEncoding encoding) {
  return {.region = region,
          .chunk = chunk,
          .encoding = encoding,
          .raw_size = static_cast<uint32_t>(raw.size()),
          .digest = Sha256Of(BytesOf(raw))};
}

Pack SamplePack() {
  PackBuilder builder;
  builder.Add(EntryOf(0, 0, "first", ChunkEncoding::kRaw), BytesOf("first"));
  const std::string text(5000, 'x');
  const EncodedChunk chunk = EncodeChunk(BytesOf(text));
  builder.Add(EntryOf(7, uint64_t{1} << 40, text, chunk.encoding), BytesOf(chunk.bytes));
  return builder.Build(kSession);
}

std::string IndexOf(const Pack& pack) { return EncodePackIndex(kSession, pack.entries); }

// The index again with a checksum that fits, so that a test reaches what stands behind it.
std::string Resealed(std::string index) {
  index.resize(index.size() - 4);
  const uint32_t sum = Crc32c(BytesOf(index));
  for (int i = 0; i < 4; ++i) index.push_back(static_cast<char>(sum >> (8 * i)));
  return index;
}

TEST(PackTest, ChunksAreFoundWhereTheIndexSays) {
  const Pack pack = SamplePack();
  ASSERT_EQ(pack.entries.size(), 2u);
  for (const PackEntry& entry : pack.entries) {
    const ByteView stored = BytesOf(pack.bytes).subspan(entry.offset, entry.stored_size);
    EXPECT_TRUE(DecodeChunk(entry.encoding, stored, entry.raw_size, entry.digest).ok());
  }
  EXPECT_EQ(pack.entries[1].offset + pack.entries[1].stored_size, pack.bytes.size());
}

TEST(PackTest, TheIndexStandsAtTheFront) {
  const Pack pack = SamplePack();
  EXPECT_EQ(pack.bytes.substr(0, IndexOf(pack).size()), IndexOf(pack));
  const auto front = ReadPackIndex(BytesOf(pack.bytes));
  ASSERT_TRUE(front.ok()) << front.status();
  EXPECT_EQ(front->session, kSession);
  EXPECT_EQ(front->entries, pack.entries);
  const auto alone = DecodePackIndex(BytesOf(IndexOf(pack)), pack.bytes.size());
  ASSERT_TRUE(alone.ok()) << alone.status();
  EXPECT_EQ(*alone, pack.entries);
}

TEST(PackTest, ThePiecesMakeThePack) {
  const auto fill = [](PackBuilder* builder) {
    builder->Add(EntryOf(0, 0, "first", ChunkEncoding::kRaw), std::string("first"));
    builder->Add(EntryOf(0, 1, "second", ChunkEncoding::kRaw), BytesOf("second"));
  };
  PackBuilder whole, pieces;
  fill(&whole);
  fill(&pieces);
  const Pack pack = whole.Build(kSession);
  const PackInPieces in_pieces = pieces.BuildInPieces(kSession);
  std::string joined;
  for (const ByteView piece : in_pieces.pieces()) absl::StrAppend(&joined, TextOf(piece));
  EXPECT_EQ(joined, pack.bytes);
  EXPECT_EQ(in_pieces.entries, pack.entries);
  EXPECT_TRUE(pieces.empty());
  EXPECT_EQ(pieces.stored_bytes(), 0u);
}

TEST(PackTest, TheBuilderStartsAnew) {
  PackBuilder builder;
  EXPECT_TRUE(builder.empty());
  builder.Add(EntryOf(0, 0, "a", ChunkEncoding::kRaw), BytesOf("a"));
  EXPECT_EQ(builder.stored_bytes(), 1u);
  builder.Build(kSession);
  EXPECT_TRUE(builder.empty());
  EXPECT_EQ(builder.stored_bytes(), 0u);
  builder.Add(EntryOf(0, 1, "b", ChunkEncoding::kRaw), BytesOf("b"));
  const Pack second = builder.Build(kSession);
  EXPECT_TRUE(DecodePackIndex(BytesOf(IndexOf(second)), second.bytes.size()).ok());
}

// The format as docs/formats/pack.md has it: whoever changes this byte changes every stored pack.
TEST(PackTest, FormatIsPinned) {
  EXPECT_EQ(EncodePackIndex("s", {}).substr(0, 14), std::string("CFPACK\x01\n\x01s\0\0\0\0", 14));
  EXPECT_EQ(EncodePackIndex("s", {PackEntry{}}).size(), 8u + 1 + 1 + 4 + 57 + 4);
}

TEST(PackTest, EveryPrefixAndEveryTurnedBitIsDataLoss) {
  const Pack pack = SamplePack();
  const std::string index = IndexOf(pack);
  for (size_t size = 0; size < index.size(); ++size) {
    EXPECT_EQ(DecodePackIndex(BytesOf(index.substr(0, size)), pack.bytes.size()).status().code(),
              absl::StatusCode::kDataLoss);
  }
  for (size_t bit = 0; bit < index.size() * 8; ++bit) {
    std::string changed = index;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(DecodePackIndex(BytesOf(changed), pack.bytes.size()).ok()) << bit;
  }
  EXPECT_FALSE(DecodePackIndex(BytesOf(index + "x"), pack.bytes.size()).ok());
}

TEST(PackTest, EntriesOutsideThePackAreDataLoss) {
  const Pack pack = SamplePack();
  EXPECT_FALSE(DecodePackIndex(BytesOf(IndexOf(pack)), pack.bytes.size() - 1).ok());
  const auto with = [&](auto change) {
    std::vector<PackEntry> entries = pack.entries;
    change(&entries[0]);
    return DecodePackIndex(BytesOf(EncodePackIndex(kSession, entries)), pack.bytes.size());
  };
  EXPECT_TRUE(with([](PackEntry*) {}).ok());
  EXPECT_FALSE(with([](PackEntry* entry) { entry->offset = 0; }).ok());  // inside the index
  EXPECT_FALSE(with([](PackEntry* entry) { entry->offset = 0xffffffff; }).ok());
  EXPECT_FALSE(with([](PackEntry* entry) { entry->stored_size = 0xffffffff; }).ok());
  EXPECT_FALSE(with([](PackEntry* entry) { entry->raw_size = 0; }).ok());
  EXPECT_FALSE(with([](PackEntry* entry) { entry->raw_size = kChunkBytes + 1; }).ok());
  EXPECT_FALSE(with([](PackEntry* entry) { entry->encoding = static_cast<ChunkEncoding>(2); }).ok());
}

TEST(PackTest, AHostileCountAllocatesNothing) {
  std::string index = EncodePackIndex("", {});
  for (int i = 0; i < 4; ++i) index[9 + i] = '\xff';
  EXPECT_FALSE(DecodePackIndex(BytesOf(Resealed(index)), 1 << 20).ok());
}

TEST(PackTest, NoiseIsDataLoss) {
  std::mt19937 random(11);
  for (int round = 0; round < 2000; ++round) {
    std::string noise(random() % 300, '\0');
    for (char& c : noise) c = static_cast<char>(random());
    const std::string marked = Resealed("CFPACK\x01\n" + noise + "....");
    EXPECT_FALSE(DecodePackIndex(BytesOf(noise), 1 << 20).ok());
    const auto index = DecodePackIndex(BytesOf(marked), 1 << 20);  // may even be one; must not read outside
    EXPECT_TRUE(!index.ok() || index->size() <= noise.size());
  }
}

}  // namespace
}  // namespace corefleet
