#ifndef COREFLEET_CORE_BUILD_FACT_CHOICE_H_
#define COREFLEET_CORE_BUILD_FACT_CHOICE_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "core/crash/facts.h"

namespace corefleet {

// One fact, and everything that says something about it. Not thread-safe.
//
//   FactChoice release("release", &facts.defects);
//   release.Offer(uts.release, Provenance::kSymbol);
//   release.Offer(banner.release, Provenance::kRegionId);
//   facts.release = release.Best();
class FactChoice {
 public:
  // `defects` takes the conflicts, and must outlive this.
  FactChoice(absl::string_view name, std::vector<Defect>* defects) : name_(name), defects_(defects) {}

  // Raw bytes; they are escaped here. An empty value says nothing.
  void Offer(absl::string_view value, Provenance from);

  // The value of the best source. Every other source that says something else becomes a FACT_CONFLICT. A
  // value that is only the other's beginning is no conflict: several sources are cut.
  MaybeFact<std::string> Best() const;

 private:
  std::string name_;
  std::vector<Defect>* defects_;
  std::vector<Fact<std::string>> offers_;
};

}  // namespace corefleet

#endif  // COREFLEET_CORE_BUILD_FACT_CHOICE_H_
