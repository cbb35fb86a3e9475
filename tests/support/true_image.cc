#include "tests/support/true_image.h"

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/numbers.h"

namespace corefleet {
namespace {

std::optional<uint64_t> Address(const nlohmann::json& value) {
  uint64_t address = 0;
  if (!value.is_string() || !absl::SimpleHexAtoi(value.get<std::string>(), &address)) return {};
  return address;
}

RegionFacts FactsOf(const nlohmann::json& truth) {
  RegionFacts region;
  region.name = truth["name"].get<std::string>();
  region.id = truth["id"].get<uint32_t>();
  region.vaddr = Address(truth["vaddr"]);
  region.paddr = Address(truth["paddr"]);
  region.size = truth["size"].get<uint64_t>();
  return region;
}

Segment SegmentOf(const RegionFacts& region) {
  Segment segment;
  segment.vaddr = region.vaddr.value_or(0);
  segment.paddr = region.paddr.value_or(0);
  segment.has_vaddr = region.vaddr.has_value();
  segment.has_paddr = region.paddr.has_value();
  segment.size = region.size;
  segment.available = std::min(region.size, region.received);
  segment.region = region.index;
  segment.id = region.id;
  segment.name = region.name;
  return segment;
}

}  // namespace

CoreImage TrueImage(const CorpusCase& crash,
                    const std::function<bool(const std::string&, std::string*)>& edit) {
  CoreImage image;
  const nlohmann::json truth = nlohmann::json::parse(crash.file("regions.json"));
  for (const nlohmann::json& entry : truth["regions"]) {
    RegionFacts region = FactsOf(entry);
    region.state = RegionState::kMissing;
    const std::string file = entry["file"].is_string() ? entry["file"].get<std::string>() : std::string();
    std::string bytes = file.empty() ? std::string() : crash.file(file);
    if (!file.empty() && (!edit || edit(file, &bytes))) {
      region.index = static_cast<uint32_t>(image.sources.size());
      region.received = bytes.size();
      region.state = bytes.size() < region.size ? RegionState::kTruncated : RegionState::kPresent;
      image.sources.push_back(std::make_shared<MemorySource>(absl::string_view(bytes)));
      if (region.id == 2u) image.vmcoreinfo = Vmcoreinfo::Parse(BytesOf(bytes), nullptr);
    }
    if (region.id > 2u) image.segments.push_back(SegmentOf(region));
    image.regions.push_back(std::move(region));
  }
  image.has_header = true;
  image.e_machine = truth["machine"] == "x86_64" ? 62 : 183;
  image.IndexSegments();
  return image;
}

}  // namespace corefleet
