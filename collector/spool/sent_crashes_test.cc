#include "collector/spool/sent_crashes.h"

#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace corefleet {
namespace {

class SentCrashesTest : public testing::Test {
 protected:
  SentCrashesTest() : root_(absl::StrCat(testing::TempDir(), "/sent.XXXXXX")) {
    EXPECT_NE(mkdtemp(root_.data()), nullptr);
  }
  ~SentCrashesTest() override { std::filesystem::remove_all(root_); }
  SentCrashes Open(const std::string& ingest = "lab:7443", const std::string& device = "edge-1") {
    return *SentCrashes::Open(root_ + "/state", {.ingest = ingest, .device = DeviceId(device)});
  }
  std::string root_;
  const CrashUid uid_{std::string(64, 'a')};
};

TEST_F(SentCrashesTest, RemembersOverARestart) {
  EXPECT_FALSE(Open().Has(uid_));
  ASSERT_TRUE(Open().Add(uid_, "0123").ok());
  EXPECT_TRUE(Open().Has(uid_));
  EXPECT_FALSE(Open().Has(CrashUid(std::string(64, 'b'))));
}

TEST_F(SentCrashesTest, AnotherServerOrDeviceHasNotGotIt) {
  ASSERT_TRUE(Open().Add(uid_, "0123").ok());
  EXPECT_FALSE(Open("other:7443").Has(uid_));
  EXPECT_FALSE(Open("lab:7443", "edge-2").Has(uid_));
}

TEST_F(SentCrashesTest, ATornEntryIsNone) {
  ASSERT_TRUE(Open().Add(uid_, "0123").ok());
  std::filesystem::resize_file(root_ + "/state/" + uid_.value(), 5);
  EXPECT_FALSE(Open().Has(uid_));
}

TEST_F(SentCrashesTest, WithoutAFolderNothingIsRemembered) {
  SentCrashes sent = *SentCrashes::Open("", {});
  EXPECT_TRUE(sent.Add(uid_, "0123").ok());
  EXPECT_FALSE(sent.Has(uid_));
}

TEST_F(SentCrashesTest, SaysWhenTheFolderCannotBe) {
  std::ofstream(root_ + "/file") << "x";
  EXPECT_FALSE(SentCrashes::Open(root_ + "/file/state", {}).ok());
}

}  // namespace
}  // namespace corefleet
