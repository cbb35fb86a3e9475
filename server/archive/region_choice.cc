#include "server/archive/region_choice.h"

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/bytes/escape.h"

namespace corefleet {
namespace {

// One way in which a region can be called.
struct Alias {
  std::string text;
  std::optional<uint32_t> index;  // nothing was received for it: none
};

// The aliases of one kind, strongest kind first.
struct Aliases {
  std::vector<Alias> file_names, names, names_with_id, ids;
};

void AddName(const std::string& name, const std::optional<uint32_t>& id, const std::optional<uint32_t>& index,
             Aliases* aliases) {
  if (!name.empty()) {
    aliases->names.push_back({name, index});
    if (id) aliases->names_with_id.push_back({absl::StrCat(name, " ", *id), index});
  }
  if (id) aliases->ids.push_back({absl::StrCat(*id), index});
}

Aliases AliasesOf(const CoreImage& image, const RegionSet& set) {
  Aliases aliases;
  for (uint32_t i = 0; i < set.regions.size(); ++i) {
    const Region& region = set.regions[i];
    aliases.file_names.push_back({region.file_name, i});
    aliases.file_names.push_back({EscapeForTerminal(region.file_name), i});
    aliases.file_names.push_back({Utf8OrHex(region.file_name), i});
    AddName(region.name, region.id, i, &aliases);
    AddName(EscapeForTerminal(region.name), std::nullopt, i, &aliases);
  }
  for (const RegionFacts& region : image.regions) AddName(region.name, region.id, region.index, &aliases);
  return aliases;
}

std::string Describe(const Region& region) {
  return absl::StrCat(EscapeForTerminal(region.file_name),
                      region.id ? absl::StrCat(" (id ", *region.id, ")") : "");
}

}  // namespace

absl::StatusOr<uint32_t> ChooseRegion(absl::string_view wanted, const CoreImage& image,
                                      const RegionSet& set) {
  if (wanted.empty()) return absl::InvalidArgumentError("which region?");
  const Aliases aliases = AliasesOf(image, set);
  bool known = false;
  for (const auto* kind : {&aliases.file_names, &aliases.names, &aliases.names_with_id, &aliases.ids}) {
    std::set<uint32_t> fits;
    for (const Alias& alias : *kind) {
      if (alias.text != wanted) continue;
      known = true;
      if (alias.index && *alias.index < set.regions.size()) fits.insert(*alias.index);
    }
    if (fits.size() == 1) return *fits.begin();
    if (fits.empty()) continue;
    const std::string list = absl::StrJoin(
        fits, ", ", [&](std::string* out, uint32_t i) { out->append(Describe(set.regions[i])); });
    return absl::FailedPreconditionError(absl::StrCat("several regions are called that: ", list));
  }
  const std::string name = EscapeForTerminal(wanted.substr(0, 255));
  if (known) return absl::NotFoundError(absl::StrCat("nothing was received for region ", name));
  return absl::NotFoundError(absl::StrCat("the crash has no region ", name));
}

}  // namespace corefleet
