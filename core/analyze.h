#ifndef COREFLEET_CORE_ANALYZE_H_
#define COREFLEET_CORE_ANALYZE_H_

#include "core/crash/facts.h"
#include "core/crash/region_set.h"
#include "core/printk/kernel_log.h"
#include "core/reassembly/core_image.h"

namespace corefleet {

// Goes up with every change that can give another answer for the same bytes.
inline constexpr uint32_t kAnalyzerVersion = 1;

struct Analysis {
  CrashFacts facts;
  KernelLog log;
};

// Reads from a crash what can be read without its vmlinux. Total: hostile or torn input gives facts with
// defects, never an error, a crash or unbounded work. Pure: the same bytes give the same facts, so old
// crashes can be read again. `image` must be Reassemble(set).
Analysis Analyze(const CoreImage& image, const RegionSet& set);

}  // namespace corefleet

#endif  // COREFLEET_CORE_ANALYZE_H_
