#include <errno.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "collector/source/scratch_folder.h"
#include "collector/spool/spool_fixture.h"

namespace corefleet {
namespace {

TEST(DiskFolderTest, WritesRenamesReadsAndRemoves) {
  const ScratchFolder scratch;
  auto folder = *SpoolFolder::Open(scratch / "deep/er/spool");
  {
    const auto file = *folder->Create("a");
    EXPECT_TRUE(absl::IsUnavailable(folder->Create("a").status()));
    ASSERT_TRUE(file->WriteAt(3, BytesOf("xyz")).ok());
    ASSERT_TRUE(file->WriteAt(0, BytesOf("abc")).ok());
    ASSERT_TRUE(file->Sync().ok());
    ASSERT_TRUE(file->Truncate(5).ok());
  }
  ASSERT_TRUE(folder->Rename("a", "b").ok());
  ASSERT_TRUE(folder->SyncNames().ok());
  const auto bytes = *folder->Read("b");
  EXPECT_EQ(bytes->size(), 5u);
  EXPECT_GE(bytes->descriptor(), 0);
  ASSERT_TRUE(folder->Remove("b").ok());
  ASSERT_TRUE(folder->Remove("b").ok());
  std::vector<uint8_t> read(5);
  ASSERT_TRUE(bytes->ReadAt(0, absl::MakeSpan(read)).ok());
  EXPECT_EQ(TextOf(read), "abcxy");
  EXPECT_TRUE(absl::IsDataLoss(bytes->ReadAt(1, absl::MakeSpan(read))));
  EXPECT_TRUE(absl::IsNotFound(folder->Read("b").status()));
  EXPECT_TRUE(absl::IsNotFound(folder->Change("b").status()));
  EXPECT_GT(folder->FreeRoom()->free_bytes, 0u);
}

TEST(DiskFolderTest, ListsPlainFilesAndFollowsNoLinks) {
  const ScratchFolder scratch;
  scratch.Write("spool/file");
  scratch.Write("secret");
  std::filesystem::create_directory(scratch / "spool/folder");
  std::filesystem::create_symlink(scratch / "secret", scratch / "spool/link");
  auto folder = *SpoolFolder::Open(scratch / "spool");
  ASSERT_EQ(folder->List()->size(), 1u);
  EXPECT_EQ((*folder->List())[0].name, "file");
  EXPECT_EQ((*folder->List())[0].size, 1u);
  EXPECT_FALSE(folder->Read("link").ok());
  EXPECT_FALSE(folder->Change("link").ok());
}

TEST(DiskFolderTest, BelongsToOneProcess) {
  const ScratchFolder scratch;
  auto folder = *SpoolFolder::Open(scratch / "spool");
  EXPECT_TRUE(absl::IsUnavailable(SpoolFolder::Open(scratch / "spool").status()));
  ASSERT_TRUE(folder->Create("a").ok());
  auto reader = *SpoolFolder::OpenToRead(scratch / "spool");
  EXPECT_TRUE(reader->Read("a").ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(reader->Create("b").status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(reader->Change("a").status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(reader->Remove("a")));
  EXPECT_TRUE(absl::IsFailedPrecondition(reader->Rename("a", "b")));
  folder.reset();
  EXPECT_TRUE(SpoolFolder::Open(scratch / "spool").ok());
}

TEST(DiskFolderTest, SaysWhyItCannotBe) {
  const ScratchFolder scratch;
  scratch.Write("file");
  EXPECT_FALSE(SpoolFolder::Open(scratch / "file").ok());
  EXPECT_FALSE(SpoolFolder::Open(scratch / "file/spool").ok());
  EXPECT_TRUE(absl::IsNotFound(SpoolFolder::OpenToRead(scratch / "none").status()));
  EXPECT_TRUE(absl::IsNotFound(SpoolFolder::OpenShared(scratch / "none").status()));
}

TEST(DiskFolderTest, WhoReadsBesideTheOwnerChangesNothing) {
  const ScratchFolder scratch;
  FakeBootClock clock;
  auto owner = *Spool::Open(*SpoolFolder::Open(scratch / "spool"), {}, {.clock = &clock, .boot_id = "b"});
  const SpoolId id = owner->Put(CrashOf("one"), TagsOf("a"))->id;
  scratch.Write("spool/00000000000000ff.part", "being written");
  scratch.Write("spool/00000000000000fe.crash", "damaged");
  {
    auto reader =
        *Spool::Open(*SpoolFolder::OpenToRead(scratch / "spool"), {}, {.clock = &clock, .boot_id = "b"});
    EXPECT_EQ(reader->List().size(), 1u);
    EXPECT_EQ(ContentOf(reader.get(), id), "one");
    EXPECT_EQ(reader->Losses().total(), 0u);
    EXPECT_FALSE(reader->Drop(id, LossReason::kConsent).ok());
  }
  EXPECT_TRUE(std::filesystem::exists(scratch / "spool/00000000000000ff.part"));
  EXPECT_TRUE(std::filesystem::exists(scratch / "spool/00000000000000fe.crash"));
  EXPECT_EQ(ContentOf(owner.get(), id), "one");
}

// A file system of a few megabytes, gone with the test. Only root may mount one, and not everywhere.
class SmallDisk {
 public:
  explicit SmallDisk(const std::string& path) : path_(path) {
    mkdir(path.c_str(), 0755);
    mounted_ = mount("corefleet-test", path.c_str(), "tmpfs", 0, "size=4m,nr_inodes=64") == 0;
    if (!mounted_) why_ = strerror(errno);
  }
  ~SmallDisk() {
    if (mounted_) umount2(path_.c_str(), MNT_DETACH);
  }
  bool mounted() const { return mounted_; }
  const std::string& why() const { return why_; }
  bool Remount(unsigned long flags) const {
    return mount("corefleet-test", path_.c_str(), "tmpfs", MS_REMOUNT | flags, "size=4m,nr_inodes=64") == 0;
  }

 private:
  const std::string path_;
  bool mounted_ = false;
  std::string why_;
};

class SmallDiskTest : public testing::Test {
 protected:
  SmallDiskTest() : disk_(scratch_ / "small") {}
  void SetUp() override {
    if (!disk_.mounted()) GTEST_SKIP() << "no small file system can be mounted here: " << disk_.why();
    limits_.max_bytes = 64 << 20;
    limits_.min_free_bytes = 256 << 10;
    limits_.min_free_inodes = 8;
    Reopen();
  }
  void Reopen() {
    spool_.reset();
    auto spool = Spool::Open(*SpoolFolder::Open(scratch_ / "small/spool"), limits_,
                             {.clock = &clock_, .boot_id = "b"});
    ASSERT_TRUE(spool.ok()) << spool.status();
    spool_ = *std::move(spool);
  }
  const ScratchFolder scratch_;
  SmallDisk disk_;
  FakeBootClock clock_;
  SpoolLimits limits_;
  std::unique_ptr<Spool> spool_;
};

TEST_F(SmallDiskTest, HeadroomAndInodesAreLeftToOthers) {
  uint64_t put = 0;
  for (int i = 0; i < 100; ++i, ++put) {
    ASSERT_TRUE(spool_->Put(CrashOf(Noise(i % 5 == 0 ? 700000 : 3000, i)), TagsOf("loop")).ok()) << i;
    EXPECT_GE(spool_->Stats().room.free_bytes, limits_.min_free_bytes);
    EXPECT_GE(spool_->Stats().room.free_inodes, limits_.min_free_inodes);
  }
  EXPECT_EQ(spool_->List().size() + spool_->Losses().total(), put);
  Reopen();
  EXPECT_EQ(spool_->List().size() + spool_->Losses().total(), put);
  for (const SpoolEntry& entry : spool_->List()) ContentOf(spool_.get(), entry.id);
}

TEST_F(SmallDiskTest, AFullDiskCostsNothingThatIsThere) {
  const SpoolId id = spool_->Put(CrashOf("one"), TagsOf("a"))->id;
  limits_.min_free_bytes = limits_.min_free_inodes = 0;
  Reopen();
  std::ofstream others(scratch_ / "small/others", std::ios::binary);
  others << std::string(8 << 20, 'x') << std::flush;
  EXPECT_TRUE(absl::IsResourceExhausted(spool_->Put(CrashOf(Noise(100000, 1)), TagsOf("b")).status()));
  EXPECT_EQ(ContentOf(spool_.get(), id), "one");
  EXPECT_TRUE(spool_->Drop(id, LossReason::kPolicy).ok());
  EXPECT_FALSE(spool_->Stats().losses_unsaved);
  Reopen();
  EXPECT_EQ(spool_->Losses().of(LossReason::kPolicy), 1u);
}

TEST_F(SmallDiskTest, WithoutAnInodeLeft) {
  const SpoolId id = spool_->Put(CrashOf("one"), TagsOf("a"))->id;
  limits_.min_free_inodes = 0;
  Reopen();
  for (int i = 0; i < 100; ++i) std::ofstream(scratch_ / ("small/" + std::to_string(i)));
  EXPECT_EQ(spool_->Stats().room.free_inodes, 0u);
  EXPECT_TRUE(spool_->SetClues(id, {.build_id = "ab"}).ok());
  // The first one has to make way for the second: it is the only one that can.
  ASSERT_TRUE(spool_->Put(CrashOf("two"), TagsOf("b")).ok());
  Reopen();
  EXPECT_EQ(spool_->List().size(), 1u);
  EXPECT_EQ(spool_->Losses().of(LossReason::kSpoolInodes), 1u);
}

TEST_F(SmallDiskTest, RemountedReadOnlyAndBack) {
  const SpoolId id = spool_->Put(CrashOf("one"), TagsOf("a"))->id;
  if (!disk_.Remount(MS_RDONLY)) GTEST_SKIP() << "cannot be remounted here: " << strerror(errno);
  EXPECT_EQ(ContentOf(spool_.get(), id), "one");
  EXPECT_TRUE(absl::IsFailedPrecondition(spool_->Put(CrashOf("two"), TagsOf("b")).status()));
  EXPECT_TRUE(spool_->Stats().read_only);
  EXPECT_FALSE(spool_->Drop(id, LossReason::kConsent).ok());
  Reopen();
  EXPECT_EQ(ContentOf(spool_.get(), id), "one");
  ASSERT_TRUE(disk_.Remount(0));
  EXPECT_TRUE(spool_->Put(CrashOf("two"), TagsOf("b")).ok());
  EXPECT_FALSE(spool_->Stats().read_only);
}

}  // namespace
}  // namespace corefleet
