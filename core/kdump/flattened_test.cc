#include "core/kdump/flattened.h"

#include <numeric>

#include "core/kdump/flattened_writer.h"
#include "gtest/gtest.h"

namespace corefleet {
namespace {

std::vector<uint8_t> Numbers(size_t n) {
  std::vector<uint8_t> bytes(n);
  std::iota(bytes.begin(), bytes.end(), uint8_t{1});
  return bytes;
}

std::shared_ptr<const ByteSource> SourceOf(std::vector<uint8_t> bytes) {
  return std::make_shared<MemorySource>(std::move(bytes));
}

std::vector<uint8_t> All(const Unflattened& file) { return *ReadBytes(*file.bytes, 0, file.bytes->size()); }

TEST(Flattened, GivesTheFileBack) {
  const std::vector<uint8_t> file = Numbers(10'000);
  for (const uint64_t piece : {uint64_t{1000}, uint64_t{4096}, uint64_t{20'000}}) {
    const std::vector<uint8_t> stream = Flatten(file, piece);
    EXPECT_TRUE(LooksLikeFlattened(stream));
    const auto result = Unflatten(SourceOf(stream));
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->cut, "");
    EXPECT_EQ(All(*result), file);
    const ByteView first = FirstFlattenedPiece(stream);
    EXPECT_EQ(first, ByteView(file).subspan(0, piece));
  }
}

TEST(Flattened, PiecesOutOfOrderAndOverEachOther) {
  FlattenedWriter writer;
  writer.Append(6, BytesOf("xyz"));
  writer.Append(0, BytesOf("abcd"));
  writer.Append(2, BytesOf("CD"));
  const auto result = Unflatten(SourceOf(writer.Stream()));
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(TextOf(All(*result)), absl::string_view("abCD\0\0xyz", 9)) << "what nobody wrote is zeros";
  EXPECT_EQ(TextOf(FirstFlattenedPiece(writer.Stream())), "abcd");
  std::vector<uint8_t> middle(4);
  EXPECT_TRUE(result->bytes->ReadAt(3, absl::MakeSpan(middle)).ok());
  EXPECT_EQ(TextOf(middle), absl::string_view("D\0\0x", 4));
  EXPECT_TRUE(absl::IsOutOfRange(result->bytes->ReadAt(6, absl::MakeSpan(middle))));
}

TEST(Flattened, CutAtEveryByteGivesWhatIsThere) {
  const std::vector<uint8_t> file = Numbers(300);
  FlattenedWriter writer;
  writer.Append(0, ByteView(file).first(100));
  writer.Append(100, ByteView(file).subspan(100));
  const std::vector<uint8_t> stream = writer.Stream();
  for (size_t size = kFlattenedHeaderBytes; size < stream.size(); ++size) {
    const auto result = Unflatten(SourceOf({stream.begin(), stream.begin() + size}));
    ASSERT_TRUE(result.ok());
    EXPECT_NE(result->cut, "");
    const std::vector<uint8_t> there = All(*result);
    EXPECT_EQ(there, std::vector<uint8_t>(file.begin(), file.begin() + there.size()));
    EXPECT_EQ(there.size() == file.size(), size + kFlattenedPieceHeaderBytes >= stream.size());
  }
}

TEST(Flattened, HostileHeadersEndIt) {
  for (const uint64_t offset : {uint64_t{1} << 62, UINT64_MAX, uint64_t{1} << 40}) {
    FlattenedWriter writer;
    writer.Append(0, BytesOf("ab"));
    writer.Append(offset, BytesOf("x"));
    const auto result = Unflatten(SourceOf(writer.Stream()));
    ASSERT_TRUE(result.ok());
    EXPECT_NE(result->cut, "");
    EXPECT_EQ(result->bytes->size(), 2u);
  }
}

TEST(Flattened, RefusesOtherVersions) {
  std::vector<uint8_t> stream = FlattenedWriter().Stream();
  EXPECT_TRUE(Unflatten(SourceOf(stream)).ok());
  stream[31] = 2;
  EXPECT_TRUE(absl::IsUnimplemented(Unflatten(SourceOf(stream)).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(Unflatten(SourceOf(Numbers(5000))).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(Unflatten(SourceOf({stream.begin(), stream.begin() + 20})).status()));
}

}  // namespace
}  // namespace corefleet
