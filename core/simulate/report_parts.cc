#include "core/simulate/report_parts.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace corefleet {
namespace {

struct Flag {
  char letter;
  const char* name;
};
constexpr Flag kFlags[] = {{'P', "PROPRIETARY_MODULE"},
                           {'F', "FORCED_MODULE"},
                           {'S', "CPU_OUT_OF_SPEC"},
                           {'R', "FORCED_RMMOD"},
                           {'M', "MACHINE_CHECK"},
                           {'B', "BAD_PAGE"},
                           {'U', "USER"},
                           {'D', "DIE"},
                           {'A', "OVERRIDDEN_ACPI_TABLE"},
                           {'W', "WARN"},
                           {'C', "CRAP"},
                           {'I', "FIRMWARE_WORKAROUND"},
                           {'O', "OOT_MODULE"},
                           {'E', "UNSIGNED_MODULE"},
                           {'L', "SOFTLOCKUP"},
                           {'K', "LIVEPATCH"},
                           {'X', "AUX"},
                           {'T', "RANDSTRUCT"},
                           {'N', "TEST"},
                           {'J', "FWCTL"}};

struct Driver {
  const char* module;
  const char* task;
  const char* functions[4];
};
constexpr Driver kDrivers[] = {
    {"tidegate", "tide-control", {"gate_open", "gate_read_level", "sluice_step", "tide_flush"}},
    {"brassvalve", "valve-daemon", {"valve_pump_write", "valve_seat", "valve_ioctl", "pump_irq_work"}},
    {"larkspur_net", "kworker/1:2", {"lark_poll", "lark_tx_reap", "lark_reset_ring", "lark_link_work"}},
    {"quarry", "quarry-scrub", {"quarry_map_block", "quarry_scrub_page", "quarry_ftl_gc", "quarry_sync"}},
};

// Of the kernel's own: how a system call comes to a driver.
constexpr absl::string_view kFramesX86_64[] = {"__x64_sys_ioctl+0x8f/0xd0", "do_syscall_64+0x5d/0xc0",
                                               "entry_SYSCALL_64_after_hwframe+0x6e/0xd8"};
constexpr absl::string_view kFramesArm64[] = {
    "__arm64_sys_ioctl+0xb4/0x100", "invoke_syscall+0x50/0x128", "el0_svc_common.constprop.0+0xc8/0xf0",
    "do_el0_svc+0x24/0x38",         "el0_svc+0x3c/0x140",        "el0t_64_sync+0x198/0x19c"};
constexpr absl::string_view kFramesArm64Old[] = {"ksys_ioctl+0xb8/0xe0", "__arm64_sys_ioctl+0x2c/0x38",
                                                 "el0_svc_common+0x74/0x170", "el0_svc_handler+0x38/0x78",
                                                 "el0_svc+0x8/0x1c0"};

absl::Span<const absl::string_view> KernelFrames(const ModelKernel& kernel) {
  if (!kernel.is_arm64()) return kFramesX86_64;
  if (!kernel.IsAtLeast(5, 10)) return kFramesArm64Old;
  return kFramesArm64;
}

void SayRegistersX86_64(const Culprit& culprit, LogAuthor* log) {
  Random& random = log->random();
  const uint64_t linear = log->kernel().linear_base;
  const uint64_t stack = 0xffffb0c000000000 + random.Below(1 << 20) * 4096 + 0xb50;
  log->Say(absl::StrCat("RIP: 0010:", PlaceOf(culprit)));
  std::string code = "Code: 0f 1f 44 00 00 48 83 ec 10";
  for (int i = 0; i < 24; ++i) absl::StrAppend(&code, absl::StrFormat(" %02x", random.Below(256)));
  log->Say(code + " <c7> 00 00 00 00 00");
  log->Say(absl::StrFormat("RSP: 0018:%016x EFLAGS: 00010286", stack));
  const auto line = [&](const char* a, const char* b, const char* c) {
    log->Say(absl::StrFormat("%s: %016x %s: %016x %s: %016x", a, random.Below(64), b,
                             linear + random.Below(1 << 30) / 8 * 8, c, random.Below(1 << 16)));
  };
  line("RAX", "RBX", "RCX");
  line("RDX", "RSI", "RDI");
  line("RBP", "R08", "R09");
  line("R10", "R11", "R12");
  line("R13", "R14", "R15");
  log->Say(absl::StrFormat("FS:  0000000000000000(0000) GS:%016x(0000) knlGS:0000000000000000",
                           linear + 0x13f000000 + culprit.cpu * 0x40000));
  log->Say("CS:  0010 DS: 0000 ES: 0000 CR0: 0000000080050033");
  log->Say(absl::StrFormat("CR2: 0000000000000000 CR3: %016x CR4: 00000000003506e0",
                           random.Below(1 << 18) * 4096));
}

void SayRegistersArm64(const Culprit& culprit, LogAuthor* log) {
  Random& random = log->random();
  const uint64_t stack = 0xffff800080000000 + random.Below(1 << 16) * 4096 + 0xb30;
  log->Say("pstate: 60400005 (nZCv daif +PAN -UAO -TCO -DIT -SSBS BTYPE=--)");
  log->Say(absl::StrCat("pc : ", PlaceOf(culprit)));
  log->Say(absl::StrFormat("lr : %s_dispatch+0x%x/0x180 [%s]", culprit.module,
                           random.Between(4, 0x170) / 4 * 4, culprit.module));
  log->Say(absl::StrFormat("sp : %016x", stack));
  log->Say(absl::StrFormat("x29: %016x x28: 0000000000000000 x27: 0000000000000000", stack));
  for (int top = 26; top >= 2; top -= 3) {
    std::string line;
    for (int i = 0; i < 3; ++i) {
      const std::string name = absl::StrCat("x", top - i);
      absl::StrAppendFormat(&line, "%s%-3s: %016x", i > 0 ? " " : "", name, random.Below(uint64_t{1} << 40));
    }
    log->Say(line);
  }
}

}  // namespace

uint32_t TaintFlagCount(const ModelKernel& kernel) {
  if (kernel.IsAtLeast(6, 15)) return 20;
  if (kernel.IsAtLeast(6, 0)) return 19;
  return kernel.IsAtLeast(4, 17) ? 18 : 17;
}

std::string TaintWords(uint64_t mask, const ModelKernel& kernel) {
  if (mask == 0) return "Not tainted";
  std::string words = "Tainted: ";
  for (uint32_t bit = 0; bit < TaintFlagCount(kernel); ++bit) {
    const bool set = (mask >> bit & 1) != 0;
    words.push_back(set ? kFlags[bit].letter : bit == 0 ? 'G' : ' ');
  }
  return words;
}

Culprit ChooseCulprit(LogAuthor* log) {
  Random& random = log->random();
  const Driver& driver = random.Pick(kDrivers);
  Culprit culprit;
  culprit.cpu = static_cast<uint32_t>(random.Below(log->kernel().cpus));
  culprit.pid = static_cast<uint32_t>(random.Between(40, 4000));
  culprit.task = driver.task;
  culprit.module = driver.module;
  culprit.function = random.Pick(driver.functions);
  culprit.size = static_cast<uint32_t>(random.Between(8, 60) * 16);
  culprit.offset = static_cast<uint32_t>(random.Between(1, culprit.size / 4 - 1) * 4);
  return culprit;
}

std::string PlaceOf(const Culprit& culprit) {
  return absl::StrFormat("%s+0x%x/0x%x [%s]", culprit.function, culprit.offset, culprit.size, culprit.module);
}

void SayCpuLine(const Culprit& culprit, uint64_t tainted, LogAuthor* log) {
  const ModelKernel& kernel = log->kernel();
  log->Say(absl::StrFormat("CPU: %d %sPID: %d Comm: %s %s %s %s", culprit.cpu,
                           kernel.IsAtLeast(6, 12) ? "UID: 0 " : "", culprit.pid, culprit.task,
                           TaintWords(tainted, kernel), kernel.release,
                           kernel.uts_version.substr(0, kernel.uts_version.find(' '))));
  if (!kernel.has_verbose_taint || tainted == 0) return;
  std::vector<std::string> words;
  for (uint32_t bit = 0; bit < TaintFlagCount(kernel); ++bit) {
    if ((tainted >> bit & 1) == 0) continue;
    words.push_back(absl::StrFormat("[%c]=%s", kFlags[bit].letter, kFlags[bit].name));
  }
  log->Say(absl::StrCat("Tainted: ", absl::StrJoin(words, ", ")));
}

void SayHardware(LogAuthor* log) {
  log->Say(log->kernel().is_arm64() ? "Hardware name: Larkspur evaluation board (DT)"
                                    : "Hardware name: Larkspur Evaluation Board/LB-4, BIOS 2.11 03/14/2024");
}

void SayModules(const Culprit& culprit, uint64_t tainted, LogAuthor* log) {
  std::string letters;
  if ((tainted & kTaintProprietary) != 0) letters += 'P';
  if ((tainted & kTaintOutOfTree) != 0) letters += 'O';
  if ((tainted & kTaintUnsigned) != 0) letters += 'E';
  if (!letters.empty()) letters = absl::StrCat("(", letters, ")");
  log->Say(absl::StrCat("Modules linked in: ", culprit.module, letters, " nf_tables uio_pdrv_genirq"));
}

void SayRegisters(const Culprit& culprit, LogAuthor* log) {
  log->kernel().is_arm64() ? SayRegistersArm64(culprit, log) : SayRegistersX86_64(culprit, log);
}

void SayCallTrace(const Culprit& culprit, absl::Span<const absl::string_view> on_top, LogAuthor* log) {
  const ModelKernel& kernel = log->kernel();
  const bool marks = !kernel.is_arm64() && kernel.IsAtLeast(5, 16);
  log->Say(kernel.is_arm64() ? "Call trace:" : "Call Trace:");
  if (marks) log->Say(" <TASK>");
  // A space in front since 4.x on x86, since 4.14 or so on arm64.
  for (const absl::string_view frame : on_top) log->Say(absl::StrCat(" ", frame));
  log->Say(absl::StrCat(" ", PlaceOf(culprit)));
  log->Say(absl::StrFormat(" %s_dispatch+0x9c/0x180 [%s]", culprit.module, culprit.module));
  for (const absl::string_view frame : KernelFrames(kernel)) log->Say(absl::StrCat(" ", frame));
  if (marks) log->Say(" </TASK>");
}

void SayEndTrace(LogAuthor* log) {
  // 5.18 made the number a constant.
  const uint64_t number = log->kernel().IsAtLeast(5, 18) ? 0 : log->random().Next();
  log->Say(absl::StrFormat("---[ end trace %016x ]---", number));
}

void SayPanic(const std::string& reason, const Culprit& culprit, uint64_t tainted,
              absl::Span<const absl::string_view> stack_on_top, LogAuthor* log) {
  const ModelKernel& kernel = log->kernel();
  log->Become(culprit.pid, 0);
  log->Say(absl::StrCat("Kernel panic - not syncing: ", reason));
  if (!stack_on_top.empty()) {
    SayCpuLine(culprit, tainted, log);
    SayHardware(log);
    SayCallTrace(culprit, stack_on_top, log);
  }
  if (kernel.is_arm64()) log->Say(2, "SMP: stopping secondary CPUs");
  if (kernel.slide == 0) {
    log->Say("Kernel Offset: disabled");
  } else if (kernel.is_arm64()) {
    log->Say(absl::StrFormat("Kernel Offset: 0x%x from 0x%016x", kernel.slide, kernel.link_text));
    log->Say(absl::StrFormat("PHYS_OFFSET: 0x%x", kernel.ram_start));
  } else {
    log->Say(absl::StrFormat(
        "Kernel Offset: 0x%x from 0x%x (relocation range: 0xffffffff80000000-0xffffffffbfffffff)",
        kernel.slide, kernel.link_text));
  }
  if (kernel.is_arm64()) log->Say("CPU features: 0x00,00000000,28002021,3820a005");
  if (kernel.is_arm64()) log->Say("Memory Limit: none");
  // 4.14 and 4.15 introduced the marks around it.
  log->Say(absl::StrCat("---[ end Kernel panic - not syncing: ", reason, " ]---"));
}

}  // namespace corefleet
