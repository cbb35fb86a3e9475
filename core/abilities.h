#ifndef COREFLEET_CORE_ABILITIES_H_
#define COREFLEET_CORE_ABILITIES_H_

#include <vector>

#include "core/crash/facts.h"
#include "core/printk/kernel_log.h"
#include "core/reassembly/core_image.h"

namespace corefleet {

// What an engineer can still do with a crash, one answer for each Ability::Kind in their order. `facts` are
// the crash's, complete but for this. What each tool needs of an export is in docs/formats/core-file.md.
std::vector<Ability> ReadAbilities(const CoreImage& image, const KernelLog& log, const CrashFacts& facts);

// A dump of something that is no Linux kernel (a co-processor): its memory is kept and never read as if it
// were one.
bool IsLinux(const CoreImage& image);

}  // namespace corefleet

#endif  // COREFLEET_CORE_ABILITIES_H_
