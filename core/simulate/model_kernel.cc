#include "core/simulate/model_kernel.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "core/simulate/random.h"

namespace corefleet {
namespace {

constexpr uint32_t kMaxCpus = 128;
constexpr size_t kMaxRelease = 64;  // __NEW_UTS_LEN
constexpr uint64_t kMegabyte = 1 << 20;
constexpr uint64_t kGigabyte = uint64_t{1} << 30;

// "6.12.0-rc3-site" -> 6, 12, 0.
bool ParseVersion(const std::string& release, ModelKernel* kernel) {
  const std::vector<absl::string_view> parts = absl::StrSplit(release, absl::MaxSplits('.', 2));
  if (parts.size() != 3) return false;
  const absl::string_view patch = parts[2].substr(0, parts[2].find_first_not_of("0123456789"));
  return absl::SimpleAtoi(parts[0], &kernel->major) && absl::SimpleAtoi(parts[1], &kernel->minor) &&
         absl::SimpleAtoi(patch, &kernel->patch);
}

bool IsReleaseText(absl::string_view text) {
  return text.size() <= kMaxRelease && std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) || absl::StrContains(".-+_~", c);
         });
}

void NameTheBuild(uint64_t build, ModelKernel* kernel) {
  static constexpr absl::string_view kDays[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
  static constexpr absl::string_view kMonths[] = {"Jan", "Mar", "Apr", "Jun", "Aug", "Oct", "Nov"};
  Random random(build, "identity");
  const std::string date = absl::StrFormat(
      "%s %s %2d %02d:%02d:%02d UTC %d", random.Pick(kDays), random.Pick(kMonths), random.Between(1, 28),
      random.Below(24), random.Below(60), random.Below(60), 2018 + kernel->minor % 7 + (kernel->major - 4));
  const bool dynamic = kernel->IsAtLeast(5, 12) && !kernel->is_arm64();
  kernel->uts_version =
      absl::StrCat("#", random.Between(1, 300), " SMP ", dynamic ? "PREEMPT_DYNAMIC " : "PREEMPT ", date);
  const std::string compiler = kernel->is_arm64() ? "aarch64-linux-gnu-gcc (GCC) 12.3.0" : "gcc (GCC) 12.3.0";
  // Before 5.8 the banner named no linker.
  kernel->banner = absl::StrCat("Linux version ", kernel->release, " (build@forge) (", compiler,
                                kernel->IsAtLeast(5, 8) ? ", GNU ld (GNU Binutils) 2.40" : "", ") ",
                                kernel->uts_version, "\n");
  const std::vector<uint8_t> id = random.Bytes(20);
  if (kernel->IsAtLeast(5, 9)) {
    kernel->build_id =
        absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(id.data()), id.size()));
  }
}

// Where arm64 links its image moved over the years; before 5.4 the two halves of the address space were
// swapped, the linear map above and the image below.
uint64_t Arm64LinkText(const ModelKernel& kernel) {
  const uint64_t low_half = ~uint64_t{0} << kernel.va_bits;
  const uint64_t high_half = ~uint64_t{0} << (kernel.va_bits - 1);
  if (!kernel.IsAtLeast(5, 4)) return low_half + 128 * kMegabyte + 0x80000;
  if (!kernel.IsAtLeast(5, 8)) return high_half + 256 * kMegabyte + 0x80000;
  if (!kernel.IsAtLeast(6, 3)) return high_half + 128 * kMegabyte;
  return high_half + 2 * kGigabyte;
}

void PlaceArm64(Random* random, bool kaslr, ModelKernel* kernel) {
  kernel->va_bits = kernel->page_size == 16384 ? 47 : 48;
  kernel->ram_start = 0x80000000;
  kernel->ram_size = 4 * kGigabyte;
  kernel->link_text = Arm64LinkText(*kernel);
  // 64 KiB steps, so that every page size fits; a quarter of the image's half.
  const uint64_t steps = (uint64_t{1} << (kernel->va_bits - 3)) >> 16;
  kernel->slide = kaslr ? (1 + random->Below(steps - 1)) << 16 : 0;
  kernel->text_paddr = kernel->ram_start + (kaslr ? (1 + random->Below(256)) * 2 * kMegabyte : 0);
  kernel->linear_base = ~uint64_t{0} << (kernel->IsAtLeast(5, 4) ? kernel->va_bits : kernel->va_bits - 1);
}

void PlaceX86_64(Random* random, bool kaslr, ModelKernel* kernel) {
  kernel->ram_size = 4 * kGigabyte;
  kernel->link_text = 0xffffffff81000000;
  kernel->slide = kaslr ? (1 + random->Below(430)) * 2 * kMegabyte : 0;
  kernel->text_paddr = 16 * kMegabyte + (kaslr ? random->Below(256) * 2 * kMegabyte : 0);
  const uint64_t base = kernel->IsAtLeast(5, 0) ? 0xffff888000000000 : 0xffff880000000000;
  kernel->linear_base = base + (kaslr ? random->Below(8192) * kGigabyte : 0);
}

}  // namespace

absl::string_view ArchitectureName(Architecture architecture) {
  return architecture == Architecture::kArm64 ? "arm64" : "x86_64";
}

std::optional<Architecture> ParseArchitecture(absl::string_view name) {
  if (name == "arm64" || name == "aarch64") return Architecture::kArm64;
  if (name == "x86_64" || name == "amd64" || name == "x86-64") return Architecture::kX86_64;
  return std::nullopt;
}

absl::StatusOr<ModelKernel> MakeModelKernel(const KernelOptions& options) {
  ModelKernel kernel;
  kernel.architecture = options.architecture;
  kernel.release = options.release;
  if (!IsReleaseText(options.release) || !ParseVersion(options.release, &kernel) || kernel.major > 99 ||
      !kernel.IsAtLeast(3, 5)) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", options.release,
                     "\" is no release of Linux 3.5 or later; 6.12.0 or 5.4.210-board7 would be one"));
  }
  const bool page_size_fits =
      options.page_size == 4096 ||
      (kernel.is_arm64() && (options.page_size == 16384 || options.page_size == 65536));
  if (!page_size_fits) {
    return absl::InvalidArgumentError(absl::StrCat(ArchitectureName(options.architecture),
                                                   " has no pages of ", options.page_size, " bytes"));
  }
  if (options.cpus == 0 || options.cpus > kMaxCpus)
    return absl::InvalidArgumentError(absl::StrCat("1 to ", kMaxCpus, " CPUs, not ", options.cpus));
  kernel.cpus = options.cpus;
  kernel.page_size = options.page_size;
  kernel.seed = options.seed;
  kernel.has_ring = kernel.IsAtLeast(5, 10);
  kernel.has_verbose_taint = kernel.IsAtLeast(6, 11);
  const std::string build =
      absl::StrCat(kernel.release, "/", ArchitectureName(kernel.architecture), "/", kernel.page_size);
  const uint64_t build_number = Random(0, build).Next();
  static constexpr uint32_t kRates[] = {100, 250, 300, 1000};
  kernel.hz = Random(build_number, "hz").Pick(kRates);
  NameTheBuild(build_number, &kernel);
  kernel.host_name = absl::StrCat("unit-", Random(options.seed, "host").Between(100, 9999));
  kernel.command_line = kernel.is_arm64() ? "console=ttyAMA0 root=/dev/vda2 rootwait ro panic=10"
                                          : "console=ttyS0 root=/dev/vda2 rootwait ro panic=10";
  const uint64_t kaslr_seed = options.kaslr_seed.value_or(options.seed);
  Random place(kaslr_seed, "kaslr");
  const bool kaslr = !options.kaslr_seed || *options.kaslr_seed != 0;
  if (kernel.is_arm64()) {
    PlaceArm64(&place, kaslr, &kernel);
  } else {
    PlaceX86_64(&place, kaslr, &kernel);
  }
  return kernel;
}

}  // namespace corefleet
