#include "core/simulate/region_plan.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/simulate/header_region_writer.h"

namespace corefleet {
namespace {

constexpr uint64_t kPage = 4096;
constexpr size_t kElfData = 5;  // e_ident[EI_DATA]
constexpr uint8_t kBigEndian = 2;
// Regions that damage chosen by the seed leaves alone: each has a damage of its own.
constexpr size_t kOwnDamage = 2;
// Half of it must still be told from nothing.
constexpr uint64_t kSmallestCut = 32;

std::string FileNameOf(const std::string& name, uint32_t id) { return absl::StrCat("md_", name, id, ".BIN"); }

bool Wants(const std::vector<Damage>& damages, DamageKind kind) {
  return std::any_of(damages.begin(), damages.end(),
                     [&](const Damage& damage) { return damage.kind == kind; });
}

SavedRegion Saved(std::string name, uint32_t id, std::string symbol, uint64_t vaddr, uint64_t paddr,
                  std::vector<uint8_t> bytes) {
  SavedRegion region;
  region.file_name = FileNameOf(name, id);
  region.name = std::move(name);
  region.id = id;
  region.symbol = std::move(symbol);
  region.vaddr = vaddr;
  region.paddr = paddr;
  bytes.resize((bytes.size() + 3) & ~size_t{3});
  region.size = bytes.size();
  region.bytes = std::move(bytes);
  return region;
}

// Listed, and never saved.
SavedRegion Ghost(const ModelKernel& kernel, uint64_t offset, uint64_t size) {
  SavedRegion ghost;
  ghost.vaddr = kernel.text_vaddr() + offset;
  ghost.paddr = kernel.ImagePaddr(ghost.vaddr);
  ghost.size = size;
  ghost.has_file = false;
  return ghost;
}

// Indexes of what may be damaged: saved, not touched yet, and at least that large.
std::vector<size_t> Candidates(const RegionPlan& plan, uint64_t smallest) {
  std::vector<size_t> found;
  for (size_t i = kOwnDamage; i < plan.regions.size(); ++i) {
    const SavedRegion& region = plan.regions[i];
    if (region.has_file && !plan.touched[i] && region.size >= smallest) found.push_back(i);
  }
  return found;
}

bool IsCalled(const SavedRegion& region, absl::string_view name) {
  return region.name == name || region.symbol == name || absl::StrCat(region.name, region.id) == name ||
         region.file_name == name;
}

absl::StatusOr<size_t> Choose(const Damage& damage, uint64_t smallest, Random* random, RegionPlan* plan) {
  if (damage.argument.empty() || damage.argument == "random") {
    const std::vector<size_t> candidates = Candidates(*plan, smallest);
    if (candidates.empty()) return absl::InvalidArgumentError("no region is left to damage");
    const size_t chosen = random->Pick(candidates);
    plan->touched[chosen] = true;
    return chosen;
  }
  for (size_t i = 0; i < plan->regions.size(); ++i) {
    if (!plan->regions[i].has_file || !IsCalled(plan->regions[i], damage.argument)) continue;
    plan->touched[i] = true;
    return i;
  }
  return absl::InvalidArgumentError(
      absl::StrCat(EntryOf(damage).name, ": no region is called \"", damage.argument,
                   "\"; names are such as Kprb_info, Kunknown44 or linux_banner"));
}

void Add(SavedRegion region, RegionPlan* plan) {
  plan->regions.push_back(std::move(region));
  plan->touched.push_back(true);
}

// The log's live array of that kind: the larger ring's, if the kernel moved to one.
absl::Status Lose(absl::string_view live, absl::string_view first, RegionPlan* plan) {
  for (const absl::string_view symbol : {live, first}) {
    for (size_t i = 0; i < plan->regions.size(); ++i) {
      if (plan->regions[i].symbol != symbol) continue;
      plan->regions[i].has_file = false;
      plan->touched[i] = true;
      return absl::OkStatus();
    }
  }
  return absl::InvalidArgumentError("this kernel's log has no descriptors and infos: they came with 5.10");
}

absl::Status SwapNames(Random* random, RegionPlan* plan) {
  // Of different size, so that somebody who looks can tell.
  const std::vector<size_t> candidates = Candidates(*plan, 1);
  const size_t a = random->Pick(candidates);
  std::vector<size_t> others;
  for (const size_t i : candidates) {
    if (plan->regions[i].size != plan->regions[a].size) others.push_back(i);
  }
  if (others.empty()) return absl::InvalidArgumentError("no two regions are left to swap");
  const size_t b = random->Pick(others);
  plan->touched[a] = plan->touched[b] = true;
  std::swap(plan->regions[a].file_name, plan->regions[b].file_name);
  return absl::OkStatus();
}

// A second file of it. Names that a firmware gives to a virtual machine's copy.
void Duplicate(size_t which, bool differs, Random* random, RegionPlan* plan) {
  SavedRegion copy = plan->regions[which];
  copy.has_load = false;
  copy.file_name = absl::StrCat("md_2d_", copy.name, copy.id, ".BIN");
  if (differs) copy.bytes[random->Below(copy.bytes.size())] ^= 0x55;
  Add(std::move(copy), plan);
}

// From the last page of the header's own buffer on.
void OverwriteNotes(Random* random, SavedRegion* header) {
  const size_t start = header->bytes.size() / kPage * kPage;
  const std::vector<uint8_t> noise = random->Bytes(header->bytes.size() - start);
  std::copy(noise.begin(), noise.end(), header->bytes.begin() + static_cast<ptrdiff_t>(start));
}

absl::Status DamageOne(const Damage& damage, Random* random, RegionPlan* plan) {
  const uint64_t smallest = damage.kind == DamageKind::kTruncated ? kSmallestCut : 1;
  const absl::StatusOr<size_t> chosen = Choose(damage, smallest, random, plan);
  if (!chosen.ok()) return chosen.status();
  SavedRegion& region = plan->regions[*chosen];
  switch (damage.kind) {
    case DamageKind::kMissing:
      region.has_file = false;
      break;
    case DamageKind::kTruncated:
      region.bytes.resize(region.bytes.size() / 8 * 4);
      break;
    case DamageKind::kOverlong: {
      const std::vector<uint8_t> more = random->Bytes(24);
      region.bytes.insert(region.bytes.end(), more.begin(), more.end());
      break;
    }
    case DamageKind::kDuplicate:
    case DamageKind::kDuplicateDiffers:
      Duplicate(*chosen, damage.kind == DamageKind::kDuplicateDiffers, random, plan);
      break;
    default:
      break;
  }
  return absl::OkStatus();
}

}  // namespace

RegionPlan PlanRegions(const ModelKernel& kernel, const ModelMemory& memory,
                       const std::vector<Damage>& damages, Random* random) {
  RegionPlan plan;
  Add({}, &plan);  // the header region, when the loads are known
  Add(Saved("Kvmcorein", kVmcoreinfoId, "vmcoreinfo", 0, kernel.ram_start + 0x6ff00000,
            std::vector<uint8_t>(memory.vmcoreinfo.begin(), memory.vmcoreinfo.end())),
      &plan);
  for (const ModelRegion& region : memory.regions) {
    Add(Saved(region.name, region.id, region.symbol, region.vaddr, region.paddr, region.bytes), &plan);
    // Firmware's driver refuses what is empty: it has a load and no file.
    plan.regions.back().has_file = !region.bytes.empty();
  }
  const uint64_t ghost = 0x2500000 + random->Below(256) * 64;
  if (Wants(damages, DamageKind::kStaleLoad)) Add(Ghost(kernel, ghost, 56), &plan);
  if (Wants(damages, DamageKind::kEmptyLoad)) Add(Ghost(kernel, ghost + 0x8000, 0), &plan);
  std::vector<HeaderLoad> loads;
  for (size_t i = kOwnDamage; i < plan.regions.size(); ++i)
    loads.push_back({plan.regions[i].vaddr, plan.regions[i].paddr, plan.regions[i].size});
  const uint16_t machine = kernel.is_arm64() ? kElfMachineAarch64 : kElfMachineX86_64;
  plan.regions[0] = Saved(
      "KELF", kElfHeaderId, "the ELF header", 0, kernel.ram_start + 0x6fe00000,
      WriteHeaderRegion(PlanHeaderRegion(machine, loads, memory.vmcoreinfo.size(), kernel.command_line)));
  plan.touched.assign(plan.regions.size(), false);
  return plan;
}

absl::Status DamageRegions(const Damage& damage, Random* random, RegionPlan* plan) {
  SavedRegion& header = plan->regions[0];
  SavedRegion& vmcoreinfo = plan->regions[1];
  switch (damage.kind) {
    case DamageKind::kNotes:
      OverwriteNotes(random, &header);
      return absl::OkStatus();
    case DamageKind::kBigEndianHeader:
      header.bytes[kElfData] = kBigEndian;
      return absl::OkStatus();
    case DamageKind::kVmcoreinfoCut:
      vmcoreinfo.bytes.resize(vmcoreinfo.bytes.size() / 2);
      return absl::OkStatus();
    case DamageKind::kNoHeader:
      header.has_file = false;
      return absl::OkStatus();
    case DamageKind::kNoVmcoreinfo:
      vmcoreinfo.has_file = false;
      return absl::OkStatus();
    case DamageKind::kNoDescs:
      return Lose("log descriptors", "prb_descs", plan);
    case DamageKind::kNoInfos:
      return Lose("log infos", "prb_infos", plan);
    case DamageKind::kSwappedNames:
      return SwapNames(random, plan);
    case DamageKind::kMissing:
    case DamageKind::kTruncated:
    case DamageKind::kOverlong:
    case DamageKind::kDuplicate:
    case DamageKind::kDuplicateDiffers:
      return DamageOne(damage, random, plan);
    default:
      return absl::OkStatus();  // done elsewhere
  }
}

}  // namespace corefleet
