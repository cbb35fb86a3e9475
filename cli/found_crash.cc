#include "cli/found_crash.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/bytes/escape.h"
#include "core/unpack/recognise.h"

namespace corefleet {
namespace {

// What an artifact is, in words.
std::string WordsFor(const Region& region) {
  const auto head = ReadBytes(*region.bytes, 0, std::min<uint64_t>(region.bytes->size(), kArtifactHeadBytes));
  if (!head.ok()) return "unreadable";
  return std::string(FormatWords(Recognise(region.file_name, *head, region.bytes->size())));
}

// "a pstore record (3 files)" for equal words in a row.
std::vector<std::string> Counted(const std::vector<std::string>& words) {
  std::vector<std::string> counted;
  for (size_t i = 0; i < words.size();) {
    size_t end = i;
    while (end < words.size() && words[end] == words[i]) ++end;
    counted.push_back(end - i == 1 ? words[i] : absl::StrCat(words[i], " (", end - i, " files)"));
    i = end;
  }
  return counted;
}

}  // namespace

void PrintRemarks(const FoundCrash& crash, const Surroundings& where) {
  for (const std::string& skipped : crash.skipped) *where.err << "corefleet: not taken: " << skipped << "\n";
  for (const std::string& note : crash.notes)
    *where.err << "corefleet: " << EscapeForTerminal(crash.path) << ": " << note << "\n";
}

std::string DescribeFound(const FoundCrash& crash, const RegionSet& rebuilt) {
  const std::vector<Region>& regions = crash.regions.regions;
  const auto memory = std::count_if(regions.begin(), regions.end(),
                                    [](const Region& region) { return region.kind == RegionKind::kMemory; });
  const auto pieces = std::count_if(rebuilt.regions.begin(), rebuilt.regions.end(),
                                    [](const Region& region) { return region.container.has_value(); });
  std::vector<std::string> words;
  for (const Region& region : regions) {
    if (region.kind == RegionKind::kAddressTable) words.push_back("the firmware's address table");
    if (region.kind == RegionKind::kArtifact) words.push_back(WordsFor(region));
  }
  words = Counted(words);
  if (memory > 0)
    words.insert(words.begin(), absl::StrCat(memory, memory == 1 ? " region file" : " region files"));
  if (pieces > 0) words.push_back(absl::StrCat(pieces, pieces == 1 ? " piece in it" : " pieces in it"));
  return absl::StrCat(EscapeForTerminal(crash.path), ": ", absl::StrJoin(words, ", "));
}

}  // namespace corefleet
