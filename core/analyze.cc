#include "core/analyze.h"

#include <algorithm>

#include "core/abilities.h"
#include "core/build/build_facts.h"
#include "core/build/image_regions.h"
#include "core/bytes/escape.h"
#include "core/digest/digest.h"
#include "core/kinfo/kinfo_facts.h"
#include "core/oops/panic_line.h"
#include "core/printk/read_log.h"
#include "core/taint/taint_facts.h"

namespace corefleet {
namespace {

// Of a file that came as one piece; memory regions are always digested.
constexpr uint64_t kMaxDigestBytes = 64 << 20;

void DigestRegions(const RegionSet& set, const CoreImage& image, std::vector<RegionFacts>* regions) {
  for (RegionFacts& region : *regions) {
    if (!region.index || *region.index >= set.regions.size()) continue;
    const std::shared_ptr<const ByteSource>& bytes = set.regions[*region.index].bytes;
    if (bytes == nullptr || IsTooLargeToDigest(set.regions[*region.index], image)) continue;
    // A region whose storage does not answer has no digest; the rest of the crash is still read.
    if (const absl::StatusOr<Sha256Digest> digest = Sha256Of(*bytes); digest.ok())
      region.sha256 = HexOf(*digest);
  }
}

CrashState StateOf(const CoreImage& image, const KernelLog& log, const std::vector<Defect>& defects) {
  // A compressed dump has no segments: its memory is asked page by page.
  const bool placed =
      image.memory != nullptr || std::any_of(image.segments.begin(), image.segments.end(),
                                             [](const Segment& segment) { return segment.available > 0; });
  if (!placed) return log.records.empty() ? CrashState::kUnreadable : CrashState::kLogOnly;
  const bool loss =
      std::any_of(defects.begin(), defects.end(), [](const Defect& defect) { return IsLoss(defect.code); });
  return loss ? CrashState::kPartial : CrashState::kComplete;
}

void ReadLinuxFacts(const CoreImage& image, const KernelLog& log, CrashFacts* facts) {
  const ImageRegions regions(image);
  ReadBuildFacts(image, regions, log, facts);
  ReadMachineFacts(image, regions, log, facts);
  ReadTaintFacts(regions, log, facts);
  if (const auto panic = FindPanicLine(log)) {
    facts->panic_reason = Fact<std::string>{EscapeForTerminal(panic->reason), Provenance::kLogText};
  }
}

}  // namespace

bool IsTooLargeToDigest(const Region& region, const CoreImage& image) {
  if (image.dump_file != nullptr && region.container) return true;
  return region.kind == RegionKind::kArtifact && region.bytes != nullptr &&
         region.bytes->size() > kMaxDigestBytes;
}

Analysis Analyze(const CoreImage& image, const RegionSet& set) {
  Analysis analysis;
  // What looks like a Linux log or banner in a co-processor's memory is none of this machine's.
  const bool is_linux = IsLinux(image);
  if (is_linux) analysis.log = ReadLog(image);
  const KernelLog& log = analysis.log;
  CrashFacts& facts = analysis.facts;
  facts.analyzer_version = kAnalyzerVersion;
  facts.log = log.facts;
  facts.series = image.series;
  facts.source = image.source;
  facts.regions = image.regions;
  DigestRegions(set, image, &facts.regions);
  facts.defects = image.defects;
  facts.defects.insert(facts.defects.end(), log.defects.begin(), log.defects.end());

  if (is_linux) ReadLinuxFacts(image, log, &facts);
  CompareKinfo(image.kinfos, &facts);
  facts.state = StateOf(image, log, facts.defects);
  facts.abilities = ReadAbilities(image, log, facts);
  return analysis;
}

}  // namespace corefleet
