#include <algorithm>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "cli/describe_crash.h"
#include "cli/found_crash.h"
#include "cli/json.h"
#include "cli/verb.h"
#include "collector/source/find_crashes.h"
#include "core/analyze.h"
#include "core/bytes/escape.h"
#include "core/digest/digest.h"
#include "core/kdump/reader/child_dump_opener.h"
#include "core/manifest/manifest.h"
#include "core/printk/kernel_log.h"
#include "core/rebuild.h"
#include "proto/convert/facts_to_proto.h"

namespace corefleet {
namespace {

// Lines of the log that are shown.
constexpr size_t kLastLines = 5;

absl::Status AddDigests(const Rebuilt& rebuilt, CrashFacts* facts) {
  const RegionSet& set = rebuilt.set;
  for (RegionFacts& region : facts->regions) {
    if (!region.index || *region.index >= set.regions.size()) continue;
    if (IsTooLargeToDigest(set.regions[*region.index], rebuilt.image)) continue;
    ASSIGN_OR_RETURN(const Sha256Digest digest, Sha256Of(*set.regions[*region.index].bytes));
    region.sha256 = HexOf(digest);
  }
  return absl::OkStatus();
}

std::string LastLines(KernelLog log) {
  if (log.records.size() > kLastLines) log.records.erase(log.records.begin(), log.records.end() - kLastLines);
  // The ones before were left out on purpose: that is no gap.
  for (size_t i = 0; i < log.records.size(); ++i) log.records[i].seq = i;
  return log.records.empty() ? "" : "\nThe last it said\n" + RenderText(log);
}

void Print(const std::string& what, const v1::Crash& crash, KernelLog log, bool verbose,
           const Surroundings& where) {
  if (where.json) {
    *where.out << JsonLine(crash);
    return;
  }
  *where.out << what << "\n"
             << DescribeCrash(crash, {.sources = verbose, .all_regions = verbose})
             << LastLines(std::move(log)) << "\n";
}

// The library that reads compressed dumps wants a file.
ChildDumpOpener MakeOpener() {
  const char* const folder = std::getenv("TMPDIR");
  return ChildDumpOpener({.scratch_folder = folder != nullptr && *folder != '\0' ? folder : "/var/tmp"});
}

absl::Status Check(const CrashLocation& location, bool verbose, const Surroundings& where) {
  ASSIGN_OR_RETURN(const FoundCrash found, OpenCrash(location));
  PrintRemarks(found, where);
  const ChildDumpOpener opener = MakeOpener();
  const Rebuilt rebuilt = Rebuild(found.regions, &opener);
  Analysis analysis = Analyze(rebuilt.image, rebuilt.set);
  RETURN_IF_ERROR(AddDigests(rebuilt, &analysis.facts));
  v1::Crash crash;
  FactsToProto(analysis.facts, Detail::kEverything, &crash);
  uint64_t raw_bytes = 0;
  for (const Region& region : found.regions.regions) raw_bytes += region.bytes->size();
  crash.set_raw_bytes(raw_bytes);
  Print(DescribeFound(found, rebuilt.set), crash, std::move(analysis.log), verbose, where);
  return absl::OkStatus();
}

absl::Status CheckPath(const std::string& path, bool verbose, const Surroundings& where) {
  ASSIGN_OR_RETURN(const std::vector<CrashLocation> crashes, FindCrashes(path));
  if (crashes.empty())
    return absl::NotFoundError(absl::StrCat(EscapeForTerminal(path), ": no crash waits in it"));
  absl::Status first;
  for (const CrashLocation& crash : crashes) {
    const absl::Status status = Check(crash, verbose, where);
    if (!status.ok()) Fail(where, status);
    first.Update(status);
  }
  // What failed is printed; the code is all that is left to say.
  return first.ok() ? absl::OkStatus() : absl::CancelledError();
}

int Run(const Arguments& arguments, const Surroundings& where) {
  int code = kDone;
  for (const std::string& path : arguments.operands()) {
    const absl::Status status = CheckPath(path, arguments.Has("verbose"), where);
    if (status.ok()) continue;
    if (!absl::IsCancelled(status)) Fail(where, status);
    code = kNotFoundOrRefused;
  }
  return code;
}

}  // namespace

Verb CheckVerb() {
  return {.name = "check",
          .operands = "PATH...",
          .min_operands = 1,
          .max_operands = 100000,
          .summary = "without any server: what is this, what can be read from it, what is missing",
          .details =
              "PATH is anything that 'upload' takes; the first line says what it was taken for. Exit code 0\n"
              "says that it could be read, not that nothing is missing.\n\n"
              "  corefleet check ./memory\n"
              "  corefleet check rawdump.img vmcore dmesg.txt\n"
              "  corefleet check ./memory --json | jq '.state, .defects'",
          .options = {{"verbose", 'v', "", "all regions, and where each fact was read"}},
          .run = Run};
}

}  // namespace corefleet
