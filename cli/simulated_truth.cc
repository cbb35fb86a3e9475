#include "cli/simulated_truth.h"

#include "absl/strings/str_cat.h"
#include "core/digest/digest.h"
#include "core/printk/kernel_log.h"
#include "nlohmann/json.hpp"

namespace corefleet {
namespace {

using Json = nlohmann::ordered_json;

std::string Address(uint64_t value) { return absl::StrCat("0x", absl::Hex(value)); }

Json RegionsJson(const SimulatedTruth& truth) {
  Json regions = Json::array();
  for (const SimulatedRegion& region : truth.regions) {
    regions.push_back({{"name", region.name},
                       {"symbol", region.symbol},
                       {"id", region.id},
                       {"paddr", Address(region.paddr)},
                       {"vaddr", Address(region.vaddr)},
                       {"size", region.bytes.size()},
                       {"sha256", HexOf(Sha256Of(region.bytes))}});
  }
  return regions;
}

Json KernelJson(const SimulatedTruth& truth) {
  return {{"release", truth.release},     {"version", truth.version},
          {"build_id", truth.build_id},   {"arch", truth.arch},
          {"banner", truth.banner},       {"command_line", truth.command_line},
          {"page_size", truth.page_size}, {"kaslr_offset", Address(truth.kaslr_offset)}};
}

}  // namespace

std::string TruthJson(const SimulationOptions& options, const SimulatedTruth& truth) {
  KernelLog log;
  log.records = truth.log;
  Json defects = Json::array();
  for (const DefectCode code : truth.defects) defects.push_back(std::string(DefectCodeName(code)));
  Json damages = Json::array();
  for (const Damage& damage : options.damages) damages.push_back(std::string(EntryOf(damage).name));
  const Json json = {
      {"seed", options.kernel.seed},
      {"source", std::string(EntryOf(options.source).name)},
      {"crash", std::string(CrashKindName(options.crash))},
      {"damages", damages},
      {"kernel", KernelJson(truth)},
      {"panic_reason", truth.panic_reason},
      {"taint", {{"mask", absl::StrCat(truth.taint)}, {"before_mask", absl::StrCat(truth.taint_before)}}},
      {"cpus", truth.cpus},
      {"uptime_seconds", truth.uptime_seconds},
      {"series", truth.series},
      {"log", RenderRaw(log)},
      {"regions", RegionsJson(truth)},
      {"defects", defects}};
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace corefleet
