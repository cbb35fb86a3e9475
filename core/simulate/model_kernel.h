#ifndef COREFLEET_CORE_SIMULATE_MODEL_KERNEL_H_
#define COREFLEET_CORE_SIMULATE_MODEL_KERNEL_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace corefleet {

enum class Architecture : uint8_t { kArm64, kX86_64 };

// "arm64", "x86_64"; and back, also from uname's "aarch64".
absl::string_view ArchitectureName(Architecture architecture);
std::optional<Architecture> ParseArchitecture(absl::string_view name);

// What a model kernel is asked to be.
struct KernelOptions {
  std::string release = "6.12.0";  // X.Y.Z and whatever a build may put behind it
  Architecture architecture = Architecture::kArm64;
  uint32_t cpus = 4;          // 1 to 128
  uint64_t page_size = 4096;  // arm64: 4096, 16384 or 65536
  uint64_t seed = 1;
  // Where the kernel lies depends on this and on nothing else; without it on the seed. 0: no KASLR.
  std::optional<uint64_t> kaslr_seed;
};

// A kernel that never was: identity and place in memory. Everything but the slide and the host depends on
// release, architecture and page size alone, as two devices with one build have one kernel.
struct ModelKernel {
  Architecture architecture = Architecture::kArm64;
  uint32_t major = 0, minor = 0, patch = 0;
  std::string release;      // "6.12.0"
  std::string uts_version;  // "#1 SMP PREEMPT Thu Nov 14 09:12:44 UTC 2024"
  std::string host_name;
  std::string banner;        // with its newline
  std::string build_id;      // 40 hex digits; "" before 5.9, which did not export it
  std::string command_line;  // of the boot loader
  uint32_t cpus = 0;
  uint32_t hz = 0;
  uint64_t page_size = 0;
  uint64_t seed = 0;

  uint32_t va_bits = 0;            // arm64
  uint64_t link_text = 0;          // _text as linked
  uint64_t slide = 0;              // KASLR's: _text is at link_text + slide
  uint64_t text_paddr = 0;         // of _text
  uint64_t ram_start = 0;          // physical; also the start of the linear map on arm64
  uint64_t ram_size = 0;           // bytes
  uint64_t linear_base = 0;        // virtual address of ram_start (arm64), of physical 0 (x86-64)
  bool has_ring = false;           // printk's lockless ring (5.10 on), else the older log_buf
  bool has_verbose_taint = false;  // taint_flags entries with names (6.11 on)

  bool IsAtLeast(uint32_t want_major, uint32_t want_minor) const {
    return major != want_major ? major > want_major : minor >= want_minor;
  }
  bool is_arm64() const { return architecture == Architecture::kArm64; }
  uint64_t text_vaddr() const { return link_text + slide; }
  // Physical address of a byte of the kernel image, and the linear map's name for a physical address.
  uint64_t ImagePaddr(uint64_t vaddr) const { return vaddr - text_vaddr() + text_paddr; }
  uint64_t LinearVaddr(uint64_t paddr) const { return linear_base + paddr - (is_arm64() ? ram_start : 0); }
};

//   INVALID_ARGUMENT  no release of Linux 3.5 or later, a page size or a number of CPUs that the architecture
//                     does not have; the message says which
absl::StatusOr<ModelKernel> MakeModelKernel(const KernelOptions& options);

}  // namespace corefleet

#endif  // COREFLEET_CORE_SIMULATE_MODEL_KERNEL_H_
