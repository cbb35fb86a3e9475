#include "server/admission/wanted_regions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

namespace corefleet {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

class Announced {
 public:
  Announced& Memory(const std::string& name, std::optional<uint32_t> id, uint64_t size = 100) {
    manifest_.regions.push_back({.file_name = name, .name = name, .id = id, .size = size});
    return *this;
  }
  Announced& File(const std::string& name, uint64_t size = 100) {
    manifest_.regions.push_back({.kind = RegionKind::kArtifact, .file_name = name, .size = size});
    return *this;
  }
  const Manifest& manifest() const { return manifest_; }
  std::vector<std::string> Wanted() const {
    std::vector<std::string> names;
    const std::vector<bool> wanted = WantedRegions(manifest_, SessionWant::kLogOnly);
    for (size_t i = 0; i < wanted.size(); ++i) {
      if (wanted[i]) names.push_back(manifest_.regions[i].file_name);
    }
    return names;
  }

 private:
  Manifest manifest_;
};

TEST(WantedRegionsTest, OfMeminspectTheLogAndTheBuild) {
  Announced set;
  set.Memory("KELF", 1)
      .Memory("Kvmcorein", 2)
      .Memory("Kconfig", 3)
      .Memory("Kcpu_poss", 5)
      .Memory("Klinux_ba", 11);
  set.Memory("Ktainted_", 14).Memory("K__per_cp", 17).Memory("Kinit_uts", 19).Memory("Kprintk_r", 20);
  set.Memory("Kprintk_r", 21).Memory("Kprb", 22).Memory("Kprb_desc", 23).Memory("Kprb_info", 24);
  set.Memory("Kprb_data", 25).Memory("Khigh_mem", 26).Memory("Kunknown", 44, 174208);
  EXPECT_EQ(LogPartOf(set.manifest()), LogPart::kSome);
  EXPECT_THAT(set.Wanted(),
              UnorderedElementsAre("KELF", "Kvmcorein", "Klinux_ba", "Ktainted_", "Kinit_uts", "Kprintk_r",
                                   "Kprintk_r", "Kprb", "Kprb_desc", "Kprb_info", "Kprb_data"));
  const std::vector<bool> all = WantedRegions(set.manifest(), SessionWant::kAll);
  EXPECT_EQ(std::count(all.begin(), all.end(), true), 16);
}

TEST(WantedRegionsTest, TheRfcsIdsMeanOtherThings) {
  Announced set;
  // In meminspect 26 is high_memory and 27 init_mm.
  set.Memory("Kprb_info", 26).Memory("Kprb_data", 27).Memory("Khigh_mem", 29);
  EXPECT_THAT(set.Wanted(), ElementsAre("Kprb_info", "Kprb_data"));
}

TEST(WantedRegionsTest, AnEnlargedLogIsToldByItsSizes) {
  constexpr uint64_t kText = 1 << 19;
  Announced set;
  set.Memory("Kprb_data", 25, 1 << 17).Memory("a", 44, kText).Memory("b", 45, kText / 32 * 24);
  set.Memory("c", 46, kText / 32 * 88).Memory("d", 47, 174464);
  EXPECT_THAT(set.Wanted(), ElementsAre("Kprb_data", "a", "b", "c"));
  Announced other;
  other.Memory("Kprb_data", 25, 1 << 17).Memory("a", 44, kText).Memory("d", 47, 174464);
  EXPECT_THAT(other.Wanted(), ElementsAre("Kprb_data")) << "a size alone says nothing";
}

TEST(WantedRegionsTest, VendorsNames) {
  Announced set;
  set.Memory("KELF_HDR", std::nullopt).Memory("KLOGBUF", std::nullopt).Memory("linux_banner", std::nullopt);
  set.Memory("KISTK", std::nullopt);
  EXPECT_THAT(set.Wanted(), ElementsAre("KELF_HDR", "KLOGBUF", "linux_banner"));
}

TEST(WantedRegionsTest, FilesThatAreALog) {
  Announced set;
  set.File("dmesg-ramoops-0").File("console-ramoops-0").File("pmsg-ramoops-0").File("vmcore", 1 << 30);
  EXPECT_THAT(set.Wanted(), ElementsAre("dmesg-ramoops-0", "console-ramoops-0"));
  EXPECT_EQ(LogPartOf(Announced().File("dmesg-efi-1").manifest()), LogPart::kAll);
}

TEST(WantedRegionsTest, WhatCannotBeSplitComesWhole) {
  Announced core;
  core.File("vmcore");
  EXPECT_EQ(LogPartOf(core.manifest()), LogPart::kUnknown);
  EXPECT_THAT(core.Wanted(), ElementsAre("vmcore"));
  Announced empty_log;
  empty_log.Memory("Kprb_data", 25, 0).Memory("Kconfig", 3);
  EXPECT_EQ(LogPartOf(empty_log.manifest()), LogPart::kUnknown) << "an empty region is no log";
}

}  // namespace
}  // namespace corefleet
