#include "core/build/build_facts.h"

#include <algorithm>
#include <optional>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "core/build/banner.h"
#include "core/build/config.h"
#include "core/build/fact_choice.h"
#include "core/build/log_lines.h"
#include "core/build/release.h"
#include "core/bytes/escape.h"

namespace corefleet {
namespace {

constexpr uint64_t kMaxBanner = 4096;
constexpr uint64_t kMaxNamespace = 4096;
constexpr size_t kCommandLineCut = 79;  // of NT_PRPSINFO: 80 bytes with the NUL
constexpr absl::string_view kCommandLineStart = "Kernel command line: ";
constexpr absl::string_view kConfigStart = "IKCFG_ST";

struct Machine {
  uint16_t e_machine;
  absl::string_view name;
};
// ELF's numbers of the machines that Linux calls so in uname.
constexpr Machine kMachines[] = {{3, "i686"},      {8, "mips"},         {20, "ppc"},    {21, "ppc64"},
                                 {22, "s390x"},    {40, "armv7l"},      {62, "x86_64"}, {183, "aarch64"},
                                 {243, "riscv64"}, {258, "loongarch64"}};

absl::string_view MachineName(uint16_t e_machine) {
  for (const Machine& machine : kMachines) {
    if (machine.e_machine == e_machine) return machine.name;
  }
  return "";
}

struct FoundUts {
  UtsName name;
  Provenance from;
};

// Through SYMBOL(init_uts_ns) and OFFSET(uts_namespace.name); else in the region with its id, wherever in it.
std::optional<FoundUts> ReadUts(const CoreImage& image, const ImageRegions& regions) {
  if (const std::optional<uint64_t> symbol = image.vmcoreinfo.Symbol("init_uts_ns")) {
    std::vector<uint8_t> bytes(kUtsNameBytes);
    const uint64_t offset = image.vmcoreinfo.Offset("uts_namespace.name").value_or(0);
    if (image.ReadVirtual(*symbol + offset, absl::MakeSpan(bytes)).ok()) {
      if (const auto name = ParseUtsName(bytes)) return FoundUts{*name, Provenance::kSymbol};
    }
  }
  if (const auto region = regions.WithId(RegionId::kUtsNamespace, kMaxNamespace)) {
    if (const auto name = FindUtsName(region->bytes)) return FoundUts{*name, Provenance::kRegionId};
  }
  return {};
}

// Calls `visit(line)` for every line that the kernel itself wrote, the newest first, until it returns true. A
// console that ran on over a reboot has an older boot in front.
template <typename Visit>
void FindLastLine(const KernelLog& log, Visit visit) {
  for (size_t i = log.records.size(); i-- > 0;) {
    if (log.records[i].facility != 0) continue;
    for (const absl::string_view line : absl::StrSplit(log.records[i].text, '\n')) {
      if (visit(line)) return;
    }
  }
}

// The last line of the kernel's own that starts with `prefix`, without it.
std::optional<absl::string_view> LineStarting(const KernelLog& log, absl::string_view prefix) {
  std::optional<absl::string_view> found;
  FindLastLine(log, [&](absl::string_view line) {
    if (!absl::ConsumePrefix(&line, prefix)) return false;
    found = line;
    return true;
  });
  return found;
}

// What `parse` makes of the last line that it understands.
template <typename Value>
std::optional<Value> FromLog(const KernelLog& log, std::optional<Value> (*parse)(absl::string_view)) {
  std::optional<Value> value;
  FindLastLine(log, [&](absl::string_view line) {
    value = parse(line);
    return value.has_value();
  });
  return value;
}

// The linux_banner object, by id or else by how it starts.
std::optional<Fact<std::string>> ReadBannerRegion(const ImageRegions& regions) {
  std::optional<RegionBytes> region = regions.WithId(RegionId::kBanner, kMaxBanner);
  if (!region || !ParseBanner(TextOf(region->bytes))) region = regions.StartingWith(kBannerStart, kMaxBanner);
  if (!region || !ParseBanner(TextOf(region->bytes))) return {};
  const absl::string_view text = TextOf(region->bytes);
  return Fact<std::string>{std::string(text.substr(0, text.find_first_of(absl::string_view("\n\0", 2)))),
                           region->from};
}

class BuildReader {
 public:
  BuildReader(const CoreImage& image, const ImageRegions& regions, const KernelLog& log, CrashFacts* facts)
      : image_(image),
        regions_(regions),
        log_(log),
        facts_(*facts),
        uts_(ReadUts(image, regions)),
        report_(FromLog(log, ParseReportLine)) {}

  void Read() {
    ReadNames();
    ReadArch();
    ReadBuildId();
    ReadNumbers();
    ReadCommandLine();
    ReadConfigDigest();
  }

 private:
  void ReadNames() {
    FactChoice banner("banner", &facts_.defects);
    const auto region = ReadBannerRegion(regions_);
    if (region) banner.Offer(region->value, region->from);
    if (const auto line = LineStarting(log_, kBannerStart)) {
      banner.Offer(absl::StrCat(kBannerStart, *line), Provenance::kLogText);
    }
    facts_.banner = banner.Best();

    FactChoice release("release", &facts_.defects);
    FactChoice version("version", &facts_.defects);
    if (uts_) {
      release.Offer(uts_->name.release, uts_->from);
      version.Offer(uts_->name.version, uts_->from);
    }
    release.Offer(image_.vmcoreinfo.Text("OSRELEASE").value_or(""), Provenance::kVmcoreinfo);
    if (facts_.banner) {
      const std::optional<Banner> parsed = ParseBanner(facts_.banner->value);
      release.Offer(parsed ? parsed->release : "", facts_.banner->from);
      version.Offer(parsed ? parsed->version : "", facts_.banner->from);
    }
    release.Offer(image_.dump_release, Provenance::kDumpHeader);
    version.Offer(image_.dump_version, Provenance::kDumpHeader);
    if (!image_.kinfos.empty()) release.Offer(image_.kinfos[0].release, Provenance::kKinfo);
    if (report_) release.Offer(report_->release, Provenance::kLogText);
    facts_.release = release.Best();
    facts_.version = version.Best();
    if (!facts_.release) return;
    const std::string commit = ParseRelease(facts_.release->value).git_commit;
    if (!commit.empty()) facts_.git_commit = Fact<std::string>{commit, facts_.release->from};
  }

  void ReadArch() {
    FactChoice arch("arch", &facts_.defects);
    if (uts_) arch.Offer(uts_->name.machine, uts_->from);
    arch.Offer(MachineName(image_.e_machine),
               image_.has_header ? Provenance::kElfHeader : Provenance::kDerived);
    arch.Offer(image_.dump_machine, Provenance::kDumpHeader);
    arch.Offer(FromLog(log_, MachineOfLine).value_or(""), Provenance::kLogText);
    facts_.arch = arch.Best();
  }

  void ReadBuildId() {
    FactChoice build_id("build_id", &facts_.defects);
    build_id.Offer(BuildIdOfVmcoreinfo(), Provenance::kVmcoreinfo);
    if (report_) build_id.Offer(report_->build_id, Provenance::kLogText);
    facts_.build_id = build_id.Best();
  }

  // "" when there is none that can be believed.
  std::string BuildIdOfVmcoreinfo() {
    const auto text = image_.vmcoreinfo.Text("BUILD-ID");
    if (!text) return "";
    std::string id = absl::AsciiStrToLower(*text);
    const bool hex =
        !id.empty() && std::all_of(id.begin(), id.end(), [](char c) { return absl::ascii_isxdigit(c); });
    if (!hex || id.find_first_not_of('0') == std::string::npos) {
      Implausible("BUILD-ID", *text);
      return "";
    }
    const std::string release = facts_.release ? facts_.release->value : "";
    if (HasGarbageBuildId(release, facts_.version ? facts_.version->value : "")) {
      Implausible("BUILD-ID", absl::StrCat(id, " (kernels like ", release, " export garbage)"));
      return "";
    }
    return id;
  }

  void ReadNumbers() {
    if (const auto text = image_.vmcoreinfo.Text("PAGESIZE")) {
      uint64_t size = 0;
      const bool sane =
          absl::SimpleAtoi(*text, &size) && size >= 4096 && size <= 65536 && (size & (size - 1)) == 0;
      if (sane) facts_.page_size = Fact<uint64_t>{size, Provenance::kVmcoreinfo};
      if (!sane) Implausible("PAGESIZE", *text);
    }
    if (const auto offset = image_.vmcoreinfo.Hex("KERNELOFFSET")) {
      facts_.kaslr_offset = Fact<uint64_t>{*offset, Provenance::kVmcoreinfo};
    } else if (const auto said = FromLog(log_, ParseKernelOffset)) {
      facts_.kaslr_offset = Fact<uint64_t>{*said, Provenance::kLogText};
    }
  }

  // The header's is cut; the log's is whole, if its record is still there.
  void ReadCommandLine() {
    const auto line = LineStarting(log_, kCommandLineStart);
    const std::string& header = image_.command_line;
    const bool cut = header.size() >= kCommandLineCut && line && absl::StartsWith(*line, header);
    FactChoice command_line("command_line", &facts_.defects);
    if (!cut) command_line.Offer(absl::StripTrailingAsciiWhitespace(header), Provenance::kElfHeader);
    if (line) command_line.Offer(absl::StripTrailingAsciiWhitespace(*line), Provenance::kLogText);
    facts_.command_line = command_line.Best();
  }

  void ReadConfigDigest() {
    const auto region = FindConfig(regions_);
    if (!region) return;
    const absl::StatusOr<KernelConfig> config = ConfigFromRegion(region->bytes);
    // The digest of a part would look like another configuration's.
    if (!config.ok() || !config->whole) {
      return Implausible("config", config.ok() ? "cut short" : config.status().message());
    }
    facts_.config_sha256 = Fact<std::string>{ConfigSha256(config->text), region->from};
  }

  void Implausible(absl::string_view name, absl::string_view what) {
    facts_.defects.push_back(
        {DefectCode::kFactImplausible, "", absl::StrCat(name, ": ", EscapeForTerminal(what.substr(0, 128)))});
  }

 public:
  static std::optional<RegionBytes> FindConfig(const ImageRegions& regions) {
    constexpr uint64_t kLimit = kMaxPackedConfig + 64;
    std::optional<RegionBytes> region = regions.WithId(RegionId::kConfig, kLimit);
    if (region && absl::StrContains(TextOf(region->bytes), kConfigStart)) return region;
    return regions.StartingWith(kConfigStart, kLimit);
  }

 private:
  const CoreImage& image_;
  const ImageRegions& regions_;
  const KernelLog& log_;
  CrashFacts& facts_;
  std::optional<FoundUts> uts_;
  std::optional<ReportLine> report_;
};

}  // namespace

void ReadBuildFacts(const CoreImage& image, const ImageRegions& regions, const KernelLog& log,
                    CrashFacts* facts) {
  BuildReader(image, regions, log, facts).Read();
}

absl::StatusOr<std::string> ReadConfig(const CoreImage& image) {
  const std::optional<RegionBytes> region = BuildReader::FindConfig(ImageRegions(image));
  if (!region) return absl::NotFoundError("the crash has no configuration region");
  absl::StatusOr<KernelConfig> config = ConfigFromRegion(region->bytes);
  if (!config.ok()) return config.status();
  return std::move(config->text);
}

}  // namespace corefleet
