// Sets without their ELF header region: kernels of 64 KiB pages never have one.
#include "core/reassembly/headerless.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "core/reassembly/reassemble.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/image_checks.h"
#include "tests/support/region_set_builder.h"

namespace corefleet {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

void PutEmptyLists(int lists, RegionSetBuilder::Planned* region) {
  for (int i = 0; i < lists; ++i) {
    const uint64_t at = 64 + i * 16;
    const uint64_t head = region->vaddr + at;
    for (int byte = 0; byte < 16; ++byte)
      region->bytes[at + byte] = static_cast<uint8_t>(head >> (8 * (byte % 8)));
  }
}

// Four CPUs; their run queues are full of empty lists.
RegionSetBuilder Plan() {
  RegionSetBuilder plan(MeminspectSeries::kV1);
  for (int i = 0; i < 4; ++i) plan.Dynamic(3264);
  for (uint32_t id = 44; id < 48; ++id) PutEmptyLists(100, &plan.Find(id));
  return plan;
}

RegionSet WithoutHeader(const RegionSetBuilder& plan, bool table) {
  RegionSet set = plan.Build(table);
  set.regions.erase(set.regions.begin());
  return set;
}

TEST(HeaderlessTest, TheTablePlacesEverything) {
  const RegionSetBuilder plan = Plan();
  const CoreImage image = Reassemble(WithoutHeader(plan, true));
  EXPECT_THAT(Codes(image), testing::ElementsAre(DefectCode::kHeaderMissing)) << Defects(image);
  EXPECT_EQ(CountThere(plan, image), plan.regions.size());
  EXPECT_EQ(image.e_machine, kElfMachineAarch64);
  ExpectNoWrongByte(plan, image);
}

TEST(HeaderlessTest, ContentPlacesWhatItCanAndSaysHow) {
  const RegionSetBuilder plan = Plan();
  const CoreImage image = Reassemble(WithoutHeader(plan, false));
  ExpectNoWrongByte(plan, image);
  for (uint32_t id : {19u, 20u, 22u, 23u, 24u, 25u, 44u, 45u, 46u, 47u})
    EXPECT_TRUE(IsThere(plan, id, image)) << id;
  EXPECT_THAT(Defects(image), HasSubstr("PLACED_BY_CONTENT [Kprb 22]"));
  EXPECT_THAT(Defects(image), HasSubstr("PLACED_BY_CONTENT [Kunknown 47]"));
  EXPECT_THAT(Defects(image), HasSubstr("100 empty lists in it say where it was"));
  // What has neither address nor anchor is kept and said to be unplaced.
  EXPECT_FALSE(IsThere(plan, 5, image));
  EXPECT_THAT(Defects(image), HasSubstr("REGION_UNPLACED [Kcpu_poss 5]"));
}

// Their addresses are in them: they need no name.
TEST(HeaderlessTest, RunQueuesWithoutNames) {
  const RegionSetBuilder plan = Plan();
  RegionSet set = WithoutHeader(plan, false);
  int n = 0;
  for (Region& region : set.regions) {
    if (region.id.value_or(0) < kFirstDynamicId) continue;
    region.file_name = absl::StrCat("dump", n++);
    region.name.clear();
    region.id.reset();
  }
  const CoreImage image = Reassemble(set);
  ExpectNoWrongByte(plan, image);
  for (uint32_t id = 44; id < 48; ++id) EXPECT_TRUE(IsThere(plan, id, image)) << id << Defects(image);
}

TEST(HeaderlessTest, ListsThatContradictPlaceNothing) {
  RegionSetBuilder plan = Plan();
  RegionSetBuilder::Planned lies = plan.Find(44);
  lies.vaddr += 0x100000;
  PutEmptyLists(50, &lies);  // half of them point elsewhere
  plan.Find(44).bytes = lies.bytes;
  const CoreImage image = Reassemble(WithoutHeader(plan, false));
  EXPECT_FALSE(IsThere(plan, 44, image));
  EXPECT_THAT(Defects(image), Not(HasSubstr("PLACED_BY_CONTENT [Kunknown 44]")));
  EXPECT_TRUE(IsThere(plan, 45, image)) << Defects(image);
}

TEST(HeaderlessTest, NeitherHeaderNorVmcoreinfoNorTable) {
  const RegionSetBuilder plan = Plan();
  RegionSet set = WithoutHeader(plan, false);
  set.regions.erase(set.regions.begin());
  const CoreImage image = Reassemble(set);
  ExpectNoWrongByte(plan, image);
  EXPECT_THAT(Codes(image), Contains(DefectCode::kVmcoreinfoMissing));
  for (uint32_t id = 44; id < 48; ++id) EXPECT_TRUE(IsThere(plan, id, image)) << id << Defects(image);
}

}  // namespace
}  // namespace corefleet
