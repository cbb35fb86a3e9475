#include "core/export/artifact.h"

#include <iterator>

#include "base/status_macros.h"
#include "core/build/config.h"
#include "core/build/image_regions.h"
#include "core/export/core_file.h"
#include "core/export/kdump_file.h"
#include "core/export/tar_file.h"
#include "core/printk/read_log.h"

namespace corefleet {
namespace {

constexpr absl::string_view kNames[] = {"core",       "zero",   "concat", "raw",
                                        "vmcoreinfo", "config", "log",    "kdump"};

absl::StatusOr<std::shared_ptr<const ByteSource>> MakeText(const std::string& text, absl::string_view what) {
  if (text.empty()) return absl::NotFoundError(what);
  return std::make_shared<MemorySource>(absl::string_view(text));
}

absl::StatusOr<std::shared_ptr<const ByteSource>> MakeConfig(const CoreImage& image) {
  const std::optional<RegionBytes> region = ImageRegions(image).StartingWith("IKCFG_ST", kMaxPackedConfig);
  if (!region) return absl::NotFoundError("this crash has no region with the kernel's configuration");
  ASSIGN_OR_RETURN(const KernelConfig config, ConfigFromRegion(region->bytes));
  return MakeText(config.text, "the kernel's configuration is empty");
}

// True for a crash that came as one dump of the whole machine.
bool IsDump(const CoreImage& image) { return image.dump_file != nullptr || image.memory != nullptr; }

absl::StatusOr<std::shared_ptr<const ByteSource>> CoreOfDump(const CoreImage& image) {
  if (image.dump_file != nullptr && image.dump_is_elf) return image.dump_file;
  return absl::FailedPreconditionError(
      "the crash came as a compressed dump, which is not unpacked into an ELF core; take `kdump`");
}

absl::Status NothingToFill() {
  return absl::FailedPreconditionError(
      "the crash came as a dump of the whole machine, with no regions to join or to fill up; take `core` or "
      "`kdump`");
}

}  // namespace

absl::string_view ArtifactName(ArtifactKind kind) { return kNames[static_cast<size_t>(kind)]; }

std::optional<ArtifactKind> ParseArtifactKind(absl::string_view name) {
  for (size_t i = 0; i < std::size(kNames); ++i) {
    if (kNames[i] == name) return static_cast<ArtifactKind>(i);
  }
  return std::nullopt;
}

absl::StatusOr<std::shared_ptr<const ByteSource>> MakeArtifact(ArtifactKind kind, const CoreImage& image,
                                                               const RegionSet& set) {
  switch (kind) {
    case ArtifactKind::kCore:
      return IsDump(image) ? CoreOfDump(image) : MakeCoreFile(image, Holes::kFault);
    case ArtifactKind::kZero:
      if (IsDump(image)) return NothingToFill();
      return MakeCoreFile(image, Holes::kZero);
    case ArtifactKind::kConcat:
      if (IsDump(image)) return NothingToFill();
      return MakeConcatenation(image);
    case ArtifactKind::kRaw:
      return MakeTarFile(set);
    case ArtifactKind::kVmcoreinfo:
      return MakeText(image.vmcoreinfo.text(), "no region of this crash is the VMCOREINFO text");
    case ArtifactKind::kLog:
      return MakeText(RenderRaw(ReadLog(image)), "no kernel log could be read from this crash");
    case ArtifactKind::kConfig:
      return MakeConfig(image);
    case ArtifactKind::kKdump:
      return MakeKdumpFile(image);
  }
  return absl::InvalidArgumentError("no such artifact");
}

}  // namespace corefleet
