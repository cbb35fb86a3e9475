#ifndef COREFLEET_CORE_BUILD_BUILD_FACTS_H_
#define COREFLEET_CORE_BUILD_BUILD_FACTS_H_

#include "core/build/image_regions.h"
#include "core/crash/facts.h"
#include "core/printk/kernel_log.h"
#include "core/reassembly/core_image.h"

namespace corefleet {

// Fills in which kernel it was: release, version, banner, build id, architecture, commit, configuration, page
// size, KASLR offset, command line. Every one comes from the best of several sources, so that no single
// region's loss takes it away; sources that disagree become defects.
void ReadBuildFacts(const CoreImage& image, const ImageRegions& regions, const KernelLog& log,
                    CrashFacts* facts);

// Fills in CPU sets and uptime.
void ReadMachineFacts(const CoreImage& image, const ImageRegions& regions, const KernelLog& log,
                      CrashFacts* facts);

// The inflated configuration of the image's config region.
//   NOT_FOUND  the image has none; other codes as ConfigFromRegion
absl::StatusOr<std::string> ReadConfig(const CoreImage& image);

}  // namespace corefleet

#endif  // COREFLEET_CORE_BUILD_BUILD_FACTS_H_
