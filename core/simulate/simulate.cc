#include "core/simulate/simulate.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/build/uptime.h"
#include "core/simulate/dump_sources.h"
#include "core/simulate/log_sources.h"
#include "core/simulate/model_log.h"
#include "core/simulate/model_memory.h"
#include "core/simulate/random.h"
#include "core/simulate/region_plan.h"
#include "core/simulate/region_sources.h"
#include "core/simulate/vendor_sources.h"

namespace corefleet {
namespace {

constexpr uint32_t kSmallestLogShift = 12;
constexpr uint32_t kLargestLogShift = 24;

const std::vector<SourceEntry>& Sources() {
  using Source = SimulatedSource;
  using Target = DamageTarget;
  using Targets = std::vector<DamageTarget>;
  const Targets folder = {Target::kLog, Target::kRegions, Target::kTable, Target::kFiles};
  const Targets blob = {Target::kLog, Target::kRegions, Target::kFiles};
  static const auto& sources = *new std::vector<SourceEntry>{
      {Source::kMeminspectV1, "meminspect-v1", "a folder of md_*.BIN and minidump_toc.bin, series v1",
       Remains::kMemory, folder},
      {Source::kMeminspectV2, "meminspect-v2", "the same of series v2", Remains::kMemory, folder},
      {Source::kMeminspectV3, "meminspect-v3", "the same of series v3, which numbers otherwise",
       Remains::kMemory, folder},
      {Source::kKmemdumpRfc2, "kmemdump-rfc2", "the same of the kmemdump RFC, second version",
       Remains::kMemory, folder},
      {Source::kKmemdumpRfc3, "kmemdump-rfc3", "the same of its third version", Remains::kMemory, folder},
      {Source::kRawDump,
       "rawdump",
       "a Raw_Dmp! partition in one file",
       Remains::kMemory,
       {Target::kLog, Target::kRegions, Target::kRawDump, Target::kFiles}},
      {Source::kQaic, "qaic", "the blob of the AIC100 driver", Remains::kMemory, blob},
      {Source::kEdl, "edl", "what edl leaves: a folder memory, and its log", Remains::kMemory, folder},
      {Source::kQdl, "qdl", "what qdl leaves: minidump.elf, which it put together, and the debug table",
       Remains::kMemory, folder},
      {Source::kVmcore,
       "vmcore",
       "an ELF core of the machine, as a crash kernel copies it",
       Remains::kMemory,
       {Target::kLog, Target::kFiles}},
      {Source::kVmcoreFlat,
       "vmcore-flat",
       "the same, flattened by makedumpfile -F",
       Remains::kMemory,
       {Target::kLog, Target::kFiles}},
      {Source::kKdump,
       "kdump",
       "makedumpfile's compressed dump",
       Remains::kPackedDump,
       {Target::kLog, Target::kFiles}},
      {Source::kKdumpSplit,
       "kdump-split",
       "the same in two parts",
       Remains::kPackedDump,
       {Target::kLog, Target::kParts, Target::kFiles}},
      {Source::kPstoreEfi,
       "pstore-efi",
       "/sys/fs/pstore out of EFI variables: the end of the log in parts",
       Remains::kLog,
       {Target::kParts, Target::kFiles}},
      {Source::kPstoreErst,
       "pstore-erst",
       "/sys/fs/pstore out of a firmware's error record store",
       Remains::kLog,
       {Target::kParts, Target::kFiles}},
      {Source::kPstoreRamoops,
       "pstore-ramoops",
       "/sys/fs/pstore out of memory that survived",
       Remains::kLog,
       {Target::kFiles}},
      {Source::kRamoopsRaw,
       "ramoops-raw",
       "that memory itself, with error correction",
       Remains::kLog,
       {Target::kFiles}},
      {Source::kKinfo,
       "kinfo",
       "a Debug Kinfo area: which kernel it was, and no memory",
       Remains::kRelease,
       {Target::kFiles}},
      {Source::kVendorMinidump,
       "vendor-minidump",
       "what a vendor's own driver registers: md_KELF_HDR.BIN, md_KLOGBUF.BIN",
       Remains::kUnexplained,
       {Target::kFiles}},
      {Source::kCoprocessor,
       "coprocessor",
       "the dump of a processor beside the kernel's, out of remoteproc",
       Remains::kForeign,
       {Target::kFiles}},
  };
  return sources;
}

MeminspectSeries SeriesOf(SimulatedSource source) {
  if (source == SimulatedSource::kMeminspectV2) return MeminspectSeries::kV2;
  if (source == SimulatedSource::kMeminspectV3) return MeminspectSeries::kV3;
  if (source == SimulatedSource::kKmemdumpRfc2) return MeminspectSeries::kRfc2;
  if (source == SimulatedSource::kKmemdumpRfc3) return MeminspectSeries::kRfc3;
  return MeminspectSeries::kV1;
}

// One crash being made.
class Run {
 public:
  explicit Run(const SimulationOptions& options)
      : options_(options), random_(options.kernel.seed, "damage") {}

  absl::StatusOr<SimulatedCrash> Make() {
    if (absl::Status status = Check(); !status.ok()) return status;
    absl::StatusOr<ModelKernel> kernel = MakeModelKernel(options_.kernel);
    if (!kernel.ok()) return kernel.status();
    kernel_ = *std::move(kernel);
    log_ = WriteModelLog(kernel_, options_.crash);
    memory_ = MakeModelMemory(kernel_, log_, MemoryOptionsFor());
    plan_ = PlanRegions(kernel_, memory_, options_.damages, &random_);
    TellTruth();
    if (IsDumpedByPanic() && log_.story.panic_reason.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "\"", EntryOf(options_.source).name, "\" has what panic() saves, and nobody panics in a hang"));
    }
    if (options_.source == SimulatedSource::kVendorMinidump && !kernel_.has_ring) {
      return absl::InvalidArgumentError(
          "without VMCOREINFO nothing leads to the log of a kernel before 5.10: vendor-minidump wants a "
          "later one");
    }
    for (const Damage& damage : options_.damages) {
      if (absl::Status status = Apply(damage); !status.ok()) return status;
    }
    crash_.files = Write();
    for (const Damage& damage : options_.damages) DamageFiles(damage);
    return std::move(crash_);
  }

 private:
  bool Wants(DamageKind kind) const {
    return std::any_of(options_.damages.begin(), options_.damages.end(),
                       [&](const Damage& damage) { return damage.kind == kind; });
  }

  bool IsDumpedByPanic() const {
    return options_.source == SimulatedSource::kPstoreEfi ||
           options_.source == SimulatedSource::kPstoreErst || options_.source == SimulatedSource::kVmcore ||
           options_.source == SimulatedSource::kVmcoreFlat || options_.source == SimulatedSource::kKdump ||
           options_.source == SimulatedSource::kKdumpSplit;
  }

  absl::Status Check() const {
    const auto fits = [](uint32_t shift) { return shift >= kSmallestLogShift && shift <= kLargestLogShift; };
    if (!fits(options_.log_shift) || (options_.big_log_shift != 0 && !fits(options_.big_log_shift)))
      return absl::InvalidArgumentError("a log buffer has 4096 bytes to 16 MiB");
    const SourceEntry& source = EntryOf(options_.source);
    for (const Damage& damage : options_.damages) {
      const DamageTarget target = corefleet::EntryOf(damage).target;
      if (std::count(source.targets.begin(), source.targets.end(), target) != 0) continue;
      return absl::InvalidArgumentError(absl::StrCat("\"", source.name, "\" has nothing that \"",
                                                     corefleet::EntryOf(damage).name, "\" could damage"));
    }
    return absl::OkStatus();
  }

  MemoryOptions MemoryOptionsFor() const {
    MemoryOptions options;
    options.series = SeriesOf(options_.source);
    options.log_shift = options_.log_shift;
    options.big_log_shift = kernel_.has_ring ? options_.big_log_shift : 0;
    options.damage = {Wants(DamageKind::kTornRing), Wants(DamageKind::kWildHead)};
    return options;
  }

  void TellTruth() {
    SimulatedTruth& truth = crash_.truth;
    truth.release = kernel_.release;
    truth.version = kernel_.uts_version;
    truth.banner = kernel_.banner.substr(0, kernel_.banner.size() - 1);
    truth.build_id = kernel_.build_id;
    truth.arch = kernel_.is_arm64() ? "aarch64" : "x86_64";
    truth.command_line = kernel_.command_line;
    truth.panic_reason = log_.story.panic_reason;
    truth.config = memory_.config;
    truth.page_size = kernel_.page_size;
    truth.kaslr_offset = kernel_.slide;
    truth.taint = log_.story.taint_after;
    truth.taint_before = log_.story.taint_before;
    truth.cpus = kernel_.cpus;
    truth.uptime_seconds = UptimeOf(memory_.jiffies, kernel_.hz);
    truth.remains = EntryOf(options_.source).remains;
    if (HasIds()) truth.series = std::string(SeriesName(SeriesOf(options_.source)));
    truth.log = memory_.readable;
    for (const SavedRegion& region : plan_.regions) {
      if (!region.has_file) continue;
      truth.regions.push_back(
          {region.name, region.symbol, region.id, region.vaddr, region.paddr, region.bytes});
    }
    for (const Damage& damage : options_.damages) {
      auto defect = corefleet::EntryOf(damage).defect;
      if (defect == DefectCode::kRecordPartMissing && options_.source == SimulatedSource::kKdumpSplit)
        defect = DefectCode::kDumpIncomplete;
      if (defect) truth.defects.push_back(*defect);
    }
  }

  bool HasIds() const {
    return options_.source <= SimulatedSource::kEdl || options_.source == SimulatedSource::kQdl;
  }

  absl::Status Apply(const Damage& damage) {
    if ((damage.kind == DamageKind::kTornRing || damage.kind == DamageKind::kWildHead) && !kernel_.has_ring)
      return absl::InvalidArgumentError(absl::StrCat(kernel_.release, " has no log ring: it came with 5.10"));
    return DamageRegions(damage, &random_, &plan_);
  }

  std::vector<SimulatedFile> Write() {
    const bool panicked = !log_.story.panic_reason.empty();
    std::vector<LogRecord>* readable = &crash_.truth.log;
    const bool table = !Wants(DamageKind::kNoTable);
    switch (options_.source) {
      case SimulatedSource::kMeminspectV1:
      case SimulatedSource::kMeminspectV2:
      case SimulatedSource::kMeminspectV3:
      case SimulatedSource::kKmemdumpRfc2:
      case SimulatedSource::kKmemdumpRfc3:
        return WriteRegionFolder(plan_, table);
      case SimulatedSource::kRawDump:
        return WriteRawDumpFile(plan_,
                                {Wants(DamageKind::kInsufficientStorage), Wants(DamageKind::kConsumedMark)});
      case SimulatedSource::kQaic:
        return WriteQaicFile(plan_);
      case SimulatedSource::kEdl:
        return WriteEdlFolder(plan_, table);
      case SimulatedSource::kQdl:
        return WriteQdlFolder(plan_, table);
      case SimulatedSource::kVmcore:
        return WriteVmcoreFile(kernel_, memory_);
      case SimulatedSource::kVmcoreFlat:
        return WriteFlatVmcoreFile(kernel_, memory_);
      case SimulatedSource::kKdump:
      case SimulatedSource::kKdumpSplit:
        return WriteKdumpFiles(kernel_, memory_, options_.source == SimulatedSource::kKdumpSplit);
      case SimulatedSource::kPstoreEfi:
        return WriteEfiRecords(log_.records, DeathTime(), readable);
      case SimulatedSource::kPstoreErst:
        return WriteErstRecords(log_.records, DeathTime(), readable);
      case SimulatedSource::kPstoreRamoops:
        return WriteRamoopsRecords(log_.records, panicked, readable);
      case SimulatedSource::kRamoopsRaw:
        return WriteRamoopsArea(log_.records, panicked, readable);
      case SimulatedSource::kKinfo:
        return WriteKinfoFile(kernel_, memory_);
      case SimulatedSource::kVendorMinidump:
        return WriteVendorMinidump(kernel_, memory_);
      case SimulatedSource::kCoprocessor:
        return WriteCoprocessorFile(kernel_.seed);
    }
    return {};
  }

  // Seconds since 1970: the model machine boots at a time of its own.
  uint64_t DeathTime() const {
    return 1'700'000'000 + Random(options_.kernel.seed, "boot time").Below(100'000'000) +
           log_.story.uptime_nsec / 1'000'000'000;
  }

  void FlipBits(uint64_t count) {
    uint64_t total = 0;
    for (const SimulatedFile& file : crash_.files) total += file.bytes.size();
    for (uint64_t i = 0; i < count && total > 0; ++i) {
      uint64_t at = random_.Below(total);
      auto file = crash_.files.begin();
      for (; at >= file->bytes.size(); ++file) at -= file->bytes.size();
      file->bytes[at] ^= static_cast<uint8_t>(1 << random_.Below(8));
    }
  }

  void DamageFiles(const Damage& damage) {
    if (damage.kind == DamageKind::kBitFlips) FlipBits(damage.count);
    // Not the last one: of a record's oldest part nobody can say that it ever was.
    if (damage.kind == DamageKind::kMissingPart && crash_.files.size() > 1) {
      const uint64_t lost = random_.Below(crash_.files.size() - 1);
      crash_.files.erase(crash_.files.begin() + static_cast<ptrdiff_t>(lost));
    }
    if (damage.kind != DamageKind::kCut) return;
    const auto largest =
        std::max_element(crash_.files.begin(), crash_.files.end(),
                         [](const auto& a, const auto& b) { return a.bytes.size() < b.bytes.size(); });
    largest->bytes.resize(largest->bytes.size() / 3 * 2);
  }

  const SimulationOptions& options_;
  Random random_;
  ModelKernel kernel_;
  ModelLog log_;
  ModelMemory memory_;
  RegionPlan plan_;
  SimulatedCrash crash_;
};

}  // namespace

absl::Span<const SourceEntry> AllSources() { return Sources(); }

std::optional<SimulatedSource> ParseSource(absl::string_view name) {
  for (const SourceEntry& entry : Sources()) {
    if (entry.name == name) return entry.source;
  }
  return std::nullopt;
}

const SourceEntry& EntryOf(SimulatedSource source) { return Sources()[static_cast<size_t>(source)]; }

absl::StatusOr<SimulatedCrash> Simulate(const SimulationOptions& options) { return Run(options).Make(); }

}  // namespace corefleet
