#ifndef COREFLEET_TESTS_SUPPORT_IMAGE_CHECKS_H_
#define COREFLEET_TESTS_SUPPORT_IMAGE_CHECKS_H_

#include <string>
#include <vector>

#include "core/reassembly/core_image.h"
#include "tests/support/region_set_builder.h"

namespace corefleet {

std::vector<DefectCode> Codes(const CoreImage& image);
// One line each, for a failing test's message and for HasSubstr.
std::string Defects(const CoreImage& image);

// Fails the test for each byte at a planned region's address that the image has and that is another.
void ExpectNoWrongByte(const RegionSetBuilder& plan, const CoreImage& image);

// True when the image has all bytes of the planned region with that id.
bool IsThere(const RegionSetBuilder& plan, uint32_t id, const CoreImage& image);
// How many planned regions it has so.
size_t CountThere(const RegionSetBuilder& plan, const CoreImage& image);

}  // namespace corefleet

#endif  // COREFLEET_TESTS_SUPPORT_IMAGE_CHECKS_H_
