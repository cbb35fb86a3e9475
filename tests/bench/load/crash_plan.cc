#include "tests/bench/load/crash_plan.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"

namespace corefleet {
namespace {

// A crash of meminspect has 57 regions: many that hold one variable, and a few that hold the log, per-CPU
// data, stacks. The stamp is one of them.
constexpr size_t kRegions = 57;
constexpr size_t kLargest = 4096;  // of the small ones
constexpr double kShares[] = {0.30, 0.16, 0.12, 0.11, 0.08, 0.06, 0.05, 0.04, 0.03, 0.02, 0.02, 0.01};
constexpr size_t kLargeRegions = std::size(kShares);
constexpr size_t kSmallRegions = kRegions - kLargeRegions - 1;
constexpr size_t kStampBytes = 8;
constexpr uint64_t kSmallestCrash = 192 << 10;
constexpr uint64_t kLargestCrash = 1 << 30;

uint64_t ParseBytes(absl::string_view text) {
  const uint64_t unit = absl::EndsWith(text, "M") ? 1 << 20 : absl::EndsWith(text, "K") ? 1 << 10 : 1;
  if (unit > 1) text.remove_suffix(1);
  uint64_t number = 0;
  return absl::SimpleAtoi(text, &number) && number <= kLargestCrash ? number * unit : 0;
}

}  // namespace

CrashMaker::CrashMaker(CrashPlan plan, std::vector<CorpusCase> cases)
    : plan_(plan), cases_(std::move(cases)), memory_(cases_) {}

std::unique_ptr<const CrashBody> CrashMaker::Make(uint64_t number) const {
  return std::make_unique<CrashBody>(Regions(number), plan_.encoding, plan_.keep_raw);
}

RegionFiles CrashMaker::Regions(uint64_t number) const {
  switch (plan_.kind) {
    case CrashPlan::Kind::kLogNormal:
      return Generated(number, LogNormalBytes(number));
    case CrashPlan::Kind::kFixed:
      return Generated(number, plan_.bytes);
    case CrashPlan::Kind::kReal:
      break;
  }
  RegionFiles files;
  for (const auto& [name, bytes] : cases_[number % cases_.size()].files) {
    if (!absl::StartsWith(name, "md_")) continue;
    files.emplace_back(name, bytes);
    // Data that nothing of the log hangs on.
    if (absl::StartsWith(name, "md_Kunknown")) {
      KernelBytes::Age(plan_.seed + number, files.size(), absl::MakeSpan(files.back().second));
    }
  }
  return files;
}

uint64_t CrashMaker::LogNormalBytes(uint64_t number) const {
  Random random(plan_.seed ^ number << 20);
  const double bytes = static_cast<double>(plan_.bytes) * std::exp(random.Normal());
  return std::clamp(static_cast<uint64_t>(bytes), kSmallestCrash, 32 * plan_.bytes);
}

RegionFiles CrashMaker::Generated(uint64_t number, uint64_t bytes) const {
  RegionFiles files;
  const CorpusCase& real = cases_[number % cases_.size()];
  uint64_t left = bytes - kStampBytes;
  for (const auto& [name, content] : real.files) {
    if (files.size() == kSmallRegions) break;
    if (!absl::StartsWith(name, "md_") || content.size() > kLargest) continue;
    files.emplace_back(name, content);
    left -= content.size();
  }
  while (files.size() < kSmallRegions) {
    files.emplace_back(absl::StrCat("md_Ksmall", 100 + files.size(), ".BIN"), std::string(64, '\0'));
    left -= files.back().second.size();
  }
  const uint64_t shared = left;
  for (size_t i = 0; i < kLargeRegions; ++i) {
    const bool last = i + 1 == kLargeRegions;
    const uint64_t size =
        last ? left : static_cast<uint64_t>(static_cast<double>(shared) * kShares[i]) / 8 * 8;
    std::string content(size, '\0');
    memory_.Fill(plan_.seed + number, i, absl::MakeSpan(content));
    files.emplace_back(absl::StrCat("md_Klarge", 180 + i, ".BIN"), std::move(content));
    left -= size;
  }
  return files;
}

absl::StatusOr<CrashPlan> ParsePlan(const std::string& text) {
  CrashPlan plan;
  if (text == "real") {
    plan.kind = CrashPlan::Kind::kReal;
    return plan;
  }
  absl::string_view size = text;
  if (absl::ConsumePrefix(&size, "lognormal:")) plan.kind = CrashPlan::Kind::kLogNormal;
  plan.bytes = ParseBytes(size);
  if (plan.bytes < kSmallestCrash || plan.bytes > kLargestCrash) {
    return absl::InvalidArgumentError(absl::StrCat("\"", text, "\" is no plan of crashes of 192K to 1024M"));
  }
  return plan;
}

absl::StatusOr<std::vector<CorpusCase>> ReadCases(const std::string& folder) {
  std::vector<std::string> paths;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (absl::EndsWith(entry.path().string(), ".tar.zst")) paths.push_back(entry.path());
  }
  if (paths.empty()) return absl::NotFoundError(absl::StrCat("no crash in ", folder));
  std::sort(paths.begin(), paths.end());
  std::vector<CorpusCase> cases;
  for (const std::string& path : paths) {
    ASSIGN_OR_RETURN(CorpusCase crash, ReadCorpusPack(path));
    cases.push_back(std::move(crash));
  }
  return cases;
}

}  // namespace corefleet
