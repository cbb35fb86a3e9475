#include "collector/spool/clue_reader.h"

#include <sys/stat.h>

#include <fstream>

#include "collector/source/scratch_folder.h"
#include "collector/spool/spool_fixture.h"
#include "tests/support/corpus.h"

namespace corefleet {
namespace {

constexpr char kProgram[] = "collector/spool/clue_program";

class ClueReaderTest : public testing::Test {
 protected:
  ClueReaderTest()
      : spool_(*Spool::Open(*SpoolFolder::Open(scratch_ / "spool"), {}, {.clock = &clock_, .boot_id = "b"})) {
  }
  absl::StatusOr<CrashClues> Read(const RegionSet& set, const std::string& program = kProgram,
                                  const ClueLimits& limits = {}) {
    const auto put = spool_->Put(set, TagsOf(""));
    EXPECT_TRUE(put.ok()) << put.status();
    return ReadClues(**spool_->EntryBytes(put->id), limits, program);
  }
  // A program that does something else than reading clues.
  std::string Script(const std::string& text) {
    scratch_.Write("script", "#!/bin/sh\n" + text);
    chmod((scratch_ / "script").c_str(), 0755);
    return scratch_ / "script";
  }
  ScratchFolder scratch_;
  FakeBootClock clock_;
  std::unique_ptr<Spool> spool_;
};

TEST_F(ClueReaderTest, ReadsWhatARealCrashSays) {
  const auto clues = Read(RegionsOf(ReadCorpusCase("a47-null-oops"), WithTable::kNo));
  ASSERT_TRUE(clues.ok()) << clues.status();
  EXPECT_EQ(clues->build_id.size(), 40u);
  EXPECT_EQ(clues->kernel_release.substr(0, 4), "6.1.");
  EXPECT_NE(clues->panic, "");
  EXPECT_EQ(clues->source, "");
}

TEST_F(ClueReaderTest, EveryRealCrashIsReadWithinItsLimits) {
  for (const CorpusCase& crash : ReadCorpus()) {
    const auto clues = Read(RegionsOf(crash, WithTable::kYes));
    EXPECT_TRUE(clues.ok() || absl::IsNotFound(clues.status())) << crash.name << ": " << clues.status();
  }
}

TEST_F(ClueReaderTest, SaysWhenThereIsNone) {
  EXPECT_TRUE(absl::IsNotFound(Read(CrashOf("nothing at all")).status()));
  EXPECT_TRUE(absl::IsNotFound(Read(CrashOf(std::vector<uint8_t>())).status()));
}

TEST_F(ClueReaderTest, AReaderThatDiesCostsTheCluesOnly) {
  EXPECT_TRUE(absl::IsDataLoss(Read(CrashOf("a"), Script("kill -SEGV $$")).status()));
  EXPECT_TRUE(absl::IsDataLoss(Read(CrashOf("b"), Script("exit 0")).status()));
  EXPECT_TRUE(absl::IsDataLoss(Read(CrashOf("c"), Script("printf CLUE >&3")).status()));
}

TEST_F(ClueReaderTest, AReaderThatSaysTooMuchIsNotBelieved) {
  EXPECT_TRUE(absl::IsDataLoss(Read(CrashOf("a"), Script("while :; do echo CLUE >&3; done")).status()));
}

TEST_F(ClueReaderTest, AReaderThatDawdlesIsKilled) {
  const ClueLimits limits{.patience = absl::Milliseconds(50)};
  EXPECT_TRUE(absl::IsDataLoss(Read(CrashOf("a"), Script("while :; do :; done"), limits).status()));
}

TEST_F(ClueReaderTest, AReaderThatCannotBeStartedMayBeTriedAgain) {
  EXPECT_TRUE(absl::IsUnavailable(Read(CrashOf("a"), scratch_ / "none").status()));
}

TEST_F(ClueReaderTest, ADamagedEntryGivesNone) {
  const SpoolId id = spool_->Put(CrashOf(Noise(1000, 1)), TagsOf(""))->id;
  std::fstream file(scratch_ / ("spool/000000000000000" + std::to_string(id) + ".crash"),
                    std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(2).write("x", 1).flush();
  ASSERT_TRUE(file.good());
  EXPECT_TRUE(absl::IsDataLoss(ReadClues(**spool_->EntryBytes(id), {}, kProgram).status()));
}

}  // namespace
}  // namespace corefleet
