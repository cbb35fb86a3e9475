#include "core/kinfo/kinfo_facts.h"

#include "absl/strings/str_cat.h"

namespace corefleet {

void CompareKinfo(const std::vector<Kinfo>& kinfos, CrashFacts* facts) {
  for (const Kinfo& kinfo : kinfos) {
    if (kinfo.release.empty()) continue;
    if (!facts->release) {
      facts->release = Fact<std::string>{kinfo.release, Provenance::kKinfo};
    } else if (facts->release->value != kinfo.release) {
      facts->defects.push_back(
          {DefectCode::kFactConflict, "",
           absl::StrCat("release: ", ProvenanceName(facts->release->from), " says \"", facts->release->value,
                        "\", kinfo says \"", kinfo.release, "\"")});
    }
  }
}

}  // namespace corefleet
