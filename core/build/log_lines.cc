#include "core/build/log_lines.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace corefleet {
namespace {

constexpr size_t kBuildIdDigits = 40;

bool IsBuildId(absl::string_view word) {
  return word.size() == kBuildIdDigits &&
         std::all_of(word.begin(), word.end(), [](char c) { return absl::ascii_isxdigit(c); });
}

bool IsBuildNumber(absl::string_view word) {
  return absl::ConsumePrefix(&word, "#") && !word.empty() && absl::ascii_isdigit(word[0]);
}

bool IsReleaseWord(absl::string_view word) {
  return !word.empty() && absl::ascii_isdigit(word[0]) && absl::StrContains(word, '.');
}

// The number in `line` that starts behind `key`; 0 when there is none that can be a number of CPUs.
uint32_t CountBehind(absl::string_view line, absl::string_view key) {
  const size_t at = line.find(key);
  if (at == absl::string_view::npos) return 0;
  const absl::string_view rest = line.substr(at + key.size());
  uint32_t count = 0;
  if (!absl::SimpleAtoi(rest.substr(0, rest.find_first_not_of("0123456789")), &count)) return 0;
  return count <= kMostCpus ? count : 0;
}

// "smpboot: Allowing 4 CPUs, 2 hotplug CPUs", where the second are among the first, and since 6.10 or so
// "CPU topo: Allowing 2 present CPUs plus 2 hotplug CPUs".
std::optional<CpuCounts> ParseAllowing(absl::string_view line) {
  const uint32_t count = CountBehind(line, "Allowing ");
  if (count == 0) return {};
  const uint32_t plus = CountBehind(line, " plus ");
  if (absl::StrContains(line, " present CPUs")) return CpuCounts{.possible = count + plus, .present = count};
  const uint32_t hotplug = CountBehind(line, " CPUs, ");
  return CpuCounts{.possible = count, .present = count - std::min(count, hotplug)};
}

}  // namespace

std::optional<ReportLine> ParseReportLine(absl::string_view line) {
  if (!absl::StartsWith(line, "CPU: ") || !absl::StrContains(line, " PID: ") ||
      !absl::StrContains(line, " Comm: ")) {
    return {};
  }
  const std::vector<absl::string_view> words =
      absl::StrSplit(line.substr(0, line.find('\n')), ' ', absl::SkipEmpty());
  // From the end: the command's name stands before it and may hold anything.
  for (size_t i = words.size(); i-- > 1;) {
    if (!IsBuildNumber(words[i]) || !IsReleaseWord(words[i - 1])) continue;
    ReportLine report{.release = std::string(words[i - 1])};
    if (i + 1 < words.size() && IsBuildId(words[i + 1]))
      report.build_id = absl::AsciiStrToLower(words[i + 1]);
    return report;
  }
  return {};
}

std::optional<uint64_t> ParseKernelOffset(absl::string_view line) {
  if (!absl::ConsumePrefix(&line, "Kernel Offset: ")) return {};
  if (absl::StartsWith(line, "disabled")) return 0;
  uint64_t offset = 0;
  if (!absl::ConsumePrefix(&line, "0x")) return {};
  if (!absl::SimpleHexAtoi(line.substr(0, line.find_first_not_of("0123456789abcdef")), &offset)) return {};
  return offset;
}

std::optional<CpuCounts> ParseCpuCounts(absl::string_view line) {
  if (absl::StartsWith(line, "smpboot: Allowing ") || absl::StartsWith(line, "CPU topo: Allowing ") ||
      absl::StartsWith(line, "SMP: Allowing ")) {
    return ParseAllowing(line);
  }
  CpuCounts counts;
  if (absl::StartsWith(line, "setup_percpu: ")) counts.possible = CountBehind(line, " nr_cpu_ids:");
  if (absl::StartsWith(line, "smp: Brought up ")) {
    counts.online = std::max(CountBehind(line, " node, "), CountBehind(line, " nodes, "));
  }
  if (absl::StartsWith(line, "SMP: Total of ")) counts.online = CountBehind(line, "Total of ");
  if (counts.possible == 0 && counts.online == 0) return {};
  return counts;
}

std::optional<absl::string_view> MachineOfLine(absl::string_view line) {
  if (absl::StartsWith(line, "RIP: 0010:")) return "x86_64";
  if (absl::StartsWith(line, "pstate: ")) return "aarch64";
  if (absl::StartsWith(line, "epc : ")) return "riscv64";
  return {};
}

}  // namespace corefleet
