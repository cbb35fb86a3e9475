#include "tests/metamorphic/fingerprint.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "core/analyze.h"
#include "core/rebuild.h"

namespace corefleet {
namespace {

std::string Text(const std::string& value) { return value; }
std::string Text(uint64_t value) { return absl::StrCat(value); }
std::string Text(double value) { return absl::StrCat(value); }
std::string Text(const std::vector<uint32_t>& cpus) { return absl::StrJoin(cpus, ","); }

template <typename T>
void Put(const char* name, const MaybeFact<T>& fact, Fingerprint* out) {
  out->facts[name] = fact ? absl::StrCat(Text(fact->value), " (", ProvenanceName(fact->from), ")") : "-";
}

void PutFacts(const CrashFacts& facts, Fingerprint* out) {
  out->facts["state"] = std::string(CrashStateName(facts.state));
  out->facts["series"] = facts.series;
  out->facts["taint letters"] = facts.taint.letters;
  out->facts["log method"] = facts.log.method;
  Put("release", facts.release, out);
  Put("version", facts.version, out);
  Put("banner", facts.banner, out);
  Put("build_id", facts.build_id, out);
  Put("arch", facts.arch, out);
  Put("git_commit", facts.git_commit, out);
  Put("config", facts.config_sha256, out);
  Put("page_size", facts.page_size, out);
  Put("kaslr_offset", facts.kaslr_offset, out);
  Put("command_line", facts.command_line, out);
  Put("panic_reason", facts.panic_reason, out);
  Put("uptime", facts.uptime_seconds, out);
  Put("taint", facts.taint.mask, out);
  Put("taint before", facts.taint.before_mask, out);
  Put("possible", facts.cpus.possible, out);
  Put("present", facts.cpus.present, out);
  Put("online", facts.cpus.online, out);
  Put("active", facts.cpus.active, out);
}

// Where header and VMCOREINFO lay only a table says, and nothing depends on it.
std::string RegionText(const RegionFacts& region) {
  const uint64_t paddr = region.vaddr ? region.paddr.value_or(0) : 0;
  return absl::StrCat(absl::Hex(paddr), " ", absl::Hex(region.vaddr.value_or(0)), " ", region.size, " ",
                      RegionStateName(region.state), " ", region.sha256);
}

std::string FirstDifference(const std::string& a, const std::string& b) {
  const std::vector<std::string> left = absl::StrSplit(a, '\n'), right = absl::StrSplit(b, '\n');
  size_t at = 0;
  while (at < left.size() && at < right.size() && left[at] == right[at]) ++at;
  return absl::StrCat("log line ", at, ": ", at < left.size() ? left[at] : "-", " | ",
                      at < right.size() ? right[at] : "-", "\n");
}

std::string SetDifference(const char* what, const std::multiset<std::string>& a,
                          const std::multiset<std::string>& b) {
  std::vector<std::string> gone, come;
  std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(gone));
  std::set_difference(b.begin(), b.end(), a.begin(), a.end(), std::back_inserter(come));
  std::string text;
  for (const std::string& each : gone) absl::StrAppend(&text, what, " gone: ", each, "\n");
  for (const std::string& each : come) absl::StrAppend(&text, what, " new: ", each, "\n");
  return text;
}

}  // namespace

Fingerprint FingerprintOf(const RegionSet& received) {
  const Rebuilt rebuilt = Rebuild(received, nullptr);
  const Analysis analysis = Analyze(rebuilt.image, rebuilt.set);
  Fingerprint out;
  PutFacts(analysis.facts, &out);
  out.log = RenderRaw(analysis.log);
  for (const RegionFacts& region : analysis.facts.regions) {
    const bool memory = region.state != RegionState::kContainer && region.state != RegionState::kOpaque;
    if (memory) out.regions.insert(RegionText(region));
  }
  for (const Defect& defect : analysis.facts.defects)
    out.defects.insert(std::string(DefectCodeName(defect.code)));
  return out;
}

std::string Differences(const Fingerprint& a, const Fingerprint& b) {
  std::string text;
  for (const auto& [name, value] : a.facts) {
    if (b.facts.at(name) != value) absl::StrAppend(&text, name, ": ", value, " | ", b.facts.at(name), "\n");
  }
  if (a.log != b.log) absl::StrAppend(&text, FirstDifference(a.log, b.log));
  absl::StrAppend(&text, SetDifference("region", a.regions, b.regions),
                  SetDifference("defect", a.defects, b.defects));
  return text;
}

}  // namespace corefleet
