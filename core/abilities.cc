#include "core/abilities.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/bytes/byte_reader.h"
#include "core/bytes/escape.h"
#include "core/elf/elf_header.h"
#include "core/elf/elf_notes.h"

namespace corefleet {
namespace {

using Kind = Ability::Kind;
using Answer = Ability::Answer;

// struct rq has had 2 to 8 KiB; larger things come once a node, smaller ones are marks.
constexpr uint64_t kLeastRunQueue = 1024;
constexpr uint64_t kMostRunQueue = 64 * 1024;
constexpr uint64_t kX86KernelMap = 0xffffffff80000000;
constexpr uint64_t kKernelHalf = uint64_t{0xffff} << 48;
constexpr uint64_t kGibibyte = uint64_t{1} << 30;

class AbilityReader {
 public:
  AbilityReader(const CoreImage& image, const KernelLog& log, const CrashFacts& facts)
      : image_(image), log_(log), facts_(facts) {}

  std::vector<Ability> Read() {
    ReadLogAbility();
    ReadBuild();
    ReadTaint();
    ReadSymbols();
    ReadCpus();
    ReadPerCpu();
    ReadTasksAndStacks();
    ReadConfig();
    ReadTools();
    return std::move(out_);
  }

 private:
  void Add(Kind kind, Answer answer, std::string detail) {
    out_.push_back({kind, answer, EscapeForTerminal(detail)});
  }

  bool Has(DefectCode code) const {
    return std::any_of(facts_.defects.begin(), facts_.defects.end(),
                       [code](const Defect& defect) { return defect.code == code; });
  }
  // A whole machine's memory, so that what meminspect never saves is there too.
  bool IsWholeMachine() const { return image_.memory != nullptr || image_.dump_file != nullptr; }

  void ReadLogAbility() {
    const LogFacts& f = log_.facts;
    if (f.method.empty() || f.records == 0)
      return Add(Kind::kLog, Answer::kNo, "no kernel log is in the crash");
    std::vector<std::string> lacks;
    if (f.lost > 0) lacks.push_back(absl::StrCat(f.lost, " lost in between"));
    if (f.text_lost > 0) lacks.push_back(absl::StrCat(f.text_lost, " without their text"));
    const bool damaged = Has(DefectCode::kLogDamaged) || Has(DefectCode::kRecordPartMissing) ||
                         Has(DefectCode::kEccUnrecoverable);
    if (damaged) lacks.push_back("it is damaged, see the defects");
    std::string detail = absl::StrCat(f.records, f.records == 1 ? " record" : " records");
    if (f.first_seq > 0) absl::StrAppend(&detail, "; ", f.first_seq, " older ones were overwritten");
    for (const std::string& lack : lacks) absl::StrAppend(&detail, "; ", lack);
    Add(Kind::kLog, lacks.empty() ? Answer::kYes : Answer::kPartly, detail);
  }

  void ReadBuild() {
    if (!facts_.release) return Add(Kind::kBuild, Answer::kNo, "nothing says which kernel it was");
    if (facts_.build_id) return Add(Kind::kBuild, Answer::kYes, "release and build id are known");
    Add(Kind::kBuild, Answer::kPartly,
        "the release is known; without a build id the vmlinux cannot be told for sure");
  }

  void ReadTaint() {
    if (facts_.taint.mask) {
      const std::string& letters = facts_.taint.letters;
      return Add(Kind::kTaint, Answer::kYes, letters.empty() ? "none" : letters);
    }
    if (facts_.taint.before_mask)
      return Add(Kind::kTaint, Answer::kPartly, "as the log printed it, before the crash added its own");
    Add(Kind::kTaint, Answer::kNo, "neither the image nor the log tells");
  }

  bool IsInKernelImage(const Segment& segment) const {
    if (!segment.has_vaddr) return false;
    if (image_.e_machine == kElfMachineX86_64) return segment.vaddr >= kX86KernelMap;
    const auto offset = image_.vmcoreinfo.Number("kimage_voffset");
    return offset && segment.has_paddr && segment.vaddr - segment.paddr == *offset;
  }

  void ReadSymbols() {
    if (!IsLinux(image_)) return Add(Kind::kSymbols, Answer::kNo, "it is no Linux kernel's memory");
    if (IsWholeMachine()) {
      const bool cut = Has(DefectCode::kDumpIncomplete);
      return Add(Kind::kSymbols, cut ? Answer::kPartly : Answer::kYes,
                 cut ? "the dump is not whole" : "all of the kernel, with its vmlinux");
    }
    size_t listed = 0, whole = 0;
    for (const Segment& segment : image_.segments) {
      if (!IsInKernelImage(segment) || segment.size == 0) continue;
      ++listed;
      whole += segment.available == segment.size;
    }
    if (whole == 0) return Add(Kind::kSymbols, Answer::kNo, "no variable of the kernel has a known address");
    Add(Kind::kSymbols, whole == listed ? Answer::kYes : Answer::kPartly,
        absl::StrCat(whole, " of ", listed, " variables and marks that were saved, with its vmlinux"));
  }

  void ReadCpus() {
    const CpuFacts& cpus = facts_.cpus;
    const int known = cpus.possible.has_value() + cpus.present.has_value() + cpus.online.has_value() +
                      cpus.active.has_value();
    if (known == 0) return Add(Kind::kCpus, Answer::kNo, "no CPU mask is in the crash");
    Add(Kind::kCpus, known == 4 ? Answer::kYes : Answer::kPartly,
        cpus.online ? absl::StrCat(cpus.online->value.size(), " online") : "which were online is not known");
  }

  size_t CpuCount() const {
    for (const auto* set : {&facts_.cpus.possible, &facts_.cpus.present, &facts_.cpus.online}) {
      if (*set) return (*set)->value.size();
    }
    return 0;
  }

  struct RunQueues {
    size_t listed = 0, whole = 0;
  };

  // Run queues have no name in a region set: they are the regions of one size of which there is one a CPU,
  // registered after everything that comes once a node.
  RunQueues FindRunQueues() const {
    std::map<uint64_t, RunQueues> by_size;
    std::vector<uint64_t> order;  // sizes, by where they were last seen
    for (const Segment& segment : image_.segments) {
      if (segment.size < kLeastRunQueue || segment.size > kMostRunQueue || IsInKernelImage(segment)) continue;
      RunQueues& group = by_size[segment.size];
      ++group.listed;
      group.whole += segment.available == segment.size;
      order.push_back(segment.size);
    }
    const size_t cpus = CpuCount();
    for (auto size = order.rbegin(); size != order.rend(); ++size) {
      const RunQueues& group = by_size[*size];
      if (cpus != 0 ? group.listed == cpus : group.listed > 1) return group;
    }
    return {};
  }

  void ReadPerCpu() {
    if (IsWholeMachine()) {
      const size_t cpus = std::max<size_t>(CpuCount(), image_.prstatus_count);
      const std::string detail = image_.prstatus_count == 0
                                     ? "no registers were saved"
                                     : absl::StrCat("registers of ", image_.prstatus_count, " of ", cpus);
      return Add(Kind::kPerCpu, image_.prstatus_count == cpus && cpus != 0 ? Answer::kYes : Answer::kPartly,
                 detail);
    }
    const RunQueues queues = FindRunQueues();
    if (queues.whole == 0) return Add(Kind::kPerCpu, Answer::kNo, "no run queue is in the crash");
    Add(Kind::kPerCpu, queues.whole == queues.listed ? Answer::kYes : Answer::kPartly,
        absl::StrCat(queues.whole, " of ", queues.listed, " run queues"));
  }

  void ReadTasksAndStacks() {
    if (!IsWholeMachine()) {
      Add(Kind::kTasks, Answer::kNo, "tasks are not among what was saved");
      return Add(Kind::kStacks, Answer::kNo, "stacks and registers are not among what was saved");
    }
    const bool cut = Has(DefectCode::kDumpIncomplete);
    Add(Kind::kTasks, cut ? Answer::kPartly : Answer::kYes, cut ? "the dump is not whole" : "");
    if (image_.prstatus_count == 0) return Add(Kind::kStacks, Answer::kPartly, "stacks, but no registers");
    Add(Kind::kStacks, cut ? Answer::kPartly : Answer::kYes, cut ? "the dump is not whole" : "");
  }

  void ReadConfig() {
    if (facts_.config_sha256) return Add(Kind::kConfig, Answer::kYes, "");
    Add(Kind::kConfig, Answer::kNo, "the kernel's configuration is not in the crash, or not whole");
  }

  bool HasLoad() const { return !image_.physical_extents().empty() || IsWholeMachine(); }

  void ReadTools() {
    const bool exports = HasLoad() && image_.e_machine != 0;
    if (!exports || !IsLinux(image_)) {
      const std::string why = !IsLinux(image_) ? "it is no Linux kernel's memory"
                              : HasLoad()      ? "nothing tells the machine"
                                               : "no memory has a known address";
      Add(Kind::kCrash, Answer::kNo, why);
      Add(Kind::kDrgn, Answer::kNo, why);
      return Add(Kind::kGdb, exports ? Answer::kPartly : Answer::kNo, exports ? "addresses only" : why);
    }
    ReadCrashTool();
    ReadDrgn();
    if (image_.dump_file != nullptr && !image_.dump_is_elf)
      return Add(Kind::kGdb, Answer::kNo, "gdb reads no compressed dump");
    const bool thread = PrstatusBytes(image_.e_machine) != 0;
    Add(Kind::kGdb, thread ? Answer::kYes : Answer::kPartly, thread ? "" : "no registers for this machine");
  }

  void ReadCrashTool() {
    if (!image_.vmcoreinfo.Text("OSRELEASE"))
      return Add(Kind::kCrash, Answer::kNo, "VMCOREINFO is missing, or does not say the release");
    if (IsWholeMachine()) return Add(Kind::kCrash, Answer::kYes, "");
    if (image_.e_machine == kElfMachineX86_64 && !HasPageOffsetBase()) {
      // crash reads it of every x86-64 core; zeros satisfy it.
      return Add(Kind::kCrash, Answer::kPartly,
                 "--minimal, of `fetch --as zero`: page_offset_base was not saved");
    }
    // `log` reads each array of the ring in one go and gives up on any hole.
    const bool log = log_.facts.method == "ring" && log_.facts.text_lost == 0;
    Add(Kind::kCrash, log ? Answer::kYes : Answer::kPartly,
        log ? "--minimal" : "--minimal; its `log` gives up on this ring, ours does not");
  }

  // The base of the linear map, which is what any region in it is away from its physical address; and a
  // region of eight bytes that has this value.
  bool HasPageOffsetBase() const {
    for (const Segment& segment : image_.segments) {
      if (segment.size != 8 || segment.available != 8) continue;
      uint8_t bytes[8];
      if (!image_.sources[*segment.region]->ReadAt(0, absl::MakeSpan(bytes)).ok()) continue;
      const uint64_t value = LoadInteger(bytes, 8, Endian::kLittle);
      if (value < kKernelHalf || value % kGibibyte != 0) continue;
      const bool is_base = std::any_of(image_.segments.begin(), image_.segments.end(), [&](const Segment& s) {
        return s.has_paddr && s.has_vaddr && !IsInKernelImage(s) && s.vaddr - s.paddr == value;
      });
      if (is_base) return true;
    }
    return false;
  }

  void ReadDrgn() {
    std::vector<std::string> lacks;
    if (!image_.vmcoreinfo.Text("OSRELEASE")) lacks.push_back("OSRELEASE");
    if (!image_.vmcoreinfo.Text("PAGESIZE")) lacks.push_back("PAGESIZE");
    if (!image_.vmcoreinfo.Symbol("swapper_pg_dir")) lacks.push_back("SYMBOL(swapper_pg_dir)");
    if (lacks.empty()) return Add(Kind::kDrgn, Answer::kYes, "");
    Add(Kind::kDrgn, Answer::kNo, absl::StrCat("VMCOREINFO lacks ", absl::StrJoin(lacks, ", ")));
  }

  const CoreImage& image_;
  const KernelLog& log_;
  const CrashFacts& facts_;
  std::vector<Ability> out_;
};

}  // namespace

bool IsLinux(const CoreImage& image) { return image.source != "coprocessor"; }

std::vector<Ability> ReadAbilities(const CoreImage& image, const KernelLog& log, const CrashFacts& facts) {
  return AbilityReader(image, log, facts).Read();
}

}  // namespace corefleet
