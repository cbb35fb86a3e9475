#include "core/kdump/reader/confinement.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "core/kdump/reader/reader_protocol.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define COREFLEET_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define COREFLEET_SANITIZED 1
#endif

namespace corefleet {
namespace {

#ifdef COREFLEET_SANITIZED
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

#if defined(__x86_64__)
constexpr uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#else
constexpr uint32_t kArchitecture = 0;  // no filter is known for it
#endif

// newfstatat is how the C library asks for a descriptor's size; the rest of the second line is abort()'s.
constexpr int kAllowed[] = {
    __NR_read,        __NR_pread64, __NR_readv,          __NR_lseek,        __NR_fstat,
    __NR_newfstatat,  __NR_sendto,  __NR_recvfrom,       __NR_munmap,       __NR_mremap,
    __NR_brk,         __NR_madvise, __NR_futex,          __NR_getrandom,    __NR_clock_gettime,
    __NR_sched_yield, __NR_close,   __NR_exit,           __NR_exit_group,   __NR_getpid,
    __NR_gettid,      __NR_tgkill,  __NR_rt_sigprocmask, __NR_rt_sigaction, __NR_rt_sigreturn};
// Allowed without PROT_EXEC, which is in their third argument.
constexpr int kAllowedWithoutExecution[] = {__NR_mmap, __NR_mprotect};

absl::Status Refused(absl::string_view what) {
  return absl::InternalError(absl::StrCat("cannot confine the reader: ", what, ": ", strerror(errno)));
}

absl::Status Limit(__rlimit_resource_t resource, rlim_t most, absl::string_view what) {
  const rlimit limit{most, most};
  return setrlimit(resource, &limit) == 0 ? absl::OkStatus() : Refused(what);
}

std::vector<sock_filter> MakeFilter() {
  std::vector<sock_filter> filter;
  const auto add = [&](uint16_t code, uint32_t k, uint8_t if_true = 0, uint8_t if_false = 0) {
    filter.push_back({code, if_true, if_false, k});
  };
  add(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch));
  add(BPF_JMP | BPF_JEQ | BPF_K, kArchitecture, 1, 0);
  add(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
  add(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr));
  for (const int call : kAllowed) {
    add(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(call), 0, 1);
    add(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  }
  for (const int call : kAllowedWithoutExecution) {
    add(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(call), 0, 4);
    add(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[2]));
    add(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1);
    add(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    add(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  }
  add(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
  return filter;
}

absl::Status ForbidSystemCalls() {
  if (kArchitecture == 0) return absl::OkStatus();
  std::vector<sock_filter> filter = MakeFilter();
  const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0) return absl::OkStatus();
  // A kernel without it: the limits must do.
  return errno == EINVAL ? absl::OkStatus() : Refused("system calls");
}

}  // namespace

absl::Status ConfineThisProcess(const Confinement& confinement) {
  RETURN_IF_ERROR(Limit(RLIMIT_CORE, 0, "core"));
  RETURN_IF_ERROR(Limit(RLIMIT_NOFILE, kReaderFirstFile + kMaxReaderFiles, "descriptors"));
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return Refused("privileges");
  if (kSanitized) return absl::OkStatus();
  RETURN_IF_ERROR(Limit(RLIMIT_AS, confinement.address_space, "memory"));
  RETURN_IF_ERROR(Limit(RLIMIT_CPU, confinement.processor_seconds, "processor time"));
  return ForbidSystemCalls();
}

}  // namespace corefleet
