#include "core/vmcoreinfo/machine.h"

namespace corefleet {

uint16_t MachineOf(const Vmcoreinfo& vmcoreinfo) {
  constexpr uint16_t kX86_64 = 62, kArm64 = 183, kRiscv = 243;
  if (vmcoreinfo.Number("kimage_voffset")) return kArm64;
  if (vmcoreinfo.Number("phys_base")) return kX86_64;
  if (vmcoreinfo.Number("va_kernel_pa_offset")) return kRiscv;
  return 0;
}

}  // namespace corefleet
