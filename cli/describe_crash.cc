#include "cli/describe_crash.h"

#include <cmath>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "cli/crash_table.h"
#include "cli/text_table.h"
#include "core/bytes/escape.h"
#include "core/taint/taint.h"

namespace corefleet {
namespace {

using Rows = std::vector<std::vector<std::string>>;

void AddIf(const std::string& value, absl::string_view what, Rows* rows) {
  if (!value.empty()) rows->push_back({std::string(what), value});
}

std::string Block(absl::string_view title, const Rows& rows) {
  return rows.empty() ? "" : absl::StrCat("\n", title, "\n", FormatTable(rows, "  "));
}

std::string Hex(uint64_t value) { return absl::StrFormat("0x%x", value); }

std::string Uptime(double seconds) {
  const int64_t whole = static_cast<int64_t>(seconds);
  if (whole < 60) return absl::StrFormat("%.3f s", seconds);
  const std::string days = whole >= 86400 ? absl::StrCat(whole / 86400, " d ") : "";
  return absl::StrFormat("%s%02d:%02d:%02d (%.3f s)", days, whole / 3600 % 24, whole / 60 % 60, whole % 60,
                         seconds);
}

std::string StateText(v1::Crash::State state) {
  switch (state) {
    case v1::Crash::RECEIVED:
      return "RECEIVED: stored; its facts are not read yet, try again in a moment";
    case v1::Crash::COMPLETE:
      return "COMPLETE: every region that the kernel listed is there";
    case v1::Crash::PARTIAL:
      return "PARTIAL: something is missing or damaged, see the defects below";
    case v1::Crash::LOG_ONLY:
      return "LOG_ONLY: no memory could be placed, but there is a kernel log";
    case v1::Crash::UNREADABLE:
      return "UNREADABLE: the bytes are kept as received; 'fetch --as raw' gives them back";
    default:
      return "unknown";
  }
}

// On what terms it came; nothing for what came whole and as itself alone, as most do.
void AddTerms(const v1::Crash& crash, Rows* rows) {
  const v1::Terms& terms = crash.terms();
  AddIf(terms.rule(), "rule", rows);
  if (terms.weight() > 1)
    rows->push_back({"weight", absl::StrCat(terms.weight(), ": it stands for so many like it")});
  if (terms.want() == v1::Terms::LOG_ONLY)
    rows->push_back({"wanted", "LOG_ONLY: what the log and the build are read from"});
  if (StoredInPart(crash))
    rows->push_back(
        {"here", absl::StrCat(FormatBytes(crash.here_bytes()), " of ", FormatBytes(crash.raw_bytes()),
                              "; a late upload can add the rest")});
  if (crash.revision() > 0)
    rows->push_back({"added to", absl::StrCat(crash.revision(), crash.revision() == 1 ? " time" : " times",
                                              " after it was first stored")});
}

void AddDeviceWord(const v1::DeviceWord& word, Rows* rows) {
  AddIf(word.os_version(), "os version", rows);
  AddIf(word.source(), "found by", rows);
  if (word.has_captured_at())
    rows->push_back(
        {"captured", absl::StrCat(FormatTime(word.captured_at()), " UTC, by the device's clock")});
}

std::string Heading(const v1::Crash& crash) {
  Rows rows;
  AddIf(crash.id(), "id", &rows);
  rows.push_back({"state", StateText(crash.state())});
  AddIf(crash.device(), "device", &rows);
  if (crash.has_received_at())
    rows.push_back({"received", absl::StrCat(FormatTime(crash.received_at()), " UTC")});
  AddDeviceWord(crash.device_word(), &rows);
  AddIf(crash.note(), "note", &rows);
  AddTerms(crash, &rows);
  return FormatTable(rows);
}

std::string KernelBlock(const v1::Crash& crash) {
  const v1::Kernel& kernel = crash.kernel();
  Rows rows;
  AddIf(crash.panic(), "panic", &rows);
  AddIf(kernel.release().empty() ? "" : absl::StrCat(kernel.release(), " ", kernel.arch()), "release", &rows);
  AddIf(kernel.version(), "version", &rows);
  AddIf(kernel.build_id(), "build id", &rows);
  AddIf(kernel.git_commit(), "git commit", &rows);
  AddIf(kernel.config_sha256(), "config sha256", &rows);
  AddIf(crash.command_line(), "command line", &rows);
  if (kernel.has_kaslr_offset()) rows.push_back({"KASLR offset", Hex(kernel.kaslr_offset())});
  if (kernel.has_page_size()) rows.push_back({"page size", FormatBytes(kernel.page_size())});
  if (crash.has_uptime_seconds()) rows.push_back({"uptime", Uptime(crash.uptime_seconds())});
  const v1::Cpus& cpus = crash.cpus();
  if (cpus.possible_size() + cpus.present_size() + cpus.online_size() + cpus.active_size() > 0) {
    rows.push_back({"CPUs", absl::StrCat("online ", FormatCpus(cpus.online()), "; active ",
                                         FormatCpus(cpus.active()), "; present ", FormatCpus(cpus.present()),
                                         "; possible ", FormatCpus(cpus.possible()))});
  }
  AddIf(crash.series(), "series", &rows);
  AddIf(crash.source(), "came as", &rows);
  return Block("What died", rows);
}

std::string TaintBlock(const v1::Taint& taint) {
  if (!taint.known()) return "\nTaint: unknown, neither the image nor the log tells\n";
  std::string title =
      taint.mask() == 0 ? "Taint: none" : absl::StrCat("Taint: ", taint.letters(), " (", taint.mask(), ")");
  if (taint.has_before_mask() && taint.before_mask() != taint.mask()) {
    const std::string before = TaintTable().Letters(taint.before_mask());
    absl::StrAppend(&title, "; before the report that ended it: ", before.empty() ? "none" : before);
  }
  std::string out = absl::StrCat("\n", EscapeForTerminal(title), "\n");
  Rows rows;
  for (const v1::TaintFlag& flag : taint.flags()) rows.push_back({flag.letter(), flag.meaning()});
  return absl::StrCat(out, FormatTable(rows, "  "));
}

std::string LogBlock(const v1::LogSummary& log) {
  if (log.method().empty()) return "\nLog: none could be read\n";
  // Microseconds are cut off, not rounded, as in the log itself.
  const double last = std::floor(log.last_seconds() * 1e6) / 1e6;
  std::string out = absl::StrFormat("\nLog: %d records, the last at %.6f s", log.records(), last);
  if (log.lost() > 0) absl::StrAppend(&out, "; ", log.lost(), " lost in between");
  if (log.text_lost() > 0) absl::StrAppend(&out, "; ", log.text_lost(), " without their text");
  return absl::StrCat(out, "\n");
}

std::string RegionsBlock(const v1::Crash& crash, bool all) {
  if (crash.regions().empty()) return "";
  constexpr int kFew = 12;
  all = all || crash.regions_size() <= kFew;
  Rows rows = {{"NAME", "ID", "PADDR", "SIZE", "STATE"}};
  for (const v1::Region& region : crash.regions()) {
    if (!all && region.state() == v1::Region::PRESENT) continue;
    rows.push_back({region.name().empty() ? region.file_name() : region.name(),
                    region.has_id() ? absl::StrCat(region.id()) : "-",
                    region.has_paddr() ? Hex(region.paddr()) : "-", absl::StrCat(region.size()),
                    v1::Region::State_Name(region.state())});
  }
  const std::string received =
      StoredInPart(crash) ? absl::StrCat(FormatBytes(crash.here_bytes()), " of ") : "";
  std::string title = absl::StrCat("Regions: ", crash.regions_size(), ", ", received,
                                   FormatBytes(crash.raw_bytes()), " received");
  if (crash.stored_bytes() > 0) absl::StrAppend(&title, ", ", FormatBytes(crash.stored_bytes()), " stored");
  if (!all)
    absl::StrAppend(&title,
                    rows.size() > 1 ? "; not as they should be:" : "; all as listed (--verbose shows them)");
  return rows.size() > 1 ? Block(title, rows) : absl::StrCat("\n", title, "\n");
}

std::string DefectsBlock(const v1::Crash& crash) {
  if (crash.defects().empty()) return crash.state() == v1::Crash::RECEIVED ? "" : "\nDefects: none\n";
  std::string out = absl::StrCat("\nDefects: ", crash.defects_size(), "\n");
  for (const v1::Defect& defect : crash.defects()) {
    absl::StrAppend(&out, "  ", EscapeForTerminal(defect.code()), defect.region().empty() ? "" : " ",
                    EscapeForTerminal(defect.region()), defect.detail().empty() ? "" : ": ",
                    EscapeForTerminal(defect.detail()), "\n");
    const absl::string_view cost = ConsequenceOf(defect.code());
    if (!cost.empty()) absl::StrAppend(&out, "      ", cost, "\n");
  }
  return out;
}

std::string SourcesBlock(const v1::Crash& crash) {
  const std::map<std::string, std::string> sorted(crash.sources().begin(), crash.sources().end());
  Rows rows;
  for (const auto& [fact, source] : sorted) rows.push_back({fact, source});
  return Block("Where each fact was read", rows);
}

std::string StillWorks(const v1::Crash& crash) {
  if (crash.state() != v1::Crash::PARTIAL && crash.state() != v1::Crash::LOG_ONLY) return "";
  if (!crash.abilities().empty()) return "";
  std::vector<std::string> works;
  if (!crash.log().method().empty()) works.push_back("the kernel log");
  if (crash.state() == v1::Crash::PARTIAL)
    works.push_back("the core: what is there reads right, what is not faults");
  works.push_back("every region that came (cat)");
  return absl::StrCat("\nWhat still works: ", absl::StrJoin(works, "; "), "\n");
}

}  // namespace

bool StoredInPart(const v1::Crash& crash) {
  return crash.has_terms() && crash.here_bytes() < crash.raw_bytes();
}

std::string DescribeAbilities(const v1::Crash& crash) {
  Rows rows;
  for (const v1::Ability& ability : crash.abilities())
    rows.push_back({ability.kind(), ability.answer(), EscapeForTerminal(ability.detail())});
  return Block("What still works", rows);
}

absl::string_view ConsequenceOf(absl::string_view code) {
  static constexpr std::pair<absl::string_view, absl::string_view> kCosts[] = {
      {"HEADER_MISSING",
       "addresses are only as good as the address table; without one, regions cannot be placed"},
      {"HEADER_DAMAGED", "what the header no longer lists cannot be placed"},
      {"NOTES_DAMAGED", "no loss: the notes are rebuilt in the core"},
      {"VMCOREINFO_MISSING", "tools find neither symbols nor the page size; drgn refuses the core"},
      {"VMCOREINFO_DAMAGED", "some symbols or offsets are not known to the tools"},
      {"REGION_MISSING", "its memory is a hole: reading it faults in every tool"},
      {"REGION_TRUNCATED", "the end of it is a hole"},
      {"REGION_OVERLONG", "no loss: the surplus is kept as received and is not in the core"},
      {"REGION_EMPTY_HEADER", "the kernel itself did not list this memory's size; it is not in the core"},
      {"REGION_UNPLACED", "its bytes are kept and can be read with cat; they are not in the core"},
      {"REGION_DUPLICATE", "no loss: one of the two stands in the core"},
      {"REGION_MISLABELLED", "no loss: address and content were believed, not the name"},
      {"REGION_AMBIGUOUS", "check what you read from it: it may stand in another's place"},
      {"REGION_OVERLAP", "no loss: both are kept; the core has each byte once"},
      {"ADDRESS_OVERFLOW", "that entry of the header is ignored"},
      {"ADDRESS_TABLE_DAMAGED", "the address table was not believed where the header says otherwise"},
      {"UNSUPPORTED", "kept as received; this server does not read it"},
      {"LOG_MISSING", "no kernel log"},
      {"LOG_DAMAGED", "records were found by their content; some may be missing"},
      {"LOG_GAP", "older or overwritten records are gone"},
      {"LOG_TEXT_LOST", "those records have a time and a level, and no text"},
      {"LOG_FROM_STATIC", "the log ends where the kernel moved to a larger buffer"},
      {"FACT_CONFLICT", "the better source was believed"},
      {"FACT_IMPLAUSIBLE", "that fact is left out"},
      {"STORED_BYTES_DAMAGED", "the server's own copy is damaged: its bytes are not what was received"},
      {"ANALYSIS_FAILED", "no facts yet: every byte is kept as received, and can be analysed again"},
      {"CONTAINER_DAMAGED", "what its headers no longer list is kept in the file as received"},
      {"INSUFFICIENT_STORAGE", "the firmware had no room: some memory was never saved"},
      {"COLLECTED_BEFORE", "no loss: the same crash again is the same crash"},
      {"REGIONS_SHIFTED", "no loss: the regions were found again by their content"},
      {"PLACED_BY_CONTENT", "check what you read from it: the place is inferred, not received"},
      {"UNRECOGNISED", "no loss: its bytes can be read with cat"},
      {"ENCRYPTED", "nothing of it can be read without the vendor's key"},
      {"DUMP_INCOMPLETE", "some pages are missing: reading them faults"},
      {"KINFO_DAMAGED", "its fields were not believed"},
      {"RECORD_PART_MISSING", "the log has a gap there"},
      {"RECORD_UNREADABLE", "its text is not in the log; the bytes can be read with cat"},
      {"ECC_UNRECOVERABLE", "some bytes of that text are wrong"},
      {"NOT_SENT", "those bytes are not here; a late upload can still add them"},
  };
  for (const auto& [name, cost] : kCosts) {
    if (name == code) return cost;
  }
  return "";
}

std::string FormatCpus(const google::protobuf::RepeatedField<uint32_t>& cpus) {
  std::vector<std::string> runs;
  for (int i = 0; i < cpus.size();) {
    int end = i + 1;
    while (end < cpus.size() && cpus[end] == cpus[end - 1] + 1) ++end;
    runs.push_back(end - i == 1 ? absl::StrCat(cpus[i]) : absl::StrCat(cpus[i], "-", cpus[end - 1]));
    i = end;
  }
  return runs.empty() ? "none" : absl::StrJoin(runs, ",");
}

std::string FileNameFor(const v1::Crash& crash, absl::string_view artifact) {
  static constexpr std::pair<absl::string_view, absl::string_view> kSuffixes[] = {
      {"core", ".core"}, {"zero", ".zero.core"},        {"concat", ".concat.core"}, {"raw", ".tar"},
      {"log", ".log"},   {"vmcoreinfo", ".vmcoreinfo"}, {"config", ".config"},      {"kdump", ".kdump"}};
  // The release is what a device says: never a path, never hidden, never long.
  std::string name = crash.kernel().release().substr(0, 80);
  for (char& c : name) {
    if (!absl::ascii_isalnum(c) && c != '.' && c != '-' && c != '_' && c != '+' && c != '~') c = '_';
  }
  if (name.empty() || name[0] == '.' || name[0] == '-') name.insert(0, "kernel");
  std::string id = ShortId(crash.id());
  for (char& c : id) c = absl::ascii_isxdigit(c) ? c : '_';
  for (const auto& [kind, suffix] : kSuffixes) {
    if (kind == artifact) return absl::StrCat(name, "-", id, suffix);
  }
  return absl::StrCat(name, "-", id, ".bin");
}

std::string DescribeCrash(const v1::Crash& crash, const CrashDetail& options) {
  std::string out = Heading(crash);
  if (crash.state() == v1::Crash::RECEIVED) return out;
  absl::StrAppend(&out, KernelBlock(crash), TaintBlock(crash.taint()), LogBlock(crash.log()),
                  RegionsBlock(crash, options.all_regions), DefectsBlock(crash), StillWorks(crash));
  if (options.sources) absl::StrAppend(&out, SourcesBlock(crash));
  if (options.abilities) absl::StrAppend(&out, DescribeAbilities(crash));
  return out;
}

absl::string_view DefaultArtifact(const v1::Crash& crash) {
  return crash.source() == "kdump" ? "kdump" : "core";
}

std::string DescribeNextSteps(const v1::Crash& crash) {
  const std::string id = ShortId(crash.id());
  std::string out = absl::StrCat("\nWhat to type next\n  corefleet log ", id, "\n");
  if (crash.state() == v1::Crash::UNREADABLE || crash.state() == v1::Crash::LOG_ONLY ||
      crash.source() == "coprocessor") {
    return absl::StrCat(out, "  corefleet fetch ", id, " --as raw\n");
  }
  const bool compressed = DefaultArtifact(crash) == "kdump";
  const bool whole_machine = compressed || crash.source() == "vmcore";
  const std::string core = FileNameFor(crash, DefaultArtifact(crash));
  const std::string offset = Hex(crash.kernel().kaslr_offset());
  absl::StrAppend(&out, "  corefleet fetch ", id, "\n");
  if (!compressed) absl::StrAppend(&out, "  vmcore-dmesg ", core, "\n");
  // crash 8 finds the offset of 6.12 and later only when it is told.
  absl::StrAppend(&out, "  crash ", whole_machine ? "" : "--minimal ",
                  crash.kernel().arch() == "x86_64" ? absl::StrCat("--kaslr=", offset, " ") : "", "vmlinux ",
                  core, "\n");
  if (!compressed) absl::StrAppend(&out, "  gdb -c ", core, " -ex 'symbol-file -o ", offset, " vmlinux'\n");
  absl::StrAppend(&out, "  drgn -c ", core, " -s vmlinux\n");
  if (!crash.kernel().build_id().empty()) {
    absl::StrAppend(&out, "  (vmlinux: the one with build id ", EscapeForTerminal(crash.kernel().build_id()),
                    ")\n");
  }
  return out;
}

}  // namespace corefleet
