#include "core/simulate/vendor_sources.h"

#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/elf/elf_header.h"
#include "core/minidump/coprocessor_writer.h"
#include "core/minidump/vendor_header_writer.h"
#include "core/simulate/random.h"

namespace corefleet {
namespace {

constexpr size_t kStackBytes = 4096;

// The driver's names for what meminspect calls otherwise.
constexpr std::pair<const char*, const char*> kLogParts[] = {
    {"KLOGBUF", "__log_buf"}, {"LOG_DESC", "prb_descs"}, {"LOG_INFO", "prb_infos"}};

VendorMinidumpPlan PlanVendorMinidump(const ModelKernel& kernel, const ModelMemory& memory) {
  VendorMinidumpPlan plan;
  plan.machine = kernel.is_arm64() ? kElfMachineAarch64 : kElfMachineX86_64;
  plan.banner = kernel.banner;
  if (const ModelRegion* banner = memory.Find("linux_banner")) {
    plan.banner_vaddr = banner->vaddr;
    plan.banner_paddr = banner->paddr;
  }
  const auto add = [&](const std::string& name, const ModelRegion* region) {
    if (region != nullptr) plan.parts.push_back({name, region->vaddr, region->paddr, region->bytes});
  };
  for (const auto& [name, symbol] : kLogParts) add(name, memory.Find(symbol));
  Random random(kernel.seed, "stacks");
  uint64_t stack = kernel.ram_start + 0x60000000;
  for (uint32_t cpu = 0; cpu < kernel.cpus; ++cpu) {
    plan.parts.push_back(
        {absl::StrCat("KISTK", cpu), kernel.LinearVaddr(stack), stack, random.Bytes(kStackBytes)});
    stack += 4 * kStackBytes;
    add("KRUNQUEUE", memory.Find(absl::StrCat("runqueue of CPU ", cpu)));
  }
  return plan;
}

}  // namespace

std::vector<SimulatedFile> WriteVendorMinidump(const ModelKernel& kernel, const ModelMemory& memory) {
  const VendorMinidumpPlan plan = PlanVendorMinidump(kernel, memory);
  std::vector<SimulatedFile> files = {{"md_KELF_HDR.BIN", WriteVendorHeader(plan)}};
  // A name that came before gets a counter.
  std::map<std::string, int> seen;
  for (const VendorMinidumpPlan::Part& part : plan.parts) {
    const int count = seen[part.name]++;
    files.push_back(
        {absl::StrCat("md_", part.name, count == 0 ? "" : absl::StrCat(count), ".BIN"), part.bytes});
  }
  return files;
}

std::vector<SimulatedFile> WriteCoprocessorFile(uint64_t seed) {
  Random random(seed, "coprocessor");
  CoprocessorPlan plan;
  uint64_t address = 0x86000000;
  for (const char* name : {"md_cp_log", "md_cp_stack", "md_cp_heap"}) {
    plan.parts.push_back({name, address, random.Bytes(random.Between(16, 512) * 8)});
    address += 0x100000;
  }
  return {{"remoteproc0.elf", WriteCoprocessorDump(plan)}};
}

}  // namespace corefleet
