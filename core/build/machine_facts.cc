#include <algorithm>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/build/banner.h"
#include "core/build/build_facts.h"
#include "core/build/config.h"
#include "core/build/cpu_mask.h"
#include "core/build/log_lines.h"
#include "core/build/uptime.h"

namespace corefleet {
namespace {

constexpr double kHour = 3600;
constexpr double kNanoseconds = 1e9;

using CpuSet = std::vector<uint32_t>;

// A CPU set, unless there is none or it can be none.
MaybeFact<CpuSet> ReadMask(const CoreImage& image, const ImageRegions& regions, RegionId id) {
  const auto region = regions.WithId(id, kMaxCpuMaskBytes + 1);
  if (!region || region->bytes.size() % image.word_size() != 0 || region->bytes.size() > kMaxCpuMaskBytes)
    return {};
  return Fact<CpuSet>{CpusOfMask(region->bytes, image.word_size(), image.endian()), region->from};
}

bool IsSubset(const MaybeFact<CpuSet>& part, const CpuSet& all) {
  return !part || std::includes(all.begin(), all.end(), part->value.begin(), part->value.end());
}

CpuSet FirstCpus(uint32_t count) {
  CpuSet cpus(count);
  std::iota(cpus.begin(), cpus.end(), 0);
  return cpus;
}

// What the log says of how many CPUs there were; the newest boot of several.
CpuCounts CountsOfLog(const KernelLog& log) {
  CpuCounts counts;
  for (size_t i = log.records.size(); i-- > 0;) {
    if (log.records[i].facility != 0) continue;
    const std::optional<CpuCounts> said = ParseCpuCounts(log.records[i].text);
    if (!said) continue;
    if (counts.possible == 0) counts.possible = said->possible;
    if (counts.present == 0) counts.present = said->present;
    if (counts.online == 0) counts.online = said->online;
  }
  return counts;
}

// Sets that no region has, from numbers: CPUs are numbered from 0 without holes, which is an assumption.
void CountCpus(const CoreImage& image, const KernelLog& log, CpuFacts* cpus) {
  CpuCounts counts = CountsOfLog(log);
  if (counts.online == 0) counts.online = std::min(image.prstatus_count, kMostCpus);
  const auto fill = [](uint32_t count, MaybeFact<CpuSet>* set) {
    if (!*set && count > 0) *set = Fact<CpuSet>{FirstCpus(count), Provenance::kDerived};
  };
  fill(counts.possible, &cpus->possible);
  fill(counts.present, &cpus->present);
  fill(counts.online, &cpus->online);
}

void ReadCpus(const CoreImage& image, const ImageRegions& regions, const KernelLog& log, CrashFacts* facts) {
  CpuFacts cpus;
  cpus.possible = ReadMask(image, regions, RegionId::kCpuPossible);
  cpus.present = ReadMask(image, regions, RegionId::kCpuPresent);
  cpus.online = ReadMask(image, regions, RegionId::kCpuOnline);
  cpus.active = ReadMask(image, regions, RegionId::kCpuActive);
  const auto drop = [&](const char* name, MaybeFact<CpuSet>* set) {
    facts->defects.push_back(
        {DefectCode::kFactImplausible, "",
         absl::StrCat("CPUs ", name, ": the mask is empty or has CPUs that are not possible")});
    set->reset();
  };
  if (cpus.possible && cpus.possible->value.empty()) drop("possible", &cpus.possible);
  if (cpus.possible) {
    if (!IsSubset(cpus.present, cpus.possible->value)) drop("present", &cpus.present);
    if (!IsSubset(cpus.online, cpus.possible->value)) drop("online", &cpus.online);
    if (!IsSubset(cpus.active, cpus.possible->value)) drop("active", &cpus.active);
  }
  if (!cpus.possible && !cpus.present && !cpus.online) CountCpus(image, log, &cpus);
  facts->cpus = std::move(cpus);
}

std::optional<uint32_t> HzFromConfig(const CoreImage& image) {
  const absl::StatusOr<std::string> config = ReadConfig(image);
  if (!config.ok()) return {};
  uint32_t hz = 0;
  const std::optional<std::string> text = ConfigValue(*config, "CONFIG_HZ");
  if (!text || !absl::SimpleAtoi(*text, &hz) || hz == 0 || hz > 10000) return {};
  return hz;
}

std::optional<uint32_t> HzFromLog(const KernelLog& log) {
  for (const LogRecord& record : log.records) {
    if (record.facility != 0) continue;
    if (const std::optional<uint32_t> hz = HzFromLogLine(record.text)) return hz;
  }
  return {};
}

// The uptime that these eight bytes mean, or nothing when they can be no jiffies_64. `near_log` asks for
// more: that the log's newest stamp is within the hour, for bytes that only their place says something about.
MaybeFact<double> UptimeFrom(const RegionBytes& region, Endian endian, std::optional<uint32_t> hz,
                             double newest, bool near_log) {
  if (region.bytes.size() != 8) return {};
  const uint64_t jiffies = LoadInteger(region.bytes, 8, endian);
  const bool known = hz.has_value();
  if (!hz) hz = GuessHz(jiffies, newest);
  if (!hz || !IsPlausibleJiffies(jiffies, *hz)) return {};
  const double uptime = UptimeOf(jiffies, *hz);
  // A machine may be silent for days before it dies, but it does not log an hour after it.
  if (uptime < newest - kHour || (near_log && uptime > newest + kHour)) return {};
  return Fact<double>{uptime, known ? region.from : Provenance::kDerived};
}

void ReadUptime(const CoreImage& image, const ImageRegions& regions, const KernelLog& log,
                CrashFacts* facts) {
  std::optional<uint32_t> hz = HzFromConfig(image);
  if (!hz) hz = HzFromLog(log);
  const double newest = static_cast<double>(log.facts.last_ts_nsec) / kNanoseconds;
  const auto by_id = regions.WithId(RegionId::kJiffies, 9);
  if (by_id) facts->uptime_seconds = UptimeFrom(*by_id, image.endian(), hz, newest, false);
  if (by_id && !facts->uptime_seconds) {
    facts->defects.push_back(
        {DefectCode::kFactImplausible, "", "uptime: the jiffies region has no possible time"});
  }
  if (!facts->uptime_seconds) {
    const auto by_place = regions.RightBefore(RegionId::kBanner, kBannerStart, 8);
    if (by_place) facts->uptime_seconds = UptimeFrom(*by_place, image.endian(), hz, newest, true);
  }
  // At least so long.
  if (!facts->uptime_seconds && newest > 0)
    facts->uptime_seconds = Fact<double>{newest, Provenance::kLogText};
}

}  // namespace

void ReadMachineFacts(const CoreImage& image, const ImageRegions& regions, const KernelLog& log,
                      CrashFacts* facts) {
  ReadCpus(image, regions, log, facts);
  ReadUptime(image, regions, log, facts);
}

}  // namespace corefleet
