#include "server/identity/file_reload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <map>

namespace corefleet {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class CountedReloads final : public IdentityMetrics {
 public:
  void FilesReloaded(absl::string_view what, bool ok) override {
    ++(ok ? loaded : refused)[std::string(what)];
  }
  std::map<std::string, int> loaded, refused;
};

class FileReloadTest : public testing::Test {
 protected:
  FileReloadTest()
      : folder_(testing::TempDir() + "/reload-" +
                testing::UnitTest::GetInstance()->current_test_info()->name()) {
    mkdir(folder_.c_str(), 0700);
  }
  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  void Write(const std::string& name, const std::string& text) const { std::ofstream(Path(name)) << text; }
  // As careful administrators do it.
  void Replace(const std::string& name, const std::string& text) const {
    Write(name + ".new", text);
    rename(Path(name + ".new").c_str(), Path(name).c_str());
  }
  absl::Status Watch(const std::vector<std::string>& names) {
    std::vector<std::string> paths;
    for (const std::string& name : names) paths.push_back(Path(name));
    return reload_.Add("things", paths, [this](std::vector<std::string> texts) {
      if (texts[0] == "bad") return absl::InvalidArgumentError("it is bad");
      current_ = texts;
      ++taken_;
      return absl::OkStatus();
    });
  }

  const std::string folder_;
  CountedReloads metrics_;
  FileReload reload_{&metrics_};
  std::vector<std::string> current_;
  int taken_ = 0;
};

TEST_F(FileReloadTest, ReadsAtOnceAndOnlyWhatChanged) {
  Write("a", "1");
  Write("b", "2");
  ASSERT_TRUE(Watch({"a", "b"}).ok());
  EXPECT_THAT(current_, ElementsAre("1", "2"));
  reload_.Look();
  EXPECT_EQ(taken_, 1);
  Write("b", "two");
  reload_.Look();
  EXPECT_THAT(current_, ElementsAre("1", "two"));
  EXPECT_EQ(metrics_.loaded["things"], 1);
}

TEST_F(FileReloadTest, RenamedAndSwappedFilesAreSeen) {
  Write("a", "1");
  ASSERT_TRUE(Watch({"a"}).ok());
  Replace("a", "2");
  reload_.Look();
  EXPECT_THAT(current_, ElementsAre("2"));
  Write("elsewhere", "3");
  unlink(Path("a").c_str());
  ASSERT_EQ(symlink("elsewhere", Path("a").c_str()), 0);
  reload_.Look();
  EXPECT_THAT(current_, ElementsAre("3"));
}

TEST_F(FileReloadTest, WhatMakesNoSenseIsCountedOnceAndNotTaken) {
  Write("a", "good");
  ASSERT_TRUE(Watch({"a"}).ok());
  Write("a", "bad");
  reload_.Look();
  reload_.Look();
  EXPECT_THAT(current_, ElementsAre("good"));
  EXPECT_EQ(metrics_.refused["things"], 1);
  unlink(Path("a").c_str());
  reload_.Look();
  EXPECT_THAT(current_, ElementsAre("good"));
  EXPECT_EQ(metrics_.refused["things"], 2);
  Write("a", "better");
  reload_.Look();
  EXPECT_THAT(current_, ElementsAre("better"));
}

TEST_F(FileReloadTest, AtTheStartItHasToMakeSense) {
  EXPECT_TRUE(absl::IsNotFound(Watch({"nothing"})));
  Write("a", "bad");
  const absl::Status bad = Watch({"a"});
  EXPECT_TRUE(absl::IsInvalidArgument(bad));
  EXPECT_THAT(std::string(bad.message()), HasSubstr(Path("a")));
  Write("huge", std::string((1 << 20) + 1, 'x'));
  EXPECT_TRUE(absl::IsInvalidArgument(Watch({"huge"})));
  EXPECT_FALSE(Watch({"."}).ok());
  EXPECT_EQ(taken_, 0);
}

}  // namespace
}  // namespace corefleet
