#include "collector/source/file_bytes.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>

#include "absl/strings/match.h"
#include "collector/source/captured_bytes.h"
#include "collector/source/scratch_folder.h"
#include "gtest/gtest.h"

namespace corefleet {
namespace {

class FileBytesTest : public testing::Test {
 protected:
  const ScratchFolder folder_;
  const OwnedFd fd_{open(folder_.path().c_str(), O_RDONLY | O_DIRECTORY)};
};

TEST_F(FileBytesTest, FollowsTheOperatorsLinksAndNoOthers) {
  folder_.Write("dump.bin", "0123");
  ASSERT_EQ(symlink("dump.bin", (folder_ / "link").c_str()), 0);
  const absl::StatusOr<NamedFile> named = OpenNamedFile(folder_ / "link");
  ASSERT_TRUE(named.ok()) << named.status();
  EXPECT_EQ(named->name, "link");
  EXPECT_EQ(named->bytes->size(), 4u);
  EXPECT_FALSE(named->is_device);
  EXPECT_TRUE(absl::IsFailedPrecondition(FileBytes::OpenAt(fd_.get(), "link").status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(CaptureAt(fd_.get(), "link", 100).status()));
}

TEST_F(FileBytesTest, RefusesWhatIsNoFileWithoutWaitingForIt) {
  ASSERT_EQ(mkfifo((folder_ / "fifo").c_str(), 0600), 0);
  EXPECT_TRUE(absl::IsFailedPrecondition(OpenNamedFile(folder_ / "fifo").status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(CaptureAt(fd_.get(), "fifo", 100).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(OpenNamedFile(folder_.path()).status()));
  EXPECT_TRUE(absl::IsNotFound(OpenNamedFile(folder_ / "nothing").status()));
  // A device that is no storage says nothing of its size.
  EXPECT_TRUE(absl::IsFailedPrecondition(OpenNamedFile("/dev/null").status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(OpenNamedFile("/dev/zero").status()));
}

TEST_F(FileBytesTest, CapturesFilesThatSayNothingOfTheirSize) {
  const OwnedFd proc(open("/proc/self", O_RDONLY | O_DIRECTORY));
  const auto captured = CaptureAt(proc.get(), "status", 1 << 20);
  ASSERT_TRUE(captured.ok()) << captured.status();
  EXPECT_GT((*captured)->size(), 100u);
}

TEST_F(FileBytesTest, CapturesLargeFilesOutsideOfMemory) {
  std::string large(3 << 20, 'x');
  large[2 << 20] = 'y';
  folder_.Write("large", large);
  const auto captured = CaptureAt(fd_.get(), "large", 4 << 20);
  ASSERT_TRUE(captured.ok()) << captured.status();
  std::filesystem::remove(folder_ / "large");
  const auto bytes = ReadBytes(**captured, 0, (*captured)->size());
  ASSERT_TRUE(bytes.ok());
  EXPECT_EQ(std::string(bytes->begin(), bytes->end()), large);
}

TEST_F(FileBytesTest, CapturesNoMoreThanItMay) {
  folder_.Write("data", "01234567");
  EXPECT_TRUE(CaptureAt(fd_.get(), "data", 8).ok());
  const absl::Status status = CaptureAt(fd_.get(), "data", 7).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_TRUE(absl::StrContains(status.message(), "data")) << status;
}

}  // namespace
}  // namespace corefleet
