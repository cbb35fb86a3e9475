#ifndef COREFLEET_CORE_CRASH_FACTS_H_
#define COREFLEET_CORE_CRASH_FACTS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "core/crash/defect.h"

namespace corefleet {

// Where a fact was read. Best first: when two disagree the earlier one wins and the other becomes a
// FACT_CONFLICT.
enum class Provenance {
  kSymbol,      // a VMCOREINFO symbol's address, found in a region
  kVmcoreinfo,  // the VMCOREINFO text itself
  kRegionId,    // the region with that meminspect id or name
  kAnchor,      // found by its content
  kElfHeader,   // the ELF header region
  kDumpHeader,  // the header of a kdump file
  kKinfo,       // a Debug Kinfo area
  kLogText,     // read out of the kernel log
  kDerived,     // computed from other facts, with an assumption (uptime without a known HZ)
};

// "symbol", "vmcoreinfo", "region-id", "anchor", "elf-header", "dump-header", "kinfo",
// "log-text", "derived".
absl::string_view ProvenanceName(Provenance provenance);

template <typename T>
struct Fact {
  T value;
  Provenance from;
};

template <typename T>
using MaybeFact = std::optional<Fact<T>>;

// What is left of a crash. The numbers are stored: never reuse one.
enum class CrashState : uint8_t {
  kReceived = 0,    // durable; not yet analysed
  kComplete = 1,    // every region that the header lists is there, whole
  kPartial = 2,     // something is missing or damaged; see the defects
  kLogOnly = 3,     // no memory could be placed, but there is a kernel log
  kUnreadable = 4,  // neither; the bytes are kept as received
};

// "RECEIVED", "COMPLETE", "PARTIAL", "LOG_ONLY", "UNREADABLE".
absl::string_view CrashStateName(CrashState state);

// How a program header's region came out.
enum class RegionState : uint8_t {
  kPresent = 0,
  kTruncated = 1,  // fewer bytes than the header says
  kMissing = 2,    // the header lists it, nothing was received
  kUnplaced = 3,   // received, and no address is known
  kOverlong = 4,   // more bytes than the header says
  kDuplicate = 5,  // another region stands in this place
  kContainer = 6,  // read, and itself no memory: what other regions came out of, a table, a text
  kOpaque = 7,     // of no known kind; kept as received
};

absl::string_view RegionStateName(RegionState state);

// One line of the region table: what was received, and what the header lists and was not.
struct RegionFacts {
  std::string name;       // escaped, printable UTF-8; "" when unknown
  std::string file_name;  // escaped, printable UTF-8; "" when nothing was received
  std::optional<uint32_t> id;
  std::optional<uint64_t> paddr;
  std::optional<uint64_t> vaddr;
  uint64_t size = 0;      // bytes the core has for it; for kMissing what the header promised
  uint64_t received = 0;  // bytes received
  RegionState state = RegionState::kPresent;
  std::string sha256;  // lower-case hex, of the bytes received; "" when nothing was
  // Index into RegionSet::regions of what was received.
  std::optional<uint32_t> index;
};

struct TaintFacts {
  MaybeFact<uint64_t> mask;  // tainted_mask at the end
  MaybeFact<uint64_t>
      before_mask;  // what the report that killed the machine printed: before it added its own bit
  // Letter of each bit where the image's own taint_flags has one; else the mainline table is used.
  std::string letters;  // of `mask`, in bit order, without blanks and without the G of a clean bit 0
};

struct CpuFacts {
  // CPU numbers, ascending.
  MaybeFact<std::vector<uint32_t>> possible;
  MaybeFact<std::vector<uint32_t>> present;
  MaybeFact<std::vector<uint32_t>> online;
  MaybeFact<std::vector<uint32_t>> active;
};

// What an engineer can still do with this crash.
struct Ability {
  // What: a closed list, AbilityName's.
  enum class Kind : uint8_t {
    kLog = 0,      // read the kernel log
    kBuild = 1,    // say which kernel it was
    kTaint = 2,    // say how it was tainted
    kSymbols = 3,  // variables of the kernel image, with a vmlinux
    kCpus = 4,     // CPU sets
    kPerCpu = 5,   // run queues: of `total` CPUs `count` are there
    kTasks = 6,    // task list
    kStacks = 7,   // stacks and registers
    kConfig = 8,   // the kernel's configuration
    kCrash = 9,    // `crash --minimal` opens the core
    kDrgn = 10,    // drgn opens it
    kGdb = 11,     // gdb opens it
  };
  enum class Answer : uint8_t { kNo = 0, kPartly = 1, kYes = 2 };

  Kind kind = Kind::kLog;
  Answer answer = Answer::kNo;
  std::string detail;  // one line, escaped, printable UTF-8: why not, how much, since when
  friend bool operator==(const Ability&, const Ability&) = default;
};

inline constexpr Ability::Kind kLastAbility = Ability::Kind::kGdb;

// "log", "build", "taint", "symbols", "cpus", "per-cpu", "tasks", "stacks", "config", "crash", "drgn", "gdb".
absl::string_view AbilityName(Ability::Kind kind);
// "no", "partly", "yes".
absl::string_view AnswerName(Ability::Answer answer);

struct LogFacts {
  uint64_t records = 0;    // records whose metadata could be read
  uint64_t text_lost = 0;  // of these, without text
  uint64_t lost = 0;       // sequence numbers with no record at all between the first and the last
  uint64_t first_seq = 0;
  uint64_t last_seq = 0;
  uint64_t last_ts_nsec = 0;
  std::string method;  // "ring", "descriptors", "infos", "carved", "log_buf", "text"; "" when there is no log
};

// Everything that was read out of one crash. Strings are escaped, printable UTF-8, unless said otherwise.
struct CrashFacts {
  // Goes up whenever Analyze may give another answer for the same bytes, so that old crashes can be read
  // again.
  uint32_t analyzer_version = 0;
  CrashState state = CrashState::kReceived;

  MaybeFact<std::string> release;        // "6.1.0-47-cloud-amd64"
  MaybeFact<std::string> version;        // "#1 SMP PREEMPT_DYNAMIC Debian 6.1.170-3 (2026-05-08)"
  MaybeFact<std::string> banner;         // the whole linux_banner, without its newline
  MaybeFact<std::string> build_id;       // lower-case hex
  MaybeFact<std::string> arch;           // uname's word: "x86_64", "aarch64"
  MaybeFact<std::string> git_commit;     // hex prefix out of the release
  MaybeFact<std::string> config_sha256;  // of the normalised config, lower-case hex
  MaybeFact<uint64_t> page_size;         // bytes
  MaybeFact<uint64_t> kaslr_offset;      // bytes; what to give a debugger
  MaybeFact<std::string> command_line;   // from the header's NT_PRPSINFO (cut at 79 bytes) or the log
  MaybeFact<std::string> panic_reason;   // the last "Kernel panic - not syncing:" of the kernel itself
  MaybeFact<double> uptime_seconds;
  TaintFacts taint;
  CpuFacts cpus;
  LogFacts log;
  std::string series;  // "meminspect v1", "v2", "v3" as far as can be told; "" unknown
  std::string source;  // what it came as: SourceName's words; "" before it is read

  std::vector<RegionFacts> regions;
  std::vector<Defect> defects;
  std::vector<Ability> abilities;  // each kind at most once, in the order of the kinds
};

}  // namespace corefleet

#endif  // COREFLEET_CORE_CRASH_FACTS_H_
