#ifndef COREFLEET_TESTS_BENCH_LOAD_CRASH_PLAN_H_
#define COREFLEET_TESTS_BENCH_LOAD_CRASH_PLAN_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/bench/load/crash_body.h"
#include "tests/bench/load/kernel_bytes.h"
#include "tests/support/corpus.h"

namespace corefleet {

// What the crashes of a run look like.
struct CrashPlan {
  enum class Kind {
    kFixed,      // 57 regions that make just `bytes` together
    kLogNormal,  // the same, with sizes of a log-normal mix: median `bytes`, a sixth of them beyond 2.7 times
                 // that
    kReal,       // the real crashes in turn, all their regions, aged
  };
  Kind kind = Kind::kFixed;
  uint64_t bytes = 2 << 20;
  BodyEncoding encoding = BodyEncoding::kZstd;
  bool keep_raw = false;  // for peers that take one body
  uint64_t seed = 1;
};

// Makes the regions and bodies of a plan. Thread-safe once made.
class CrashMaker {
 public:
  CrashMaker(CrashPlan plan, std::vector<CorpusCase> cases);

  // Body `number`; the same number gives the same one. Several can be made at once.
  std::unique_ptr<const CrashBody> Make(uint64_t number) const;
  RegionFiles Regions(uint64_t number) const;

 private:
  RegionFiles Generated(uint64_t number, uint64_t bytes) const;
  uint64_t LogNormalBytes(uint64_t number) const;

  const CrashPlan plan_;
  const std::vector<CorpusCase> cases_;
  const KernelBytes memory_;
};

// "2M" fixed, "lognormal:1M", "real".
//   INVALID_ARGUMENT  it is none of these, or less than 192 KiB or more than 1 GiB
absl::StatusOr<CrashPlan> ParsePlan(const std::string& text);

// Every NAME.tar.zst in a folder, in order of names. NOT_FOUND if there is none; ReadCorpusPack's codes.
absl::StatusOr<std::vector<CorpusCase>> ReadCases(const std::string& folder);

}  // namespace corefleet

#endif  // COREFLEET_TESTS_BENCH_LOAD_CRASH_PLAN_H_
