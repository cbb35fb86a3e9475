#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/simulate/log_author.h"
#include "core/simulate/report_parts.h"

namespace corefleet {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint32_t kCpuCaller = 1u << 31;

// One crash being told.
class Teller {
 public:
  Teller(uint64_t tainted, LogAuthor* log) : log_(*log), kernel_(log->kernel()), who_(ChooseCulprit(log)) {
    story_.taint_before = story_.taint_after = tainted;
  }

  CrashStory Tell(CrashKind kind) {
    log_.Become(who_.pid, 6);
    SayHowItGotTainted();
    log_.Wait(log_.random().Between(1, 20) * kSecond / 10);
    log_.Become(who_.pid, 1);
    switch (kind) {
      case CrashKind::kPanic:
        Panic();
        break;
      case CrashKind::kOops:
        kernel_.is_arm64() ? OopsArm64() : OopsX86_64();
        break;
      case CrashKind::kBug:
        Bug();
        break;
      case CrashKind::kWarning:
        Warning();
        break;
      case CrashKind::kSoftLockup:
        SoftLockup();
        break;
      case CrashKind::kHardLockup:
        HardLockup();
        break;
      case CrashKind::kHungTask:
        HungTask();
        break;
      case CrashKind::kOom:
        OutOfMemory();
        break;
      case CrashKind::kHang:
        Hang();
        break;
      case CrashKind::kSysrq:
        Sysrq();
        break;
    }
    story_.uptime_nsec = log_.now_nsec();
    return story_;
  }

 private:
  uint64_t tainted() const { return story_.taint_before; }

  void SayHowItGotTainted() {
    if ((tainted() & kTaintProprietary) != 0)
      log_.Say(4, absl::StrCat(who_.module, ": module license 'Larkspur' taints kernel."));
    if ((tainted() & kTaintOutOfTree) != 0)
      log_.Say(4, absl::StrCat(who_.module, ": loading out-of-tree module taints kernel."));
    if ((tainted() & kTaintUnsigned) != 0) {
      log_.Say(5, absl::StrCat(who_.module,
                               ": module verification failed: signature and/or required key missing - "
                               "tainting kernel"));
    }
    log_.Say(6, absl::StrCat(who_.module, ": ready"));
  }

  void EndInPanic(std::string reason, absl::Span<const absl::string_view> stack_on_top = {}) {
    SayPanic(reason, who_, story_.taint_after, stack_on_top, &log_);
    story_.panic_reason = std::move(reason);
  }

  void SayStackOnTopOfPanic(std::string reason) {
    const absl::string_view x86[] = {"dump_stack_lvl+0x5d/0x80", "panic+0x118/0x2f4"};
    const absl::string_view arm[] = {"dump_backtrace+0x0/0x1b8", "show_stack+0x20/0x38",
                                     "dump_stack_lvl+0x60/0x80", "panic+0x158/0x330"};
    if (kernel_.is_arm64()) return EndInPanic(std::move(reason), arm);
    EndInPanic(std::move(reason), x86);
  }

  void Panic() {
    SayStackOnTopOfPanic(
        absl::StrFormat("%s: channel %d does not answer", who_.module, log_.random().Below(8)));
  }

  // What follows the first line of an oops on either architecture.
  void SayOopsBody() {
    if (kernel_.is_arm64()) SayModules(who_, tainted(), &log_);
    SayCpuLine(who_, tainted(), &log_);
    SayHardware(&log_);
    SayRegisters(who_, &log_);
    SayCallTrace(who_, {}, &log_);
    if (kernel_.is_arm64()) log_.Say(0, "Code: f942b403 f9000fe3 d2800003 d2800022 (f9000022) ");
    if (!kernel_.is_arm64()) SayModules(who_, tainted(), &log_);
    story_.taint_after |= kTaintDie;
  }

  void OopsX86_64() {
    const bool new_words = kernel_.IsAtLeast(5, 1);
    log_.Say(new_words ? "BUG: kernel NULL pointer dereference, address: 0000000000000008"
                       : "BUG: unable to handle kernel NULL pointer dereference at 0000000000000008");
    log_.Say("#PF: supervisor read access in kernel mode");
    log_.Say("#PF: error_code(0x0000) - not-present page");
    log_.Say(6, "PGD 0 P4D 0 ");
    log_.Say(absl::StrCat(kernel_.IsAtLeast(6, 10) ? "Oops: " : "", "Oops: 0000 [#1] PREEMPT SMP NOPTI"));
    SayOopsBody();
    log_.Say(4, "CR2: 0000000000000008");
    SayEndTrace(&log_);
    EndInPanic("Fatal exception");
  }

  void OopsArm64() {
    const uint64_t esr = 0x96000004;
    log_.Say("Unable to handle kernel NULL pointer dereference at virtual address 0000000000000008");
    log_.Say("Mem abort info:");
    log_.Say(absl::StrFormat("  ESR = 0x%0*x", kernel_.IsAtLeast(5, 19) ? 16 : 8, esr));
    log_.Say("  EC = 0x25: DABT (current EL), IL = 32 bits");
    log_.Say("  SET = 0, FnV = 0");
    log_.Say("  EA = 0, S1PTW = 0");
    log_.Say("Data abort info:");
    log_.Say("  ISV = 0, ISS = 0x00000004");
    log_.Say("  CM = 0, WnR = 0");
    log_.Say("[0000000000000008] user address but active_mm is swapper");
    log_.Say(0, absl::StrFormat("Internal error: Oops: %0*x [#1] PREEMPT SMP",
                                kernel_.IsAtLeast(5, 19) ? 16 : 8, esr));
    SayOopsBody();
    SayEndTrace(&log_);
    EndInPanic(kernel_.IsAtLeast(5, 5) ? "Oops: Fatal exception" : "Fatal exception");
  }

  void Bug() {
    const int line = static_cast<int>(log_.random().Between(50, 900));
    log_.Say(4, "------------[ cut here ]------------");
    log_.Say(2, absl::StrFormat("kernel BUG at drivers/larkspur/%s.c:%d!", who_.module, line));
    if (kernel_.is_arm64()) {
      log_.Say(0, kernel_.IsAtLeast(5, 18) ? "Internal error: Oops - BUG: 00000000f2000800 [#1] PREEMPT SMP"
                                           : "Internal error: Oops - BUG: 0 [#1] PREEMPT SMP");
    } else {
      log_.Say(4, absl::StrCat(kernel_.IsAtLeast(6, 10) ? "Oops: " : "",
                               "invalid opcode: 0000 [#1] PREEMPT SMP NOPTI"));
    }
    SayOopsBody();
    SayEndTrace(&log_);
    EndInPanic(kernel_.is_arm64() && kernel_.IsAtLeast(5, 5) ? "Oops - BUG: Fatal exception"
                                                             : "Fatal exception");
  }

  // Quirk: with panic_on_warn the panic comes before the warning taints the kernel, so there is no W.
  void Warning() {
    log_.Become(who_.pid, 4);
    log_.Say("------------[ cut here ]------------");
    log_.Say(absl::StrFormat("%s: refcount of channel %d is negative", who_.module, log_.random().Below(8)));
    log_.Say(absl::StrFormat("WARNING: CPU: %d PID: %d at drivers/larkspur/%s.c:%d %s", who_.cpu, who_.pid,
                             who_.module, log_.random().Between(50, 900), PlaceOf(who_)));
    SayModules(who_, tainted(), &log_);
    SayCpuLine(who_, tainted(), &log_);
    SayHardware(&log_);
    SayRegisters(who_, &log_);
    if (kernel_.is_arm64() || !kernel_.IsAtLeast(5, 12)) SayCallTrace(who_, {}, &log_);
    SayStackOnTopOfPanic(kernel_.IsAtLeast(6, 2) ? "kernel: panic_on_warn set ..." : "panic_on_warn set ...");
  }

  void SoftLockup() {
    log_.Wait(22 * kSecond);
    log_.Become(kCpuCaller | who_.cpu, 0);
    log_.Say(absl::StrFormat("watchdog: BUG: soft lockup - CPU#%d stuck for 22s! [%s:%d]", who_.cpu,
                             who_.task, who_.pid));
    log_.Become(kCpuCaller | who_.cpu, 4);
    SayModules(who_, tainted(), &log_);
    SayCpuLine(who_, tainted(), &log_);
    SayHardware(&log_);
    SayRegisters(who_, &log_);
    SayCallTrace(who_, {}, &log_);
    story_.taint_after |= kTaintSoftLockup;
    SayStackOnTopOfPanic("softlockup: hung tasks");
  }

  void HardLockup() {
    log_.Wait(10 * kSecond);
    log_.Become(kCpuCaller | who_.cpu, 0);
    log_.Say(absl::StrFormat("%s: Watchdog detected hard LOCKUP on cpu %d",
                             kernel_.IsAtLeast(6, 5) ? "watchdog" : "NMI watchdog", who_.cpu));
    log_.Become(kCpuCaller | who_.cpu, 4);
    SayModules(who_, tainted(), &log_);
    SayCpuLine(who_, tainted(), &log_);
    SayHardware(&log_);
    SayRegisters(who_, &log_);
    SayCallTrace(who_, {}, &log_);
    SayStackOnTopOfPanic("Hard LOCKUP");
  }

  void HungTask() {
    log_.Wait(121 * kSecond);
    Culprit watcher = who_;
    watcher.task = "khungtaskd";
    watcher.pid = 37;
    log_.Become(watcher.pid, 3);
    log_.Say(absl::StrFormat("INFO: task %s:%d blocked for more than 120 seconds.", who_.task, who_.pid));
    log_.Say(absl::StrFormat("      %s %s %s", TaintWords(tainted(), kernel_), kernel_.release,
                             kernel_.uts_version.substr(0, kernel_.uts_version.find(' '))));
    log_.Say("\"echo 0 > /proc/sys/kernel/hung_task_timeout_secs\" disables this message.");
    log_.Say(6, absl::StrFormat("task:%-15s state:D stack:0     pid:%-5d ppid:2      flags:0x00000208",
                                who_.task, who_.pid));
    const absl::string_view waiting[] = {"__schedule+0x2f8/0x8f0", "schedule+0x58/0xd0",
                                         "schedule_preempt_disabled+0x18/0x30"};
    SayCallTrace(who_, waiting, &log_);
    who_ = watcher;
    SayStackOnTopOfPanic("hung_task: blocked tasks");
  }

  void OutOfMemory() {
    log_.Become(who_.pid, 4);
    log_.Say(
        absl::StrFormat("%s invoked oom-killer: gfp_mask=0x140cca(GFP_HIGHUSER_MOVABLE|__GFP_COMP), "
                        "order=0, oom_score_adj=0",
                        who_.task));
    SayCpuLine(who_, tainted(), &log_);
    SayHardware(&log_);
    SayCallTrace(who_, {}, &log_);
    log_.Say("Mem-Info:");
    // One record of several lines.
    log_.Say(
        "active_anon:471 inactive_anon:32644 isolated_anon:0\n active_file:0 inactive_file:0 "
        "isolated_file:0\n unevictable:0 dirty:0 writeback:0\n free:489 free_pcp:59 free_cma:0");
    log_.Say(6, "Tasks state (memory values in pages):");
    log_.Say(6, "[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name");
    log_.Say(6, absl::StrFormat("[%7d]     0 %5d   932968   932783   294912        0             0 %s",
                                who_.pid, who_.pid, who_.task));
    SayStackOnTopOfPanic(kernel_.IsAtLeast(5, 0) ? "Out of memory: system-wide panic_on_oom is enabled"
                                                 : "Out of memory: compulsory panic_on_oom is enabled");
  }

  void Hang() {
    log_.Say(6, absl::StrCat(who_.module, ": waiting for the bus"));
    log_.Wait(log_.random().Between(2, 90) * kSecond);
  }

  void Sysrq() {
    who_.task = "sh";
    log_.Become(who_.pid, 6);
    log_.Say(kernel_.IsAtLeast(4, 20) ? "sysrq: Trigger a crash" : "sysrq: SysRq : Trigger a crash");
    SayStackOnTopOfPanic("sysrq triggered crash");
  }

  LogAuthor& log_;
  const ModelKernel& kernel_;
  Culprit who_;
  CrashStory story_;
};

}  // namespace

CrashStory WriteCrashLog(CrashKind kind, uint64_t tainted, LogAuthor* author) {
  return Teller(tainted, author).Tell(kind);
}

}  // namespace corefleet
