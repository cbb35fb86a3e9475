#include "core/simulate/simulate.h"

#include <bit>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "cli/json.h"
#include "cli/simulated_truth.h"
#include "cli/verb.h"
#include "core/bytes/escape.h"

namespace corefleet {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMaxCount = 100'000;
constexpr char kTruthFile[] = "truth.json";

// Every word that an option takes, with what it means.
std::string Words() {
  std::string text = "Sources (--source):\n";
  for (const SourceEntry& source : AllSources())
    absl::StrAppendFormat(&text, "  %-22s %s\n", source.name, source.about);
  absl::StrAppend(&text, "\nDeaths (--crash):\n");
  for (const CrashKindEntry& kind : AllCrashKinds())
    absl::StrAppendFormat(&text, "  %-22s %s\n", kind.name, kind.about);
  absl::StrAppend(&text, "\nDamage (--damage, several with commas between):\n");
  for (const DamageEntry& damage : AllDamages()) {
    std::string name(damage.name);
    if (!damage.argument.empty()) {
      const bool optional = damage.argument.front() == '[';
      name = optional ? absl::StrCat(name, "[=", damage.argument.substr(1))
                      : absl::StrCat(name, "=", damage.argument);
    }
    absl::StrAppendFormat(&text, "  %-22s %s\n", name, damage.about);
  }
  return text;
}

// "128k" -> 17. INVALID_ARGUMENT unless it is a power of two.
absl::StatusOr<uint32_t> ShiftOf(const Arguments& arguments, absl::string_view option, uint32_t fallback) {
  if (!arguments.Has(option)) return fallback;
  ASSIGN_OR_RETURN(const uint64_t size, ParseSize(arguments.Get(option)));
  if (!std::has_single_bit(size)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--", option, ": a log buffer has 4k, 8k, ... 16M bytes, not ", arguments.Get(option)));
  }
  return static_cast<uint32_t>(std::countr_zero(size));
}

absl::Status NoSuch(absl::string_view option, const std::string& word) {
  return absl::InvalidArgumentError(
      absl::StrCat("--", option, ": there is no \"", word, "\"; 'corefleet simulate --list' has all"));
}

absl::Status ReadKernel(const Arguments& arguments, KernelOptions* kernel) {
  kernel->release = arguments.Get("kernel", kernel->release);
  const std::string machine = arguments.Get("arch", ArchitectureName(kernel->architecture));
  const std::optional<Architecture> architecture = ParseArchitecture(machine);
  if (!architecture) return NoSuch("arch", machine);
  kernel->architecture = *architecture;
  ASSIGN_OR_RETURN(const int64_t cpus, arguments.GetNumber("cpus", kernel->cpus, 1, 128));
  kernel->cpus = static_cast<uint32_t>(cpus);
  ASSIGN_OR_RETURN(kernel->page_size, ParseSize(arguments.Get("page-size", "4k")));
  ASSIGN_OR_RETURN(const int64_t seed, arguments.GetNumber("seed", 1, 0, INT64_MAX - kMaxCount));
  kernel->seed = static_cast<uint64_t>(seed);
  if (arguments.Has("no-kaslr")) kernel->kaslr_seed = 0;
  return absl::OkStatus();
}

absl::StatusOr<SimulationOptions> ReadOptions(const Arguments& arguments) {
  SimulationOptions options;
  RETURN_IF_ERROR(ReadKernel(arguments, &options.kernel));
  const std::string source = arguments.Get("source", "meminspect-v1");
  const std::string crash = arguments.Get("crash", "oops");
  const std::optional<SimulatedSource> known_source = ParseSource(source);
  if (!known_source) return NoSuch("source", source);
  const std::optional<CrashKind> known_crash = ParseCrashKind(crash);
  if (!known_crash) return NoSuch("crash", crash);
  options.source = *known_source;
  options.crash = *known_crash;
  ASSIGN_OR_RETURN(options.damages, ParseDamages(arguments.Get("damage")));
  ASSIGN_OR_RETURN(options.log_shift, ShiftOf(arguments, "log-size", options.log_shift));
  ASSIGN_OR_RETURN(options.big_log_shift, ShiftOf(arguments, "log-buf-len", 0));
  return options;
}

absl::Status WriteFile(const fs::path& path, absl::string_view bytes) {
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  out.close();
  if (!out) return absl::PermissionDeniedError(absl::StrCat("cannot write ", path.string()));
  return absl::OkStatus();
}

// What is there may be all that somebody has of a real crash.
absl::Status CheckEmpty(const fs::path& folder) {
  std::error_code error;
  if (!fs::exists(folder, error) || (fs::is_directory(folder, error) && fs::is_empty(folder, error)))
    return absl::OkStatus();
  return absl::AlreadyExistsError(
      absl::StrCat(folder.string(), " is there and not empty; nothing was written into it"));
}

std::string FolderName(const SimulationOptions& options) {
  return absl::StrCat(EntryOf(options.source).name, "-", options.kernel.release, "-",
                      ArchitectureName(options.kernel.architecture), "-", CrashKindName(options.crash), "-",
                      options.kernel.seed);
}

void Report(const fs::path& folder, const SimulationOptions& options, const SimulatedCrash& crash,
            const Surroundings& where) {
  uint64_t bytes = 0;
  for (const SimulatedFile& file : crash.files) bytes += file.bytes.size();
  if (!where.json) {
    *where.out << absl::StrFormat("%s: %d files, %d bytes\n", EscapeForTerminal(folder.string()),
                                  crash.files.size(), bytes);
    return;
  }
  *where.out << absl::StrFormat(
      "{\"path\":%s,\"source\":%s,\"crash\":%s,\"seed\":\"%d\",\"release\":%s,\"arch\":%s,\"files\":%d,"
      "\"bytes\":\"%d\"}\n",
      JsonString(folder.string()), JsonString(std::string(EntryOf(options.source).name)),
      JsonString(std::string(CrashKindName(options.crash))), options.kernel.seed,
      JsonString(crash.truth.release), JsonString(crash.truth.arch), crash.files.size(), bytes);
}

absl::Status WriteCrash(const fs::path& folder, const SimulationOptions& options, bool with_truth,
                        const Surroundings& where) {
  RETURN_IF_ERROR(CheckEmpty(folder));
  ASSIGN_OR_RETURN(const SimulatedCrash crash, Simulate(options));
  for (const SimulatedFile& file : crash.files) {
    RETURN_IF_ERROR(
        WriteFile(folder / file.name,
                  absl::string_view(reinterpret_cast<const char*>(file.bytes.data()), file.bytes.size())));
  }
  // Beside the folder, so that the folder is what a device leaves and nothing else.
  if (with_truth)
    RETURN_IF_ERROR(
        WriteFile(absl::StrCat(folder.string(), ".", kTruthFile), TruthJson(options, crash.truth)));
  Report(folder, options, crash, where);
  return absl::OkStatus();
}

absl::Status WriteAll(const Arguments& arguments, const Surroundings& where) {
  ASSIGN_OR_RETURN(SimulationOptions options, ReadOptions(arguments));
  ASSIGN_OR_RETURN(const int64_t count, arguments.GetNumber("count", 1, 1, kMaxCount));
  if (!arguments.Has("output")) return absl::InvalidArgumentError("where to? -o DIR says it");
  for (int64_t i = 0; i < count; ++i) {
    RETURN_IF_ERROR(WriteCrash(fs::path(arguments.Get("output")) / FolderName(options), options,
                               arguments.Has("truth"), where));
    ++options.kernel.seed;
  }
  return absl::OkStatus();
}

int Run(const Arguments& arguments, const Surroundings& where) {
  if (arguments.Has("list")) {
    *where.out << Words();
    return kDone;
  }
  const absl::Status status = WriteAll(arguments, where);
  return status.ok() ? kDone : Fail(where, status);
}

}  // namespace

Verb SimulateVerb() {
  return {
      .name = "simulate",
      .summary = "without any hardware: write what a crashed device would leave, whole or damaged",
      .details = absl::StrCat(
          "Writes DIR/NAME/... for one crash, or for several with the seeds that follow. The same options "
          "give the same bytes; a folder that is not empty is left alone.\n\n"
          "  corefleet simulate -o ./crashes --kernel 6.6.0 --crash panic\n"
          "  corefleet simulate -o ./crashes --source rawdump --damage missing,bit-flips=3 --seed 7\n"
          "  corefleet simulate -o ./crashes --count 100 && corefleet upload ./crashes/*\n\n",
          Words()),
      .options = {{"output", 'o', "DIR", "where to write"},
                  {"kernel", 0, "RELEASE", "X.Y.Z, and whatever is to stand behind it (default 6.12.0)"},
                  {"arch", 0, "ARCH", "arm64 or x86_64 (default arm64)"},
                  {"source", 0, "SOURCE", "as what it was saved (default meminspect-v1)"},
                  {"crash", 0, "KIND", "how the kernel dies (default oops)"},
                  {"damage", 0, "D,...", "what is wrong with what was saved"},
                  {"seed", 0, "N", "every other choice follows from it (default 1)"},
                  {"count", 'n', "N", "so many, each with the next seed"},
                  {"cpus", 0, "N", "1 to 128 (default 4)"},
                  {"page-size", 0, "SIZE", "4k, 16k or 64k (arm64)"},
                  {"no-kaslr", 0, "", "the kernel lies where it was linked"},
                  {"log-size", 0, "SIZE", "bytes of the kernel's log buffer (default 128k)"},
                  {"log-buf-len", 0, "SIZE", "the kernel moved to a log buffer of this size at boot"},
                  {"truth", 0, "", "also DIR/NAME.truth.json: what must be found"},
                  {"list", 0, "", "print every source, death and damage"}},
      .run = Run};
}

}  // namespace corefleet
