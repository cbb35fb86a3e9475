#include "collector/source/watched_folders.h"

#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "collector/source/change_notice.h"
#include "gtest/gtest.h"
#include "tests/support/corpus.h"

namespace corefleet {
namespace {

class CountingSink final : public CrashSink {
 public:
  absl::StatusOr<Fate> Accept(const FoundCrash& crash) override {
    sizes.push_back(crash.regions.regions.size());
    return answer;
  }
  absl::StatusOr<Fate> answer = Fate::kSafe;
  std::vector<size_t> sizes;
};

class WatchedFoldersTest : public testing::Test {
 protected:
  ~WatchedFoldersTest() override { std::filesystem::remove_all(root_); }

  void Write(const std::string& path, const std::string& bytes) {
    std::filesystem::create_directories(std::filesystem::path(root_ + "/" + path).parent_path());
    std::ofstream(root_ + "/" + path, std::ios::binary) << bytes;
  }

  // All region files, but for those whose name holds `without`.
  size_t WriteSet(const std::string& folder, const std::string& without = "nothing") {
    size_t count = 0;
    for (const auto& [name, bytes] : crash_.files) {
      if (!absl::StartsWith(name, "md_") || absl::StrContains(name, without)) continue;
      Write(folder + "/" + name, bytes);
      ++count;
    }
    return count;
  }

  // Looks every second of a time.
  void Watch(absl::Duration time) {
    for (const absl::Time end = clock_.Now() + time; clock_.Now() < end; clock_.Advance(absl::Seconds(1))) {
      status_ = watched_.Drain(sink_);
    }
  }

  static std::string MakeFolder() {
    std::string path = absl::StrCat(testing::TempDir(), "/watched.XXXXXX");
    EXPECT_NE(mkdtemp(path.data()), nullptr);
    return path;
  }

  const std::string root_ = MakeFolder();
  const CorpusCase crash_ = ReadCorpusCase("a47-null-oops");
  FakeClock clock_{absl::FromUnixSeconds(1000)};
  CountingSink sink_;
  absl::Status status_;
  WatchedFolders watched_{
      {root_ + "/inbox"}, {.settle = absl::Seconds(5), .patience = absl::Seconds(60)}, &clock_};
};

TEST_F(WatchedFoldersTest, TakesACompleteSetWhenItIsQuietAndOnlyOnce) {
  Watch(absl::Seconds(3));  // Nothing is there, not even the folder.
  EXPECT_TRUE(status_.ok());
  const size_t files = WriteSet("inbox/memory");
  Watch(absl::Seconds(4));
  EXPECT_TRUE(sink_.sizes.empty());
  Watch(absl::Seconds(200));
  EXPECT_EQ(sink_.sizes, std::vector<size_t>{files});
  EXPECT_EQ(watched_.UntilDue(), absl::InfiniteDuration());
}

TEST_F(WatchedFoldersTest, WaitsForTheRestAndTakesThePartInTheEnd) {
  const size_t part = WriteSet("inbox/memory", "Kprb");
  Watch(absl::Seconds(59));
  EXPECT_TRUE(sink_.sizes.empty());
  EXPECT_LE(watched_.UntilDue(), absl::Seconds(2));
  Watch(absl::Seconds(5));
  EXPECT_EQ(sink_.sizes, std::vector<size_t>{part});
}

TEST_F(WatchedFoldersTest, AGrowingFileIsNotQuiet) {
  WriteSet("inbox/memory", "Kprb_data");
  for (int i = 1; i < 30; ++i) {
    Write("inbox/memory/md_Kprb_data25.BIN", std::string(i * 1000, 'x'));
    Watch(absl::Seconds(4));
  }
  EXPECT_TRUE(sink_.sizes.empty());
}

TEST_F(WatchedFoldersTest, ARefilledFolderIsANewCrash) {
  const size_t files = WriteSet("inbox/memory");
  Watch(absl::Seconds(10));
  std::filesystem::remove_all(root_ + "/inbox/memory");
  Watch(absl::Seconds(2));
  WriteSet("inbox/memory");
  Watch(absl::Seconds(10));
  EXPECT_EQ(sink_.sizes, (std::vector<size_t>{files, files}));
}

TEST_F(WatchedFoldersTest, OffersAgainWhatWasNotAccepted) {
  WriteSet("inbox/memory");
  sink_.answer = absl::UnavailableError("not now");
  Watch(absl::Seconds(8));
  const size_t offers = sink_.sizes.size();
  EXPECT_GT(offers, 1u);
  sink_.answer = Fate::kSafe;
  Watch(absl::Seconds(8));
  EXPECT_EQ(sink_.sizes.size(), offers + 1);
}

TEST_F(WatchedFoldersTest, SurvivesAClockThatIsSetBack) {
  WriteSet("inbox/memory");
  Watch(absl::Seconds(2));
  clock_.Advance(-absl::Hours(1));
  Watch(absl::Seconds(8));
  EXPECT_EQ(sink_.sizes.size(), 1u);
}

TEST_F(WatchedFoldersTest, WhatIsRefusedIsNotOfferedAgain) {
  WriteSet("inbox/memory");
  sink_.answer = Fate::kRefused;
  Watch(absl::Seconds(100));
  EXPECT_EQ(sink_.sizes.size(), 1u);
}

TEST_F(WatchedFoldersTest, AGrowingDumpIsTakenOnceWhenItHasSettled) {
  // The last bytes of a container that is still being copied are not there: it has to be patient.
  std::string dump("Raw_Dmp!", 8);
  dump.append("\x00\x10\x00\x00\x01\x00\x00\x00", 8);
  dump.append(40, '\0');
  for (int i = 0; i < 4; ++i) {
    dump.append(4096, 'x');
    Write("inbox/rawdump.img", dump);
    Watch(absl::Seconds(3));
  }
  EXPECT_TRUE(sink_.sizes.empty());
  Watch(absl::Seconds(100));
  EXPECT_EQ(sink_.sizes, std::vector<size_t>{1});
}

TEST_F(WatchedFoldersTest, WatchesAFileThroughItsFolder) {
  Write("inbox/vmcore", "x");
  const WatchedFolders watched({root_ + "/inbox/vmcore"}, {}, &clock_);
  EXPECT_EQ(watched.FoldersToWatch(), std::vector<std::string>{root_ + "/inbox"});
}

TEST_F(WatchedFoldersTest, NamesTheFoldersInWhichSomethingMayHappen) {
  WriteSet("inbox/a/memory");
  EXPECT_EQ(watched_.FoldersToWatch(),
            (std::vector<std::string>{root_ + "/inbox", root_ + "/inbox/a", root_ + "/inbox/a/memory"}));
}

TEST_F(WatchedFoldersTest, TheKernelTellsOfChanges) {
  Write("inbox/x", "1");
  ChangeNotice notice;
  EXPECT_TRUE(notice.Watch({root_ + "/inbox"}));
  EXPECT_FALSE(notice.Watch({root_ + "/nowhere"}));
  Write("inbox/y", "2");
  const absl::Time before = Clock::Real()->Now();
  notice.Wait(absl::Seconds(50));
  EXPECT_LT(Clock::Real()->Now() - before, absl::Seconds(40));
}

TEST_F(WatchedFoldersTest, AClockThatIsSetMakesNothingQuiet) {
  WriteSet("inbox/memory", "Kprb");
  FakeBootClock boot;
  WatchedFolders watched({root_ + "/inbox"}, {.boot_clock = &boot}, &clock_);
  EXPECT_TRUE(watched.Drain(sink_).ok());
  // From 1970 to today, while the tool is still writing.
  clock_.Advance(absl::Hours(24 * 365 * 50));
  boot.Advance(absl::Seconds(6));
  EXPECT_TRUE(watched.Drain(sink_).ok());
  EXPECT_TRUE(sink_.sizes.empty());
  EXPECT_LE(watched.UntilDue(), absl::Seconds(60));
  boot.Advance(absl::Seconds(60));
  EXPECT_TRUE(watched.Drain(sink_).ok());
  EXPECT_EQ(sink_.sizes.size(), 1u);
}

}  // namespace
}  // namespace corefleet
