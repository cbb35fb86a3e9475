#include "core/minidump/address_table.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace corefleet {
namespace {

std::vector<uint8_t> Row(std::string name, uint32_t id, uint64_t paddr, uint64_t size) {
  name.resize(16);
  std::vector<uint8_t> row(name.begin(), name.end());
  for (int i = 0; i < 4; ++i) row.push_back(id >> (8 * i));
  for (char c : {'I', 'L', 'A', 'V'}) row.push_back(c);
  for (int i = 0; i < 8; ++i) row.push_back(paddr >> (8 * i));
  for (int i = 0; i < 8; ++i) row.push_back(size >> (8 * i));
  return row;
}

TEST(AddressTableTest, ReadsARow) {
  const std::vector<uint8_t> bytes = Row("Kprb_info", 24, 0x41a38618, 0x58000);
  const AddressTable table = ParseAddressTable(bytes);
  ASSERT_EQ(table.rows.size(), 1u);
  EXPECT_EQ(table.rows[0].name, "Kprb_info");
  EXPECT_EQ(table.rows[0].id, 24u);
  EXPECT_EQ(table.rows[0].paddr, 0x41a38618u);
  EXPECT_EQ(table.rows[0].size, 0x58000u);
  EXPECT_TRUE(table.rows[0].valid);
  EXPECT_FALSE(table.damaged);
  EXPECT_TRUE(LooksLikeAddressTable(bytes));
}

TEST(AddressTableTest, ANameMayFillItsField) {
  const AddressTable table = ParseAddressTable(Row("0123456789abcdef", 1, 2, 3));
  EXPECT_EQ(table.rows[0].name, "0123456789abcdef");
}

TEST(AddressTableTest, ATornRowIsTold) {
  std::vector<uint8_t> bytes = Row("Kprb", 22, 1, 8);
  bytes.push_back(0);
  EXPECT_TRUE(ParseAddressTable(bytes).damaged);
  EXPECT_EQ(ParseAddressTable(bytes).rows.size(), 1u);
}

TEST(AddressTableTest, IsBounded) {
  const AddressTable table =
      ParseAddressTable(std::vector<uint8_t>(2 * kMaxAddressRows * kAddressRowBytes, 1));
  EXPECT_EQ(table.rows.size(), kMaxAddressRows);
  EXPECT_TRUE(table.damaged);
}

// Who saves the whole table saves the slots that the kernel never used.
TEST(AddressTableTest, UnusedSlotsAreLeftOut) {
  std::vector<uint8_t> bytes = Row("Kprb_info", 24, 0x41a38618, 0x58000);
  bytes.resize(201 * kAddressRowBytes);
  const AddressTable table = ParseAddressTable(bytes);
  EXPECT_EQ(table.rows.size(), 1u);
  EXPECT_FALSE(table.damaged);
  EXPECT_TRUE(LooksLikeAddressTable(bytes));
}

TEST(AddressTableTest, OtherBytesAreNone) {
  EXPECT_FALSE(LooksLikeAddressTable({}));
  EXPECT_FALSE(LooksLikeAddressTable(std::vector<uint8_t>(400)));
  EXPECT_FALSE(LooksLikeAddressTable(BytesOf(std::string(400, 'V'))));
}

}  // namespace
}  // namespace corefleet
