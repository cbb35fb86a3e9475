#include "core/build/fact_choice.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/bytes/escape.h"

namespace corefleet {

void FactChoice::Offer(absl::string_view value, Provenance from) {
  if (!value.empty()) offers_.push_back({EscapeForTerminal(value), from});
}

MaybeFact<std::string> FactChoice::Best() const {
  if (offers_.empty()) return {};
  const auto best = std::min_element(offers_.begin(), offers_.end(),
                                     [](const auto& a, const auto& b) { return a.from < b.from; });
  for (const Fact<std::string>& other : offers_) {
    if (absl::StartsWith(other.value, best->value) || absl::StartsWith(best->value, other.value)) continue;
    defects_->push_back({DefectCode::kFactConflict, "",
                         absl::StrCat(name_, ": ", ProvenanceName(best->from), " says \"", best->value,
                                      "\", ", ProvenanceName(other.from), " says \"", other.value, "\"")});
  }
  return *best;
}

}  // namespace corefleet
