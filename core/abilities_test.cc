#include "core/abilities.h"

#include <algorithm>

#include "core/analyze.h"
#include "core/rebuild.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/corpus.h"

namespace corefleet {
namespace {

using Answer = Ability::Answer;
using Kind = Ability::Kind;

std::vector<Ability> AbilitiesOf(const RegionSet& set) {
  const Rebuilt rebuilt = Rebuild(set, nullptr);
  return Analyze(rebuilt.image, rebuilt.set).facts.abilities;
}

const Ability& Find(const std::vector<Ability>& abilities, Kind kind) {
  return *std::find_if(abilities.begin(), abilities.end(),
                       [kind](const Ability& a) { return a.kind == kind; });
}

RegionSet Without(RegionSet set, const std::string& file) {
  set.regions.erase(std::remove_if(set.regions.begin(), set.regions.end(),
                                   [&](const Region& r) { return r.file_name == file; }),
                    set.regions.end());
  return set;
}

TEST(AbilitiesTest, EveryKindIsAnsweredOnceAndInOrder) {
  for (const RegionSet& set : {RegionSet(), RegionsOf(ReadCorpusCase("a47-null-oops"), WithTable::kNo)}) {
    const std::vector<Ability> abilities = AbilitiesOf(set);
    ASSERT_EQ(abilities.size(), static_cast<size_t>(kLastAbility) + 1);
    for (size_t i = 0; i < abilities.size(); ++i) EXPECT_EQ(static_cast<size_t>(abilities[i].kind), i);
  }
}

TEST(AbilitiesTest, NothingAllowsNothing) {
  for (const Ability& ability : AbilitiesOf(RegionSet())) {
    EXPECT_EQ(ability.answer, Answer::kNo) << AbilityName(ability.kind);
    EXPECT_NE(ability.detail, "") << AbilityName(ability.kind);
  }
}

TEST(AbilitiesTest, AWholeSet) {
  const std::vector<Ability> abilities =
      AbilitiesOf(RegionsOf(ReadCorpusCase("d53-bug-work-8cpu"), WithTable::kNo));
  for (Kind kind : {Kind::kLog, Kind::kBuild, Kind::kTaint, Kind::kSymbols, Kind::kCpus, Kind::kPerCpu,
                    Kind::kCrash, Kind::kDrgn, Kind::kGdb}) {
    EXPECT_EQ(Find(abilities, kind).answer, Answer::kYes)
        << AbilityName(kind) << ": " << Find(abilities, kind).detail;
  }
  EXPECT_EQ(Find(abilities, Kind::kTasks).answer, Answer::kNo);
  EXPECT_EQ(Find(abilities, Kind::kStacks).answer, Answer::kNo);
  EXPECT_EQ(Find(abilities, Kind::kPerCpu).detail, "8 of 8 run queues");
}

TEST(AbilitiesTest, LostRunQueuesAreCounted) {
  const CorpusCase crash = ReadCorpusCase("d53-bug-work-8cpu");
  RegionSet set = RegionsOf(crash, WithTable::kNo);
  for (const char* file : {"md_Kunknown51.BIN", "md_Kunknown53.BIN"}) set = Without(set, file);
  const std::vector<Ability> abilities = AbilitiesOf(set);
  EXPECT_EQ(Find(abilities, Kind::kPerCpu).answer, Answer::kPartly);
  EXPECT_EQ(Find(abilities, Kind::kPerCpu).detail, "6 of 8 run queues");
}

// crash opens an x86-64 core only with this variable; one case has it, as if a driver had registered it.
TEST(AbilitiesTest, CrashNeedsPageOffsetBase) {
  for (const auto& [name, answer] :
       {std::pair{"a47-null-oops", Answer::kPartly}, {"a47-sysrq-nokaslr", Answer::kYes}}) {
    const auto abilities = AbilitiesOf(RegionsOf(ReadCorpusCase(name), WithTable::kNo));
    EXPECT_EQ(Find(abilities, Kind::kCrash).answer, answer) << name << Find(abilities, Kind::kCrash).detail;
  }
}

TEST(AbilitiesTest, WithoutVmcoreinfoNoDebuggerOfKernelsButGdb) {
  const auto abilities = AbilitiesOf(
      Without(RegionsOf(ReadCorpusCase("d53-null-nokaslr"), WithTable::kNo), "md_Kvmcorein2.BIN"));
  EXPECT_EQ(Find(abilities, Kind::kDrgn).answer, Answer::kNo);
  EXPECT_EQ(Find(abilities, Kind::kDrgn).detail,
            "VMCOREINFO lacks OSRELEASE, PAGESIZE, SYMBOL(swapper_pg_dir)");
  EXPECT_EQ(Find(abilities, Kind::kCrash).answer, Answer::kNo);
  EXPECT_EQ(Find(abilities, Kind::kGdb).answer, Answer::kYes);
  EXPECT_EQ(Find(abilities, Kind::kBuild).answer, Answer::kPartly);
}

}  // namespace
}  // namespace corefleet
