#include "server/address_file.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace corefleet {
namespace {

std::string Read(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return file ? text.str() : "no file";
}

TEST(AddressFileTest, IsThereAsLongAsTheServer) {
  const std::string dir = testing::TempDir();
  const std::string path = dir + "/addresses";
  {
    const auto file = AddressFile::Write(dir, {{"ingest", "127.0.0.1:1"}, {"http", "127.0.0.1:2"}});
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_EQ(Read(path), "ingest=127.0.0.1:1\nhttp=127.0.0.1:2\n");
  }
  EXPECT_EQ(Read(path), "no file");
}

TEST(AddressFileTest, WhatAKilledServerLeftIsRemoved) {
  const std::string dir = testing::TempDir();
  std::ofstream(dir + "/addresses") << "ingest=127.0.0.1:9\n";
  AddressFile::RemoveStale(dir);
  EXPECT_EQ(Read(dir + "/addresses"), "no file");
  EXPECT_FALSE(AddressFile::Write(dir + "/no/such/folder", {}).ok());
}

}  // namespace
}  // namespace corefleet
