#ifndef COREFLEET_TESTS_SUPPORT_TRUE_IMAGE_H_
#define COREFLEET_TESTS_SUPPORT_TRUE_IMAGE_H_

#include <functional>
#include <string>

#include "core/reassembly/core_image.h"
#include "tests/support/corpus.h"

namespace corefleet {

// A case's memory, put where regions.json says that it was: what a perfect reassembly would give, without the
// reassembly. For tests of what reads an image.
//
// `edit(file name, bytes)` may damage a region before it is placed; false leaves it out.
CoreImage TrueImage(const CorpusCase& crash,
                    const std::function<bool(const std::string& file_name, std::string* bytes)>& edit = {});

}  // namespace corefleet

#endif  // COREFLEET_TESTS_SUPPORT_TRUE_IMAGE_H_
