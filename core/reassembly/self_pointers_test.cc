#include "core/reassembly/self_pointers.h"

#include <gtest/gtest.h>

#include <vector>

namespace corefleet {
namespace {

constexpr uint64_t kBase = 0xffff888000100000;

void Store(uint64_t word, size_t at, std::vector<uint8_t>* bytes) {
  for (int i = 0; i < 8; ++i) (*bytes)[at + i] = static_cast<uint8_t>(word >> 8 * i);
}

// A region of `size` bytes with empty lists at those offsets, each of which says that the region is at
// `base`.
std::vector<uint8_t> WithLists(size_t size, const std::vector<size_t>& lists, uint64_t base = kBase) {
  std::vector<uint8_t> bytes(size);
  for (const size_t at : lists) {
    Store(base + at, at, &bytes);
    Store(base + at, at + 8, &bytes);
  }
  return bytes;
}

std::optional<SelfAddress> Find(std::vector<uint8_t> bytes) {
  return FindSelfAddress(MemorySource(std::move(bytes)));
}

TEST(SelfPointersTest, FourListsSayWhereTheRegionWas) {
  const auto found = Find(WithLists(512, {0, 64, 200, 496}));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->vaddr, kBase);
  EXPECT_EQ(found->witnesses, 4u);
  EXPECT_FALSE(Find(WithLists(512, {0, 64, 200})));
}

TEST(SelfPointersTest, ListsOverTheEdgesOfWhatIsReadAtOnceCount) {
  constexpr size_t kStep = 64 * 1024;
  const auto found = Find(WithLists(3 * kStep, {kStep - 16, 2 * kStep - 8, 2 * kStep + 8, 3 * kStep - 16}));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->vaddr, kBase);
  EXPECT_EQ(found->witnesses, 4u);
}

TEST(SelfPointersTest, ListsThatContradictOutweighFew) {
  std::vector<uint8_t> bytes = WithLists(512, {0, 16, 32, 48});
  Store(kBase, 256, &bytes);
  Store(kBase, 264, &bytes);
  EXPECT_TRUE(Find(bytes)) << "one against four";
  Store(kBase + 16, 272, &bytes);
  Store(kBase + 16, 280, &bytes);
  EXPECT_FALSE(Find(bytes)) << "two against four";
}

TEST(SelfPointersTest, WhatFillsMemoryIsNoPointer) {
  std::vector<uint8_t> bytes(4096, 0xff);
  for (const size_t at : {0, 64, 200, 496}) {
    Store(kBase + at, at, &bytes);
    Store(kBase + at, at + 8, &bytes);
  }
  const auto found = Find(bytes);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->witnesses, 4u);
  std::vector<uint8_t> odd(4096);
  for (size_t at = 0; at < odd.size(); at += 8) Store(kBase + 4, at, &odd);
  EXPECT_FALSE(Find(odd));
}

TEST(SelfPointersTest, NumbersThatAreNoKernelAddressesSayNothing) {
  EXPECT_FALSE(Find(std::vector<uint8_t>(4096)));
  EXPECT_FALSE(Find(WithLists(4096, {0, 64, 128, 192}, 0x7fff00000000)));
  EXPECT_FALSE(Find({}));
}

}  // namespace
}  // namespace corefleet
