#ifndef COREFLEET_CORE_ANALYZE_H_
#define COREFLEET_CORE_ANALYZE_H_

#include "core/crash/facts.h"
#include "core/crash/region_set.h"
#include "core/printk/kernel_log.h"
#include "core/reassembly/core_image.h"

namespace corefleet {

// Goes up with every change that can give another answer for the same bytes.
inline constexpr uint32_t kAnalyzerVersion = 2;

struct Analysis {
  CrashFacts facts;
  KernelLog log;
};

// True when the analysis leaves a region's SHA-256 out: files of dumps are larger than an answer may wait
// for, and the digest over the chunks that the server keeps stands for them.
bool IsTooLargeToDigest(const Region& region, const CoreImage& image);

// Reads from a crash what can be read without its vmlinux. Total: hostile or torn input gives facts with
// defects, never an error, a crash or unbounded work. Pure: the same bytes give the same facts, so old
// crashes can be read again. `image` and `set` must be what
// Rebuild gave (or Reassemble(set)).
Analysis Analyze(const CoreImage& image, const RegionSet& set);

}  // namespace corefleet

#endif  // COREFLEET_CORE_ANALYZE_H_
