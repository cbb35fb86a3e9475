#include "storage/data_dir.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "absl/strings/str_cat.h"

namespace corefleet {
namespace {

std::string FreshPath(absl::string_view name) {
  return absl::StrCat(testing::TempDir(), "/", getpid(), ".", name);
}

TEST(DataDirLockTest, MakesTheDirectoryAndItsParents) {
  const std::string path = FreshPath("made/deep/down");
  const auto lock = DataDirLock::Acquire(path);
  ASSERT_TRUE(lock.ok()) << lock.status();
  struct stat info;
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0711u);
  const auto segments = (*lock)->Subdirectory("segments");
  ASSERT_TRUE(segments.ok());
  EXPECT_EQ(*segments, path + "/segments");
  ASSERT_EQ(stat(segments->c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0700u);
}

TEST(DataDirLockTest, OneHolderAtATimeAndTheSecondHearsWho) {
  const std::string path = FreshPath("one");
  auto first = DataDirLock::Acquire(path);
  ASSERT_TRUE(first.ok());
  const auto second = DataDirLock::Acquire(path);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(std::string(second.status().message()).find(absl::StrCat("process ", getpid())),
            std::string::npos);
  first->reset();
  EXPECT_TRUE(DataDirLock::Acquire(path).ok());
}

TEST(DataDirLockTest, AFileIsNoDirectory) {
  const std::string path = FreshPath("file");
  std::ofstream(path) << "x";
  EXPECT_EQ(DataDirLock::Acquire(path).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(DataDirLock::Acquire("").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(DataDirLock::Acquire(path + "/below").ok());
}

}  // namespace
}  // namespace corefleet
