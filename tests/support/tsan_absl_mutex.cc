// ThreadSanitizer's view of absl::Mutex (and of absl::Status' reference count), for --config=tsan only
// (//third_party/debian:absl links it then).
//
// Debian's libabsl is not instrumented, so without this ThreadSanitizer sees two threads touch what a Mutex
// guards and nothing in between, and reports each such pair. These definitions take the place of the
// library's: the program's symbols come first in the dynamic linker's order, for libgrpc's calls too. Each
// calls the library's own through RTLD_NEXT and tells ThreadSanitizer what it did, in the way abseil's
// instrumented build does. Functions that the library itself expresses by these (the ...WithTimeout forms,
// ReleasableMutexLock, BlockingCounter, Barrier) need nothing.
#include <dlfcn.h>
#include <sanitizer/tsan_interface.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"

#ifndef __SANITIZE_THREAD__
#error "only a ThreadSanitizer build may link this"
#endif

// What ThreadSanitizer is told at start; TSAN_OPTIONS overrides it. Any report fails the program at once:
// exit code 66.
extern "C" const char* __tsan_default_options() { return "halt_on_error=1:second_deadlock_stack=1"; }

// Names third-party code only. A line for our own code is a race left in.
extern "C" const char* __tsan_default_suppressions() {
  return
      // Not instrumented: what gRPC passes between its threads by atomics (reference counts first of all) is
      // not visible, while the memcpy, free and read that it calls are. These lines hide the pthread locks it
      // takes as well, so the order that gRPC alone gives to two threads of ours is not seen.
      "called_from_lib:libgrpc.so\n"
      "called_from_lib:libgrpc++.so\n"
      "called_from_lib:libgpr.so\n"
      "called_from_lib:libupb.so\n"
      // The Status and the Cord that gRPC counts references of.
      "called_from_lib:libabsl_status.so\n"
      "called_from_lib:libabsl_cord.so\n"
      // A Status that gRPC made, on its way to another thread: the header's inline part of a client's call,
      // and of any operation's start. None of ours runs below them.
      "race:grpc::internal::BlockingUnaryCallImpl\n"
      "race:grpc::internal::Call::PerformOps\n"
      // A spin lock guards the graph of Mutex::~Mutex.
      "called_from_lib:libabsl_graphcycles_internal.so\n"
      // A function's static: its guard's fast path is an atomic load.
      "called_from_lib:libabsl_time_zone.so\n";
}

// libtsan's, in no header.
extern "C" void AnnotateIgnoreWritesBegin(const char* file, int line);
extern "C" void AnnotateIgnoreWritesEnd(const char* file, int line);

namespace {

// The library's function of this mangled name. A plain static would be guarded by what is being defined here.
template <typename Function>
Function* Next(std::atomic<void*>* found, const char* name) {
  void* function = found->load(std::memory_order_relaxed);
  if (function == nullptr) {
    function = dlsym(RTLD_NEXT, name);
    if (function == nullptr) {
      std::fprintf(stderr, "tsan_absl_mutex: no %s in the Abseil library: another version?\n", name);
      std::abort();
    }
    found->store(function, std::memory_order_relaxed);
  }
  return reinterpret_cast<Function*>(function);
}

#define NEXT(signature, mangled)                 \
  ([] {                                          \
    static constinit std::atomic<void*> found{}; \
    return Next<signature>(&found, mangled);     \
  }())

// The operation this thread is in. Between its "pre" and "post" ThreadSanitizer ignores what the thread does;
// but the library evaluates conditions in there (its own and other waiters', with the mutex held), and those
// are our code.
struct Operation {
  void* mutex;
  unsigned flags;
  bool locking;
};
constinit thread_local Operation* current = nullptr;

class Locking {
 public:
  Locking(void* mutex, unsigned flags) : operation_{mutex, flags, true}, outer_(current) {
    __tsan_mutex_pre_lock(mutex, flags);
    current = &operation_;
  }
  ~Locking() {
    current = outer_;
    __tsan_mutex_post_lock(operation_.mutex, operation_.flags | failed_, 0);
  }
  Locking(const Locking&) = delete;
  Locking& operator=(const Locking&) = delete;

  bool Result(bool locked) {
    if (!locked) failed_ = __tsan_mutex_try_lock_failed;
    return locked;
  }

 private:
  Operation operation_;
  Operation* outer_;
  unsigned failed_ = 0;
};

class Unlocking {
 public:
  Unlocking(void* mutex, unsigned flags) : operation_{mutex, flags, false}, outer_(current) {
    __tsan_mutex_pre_unlock(mutex, flags);
    current = &operation_;
  }
  ~Unlocking() {
    current = outer_;
    __tsan_mutex_post_unlock(operation_.mutex, operation_.flags);
  }
  Unlocking(const Unlocking&) = delete;
  Unlocking& operator=(const Unlocking&) = delete;

 private:
  Operation operation_;
  Operation* outer_;
};

void TellUnlocked(void* mutex, unsigned flags) {
  __tsan_mutex_pre_unlock(mutex, flags);
  __tsan_mutex_post_unlock(mutex, flags);
}

// Whether the caller holds it as a reader: the bit kMuWriter of the state word, the Mutex's only member.
unsigned HeldAs(const absl::Mutex* mutex) {
  constexpr intptr_t kMuWriter = 0x0008;
  static_assert(sizeof(absl::Mutex) == sizeof(std::atomic<intptr_t>));
  const intptr_t state =
      reinterpret_cast<const std::atomic<intptr_t>*>(mutex)->load(std::memory_order_relaxed);
  return (state & kMuWriter) != 0 ? 0 : __tsan_mutex_read_lock;
}

// A wait gives the mutex up and takes it again.
class Waiting {
 public:
  explicit Waiting(absl::Mutex* mutex) : Waiting(mutex, HeldAs(mutex)) {}

 private:
  Waiting(absl::Mutex* mutex, unsigned flags) : locking_((TellUnlocked(mutex, flags), mutex), flags) {}

  Locking locking_;
};

// A condition is made before the mutex is held, and evaluated by the thread that lets it go.
void HandOver(const absl::Condition& cond) { __tsan_release(const_cast<absl::Condition*>(&cond)); }

// What HasBeenNotified, inline in the header, loads: it follows the Mutex.
void* NotifiedFlag(const absl::Notification* notification) {
  return const_cast<char*>(reinterpret_cast<const char*>(notification)) + sizeof(absl::Mutex);
}

}  // namespace

namespace absl {
ABSL_NAMESPACE_BEGIN

// Forgets the lock order and what the Mutex carried. Not a write: who destroys one of libgrpc's knows by an
// atomic count that nobody holds it. One of ours that is locked too late still races with the free of its
// memory.
Mutex::~Mutex() {
  AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
  __tsan_mutex_destroy(this, 0);
  AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
  NEXT(void(Mutex*), "_ZN4absl7debian35MutexD1Ev")(this);
}

void Mutex::Lock() {
  const Locking locking(this, 0);
  NEXT(void(Mutex*), "_ZN4absl7debian35Mutex4LockEv")(this);
}

void Mutex::Unlock() {
  const Unlocking unlocking(this, 0);
  NEXT(void(Mutex*), "_ZN4absl7debian35Mutex6UnlockEv")(this);
}

bool Mutex::TryLock() {
  Locking locking(this, __tsan_mutex_try_lock);
  return locking.Result(NEXT(bool(Mutex*), "_ZN4absl7debian35Mutex7TryLockEv")(this));
}

void Mutex::ReaderLock() {
  const Locking locking(this, __tsan_mutex_read_lock);
  NEXT(void(Mutex*), "_ZN4absl7debian35Mutex10ReaderLockEv")(this);
}

void Mutex::ReaderUnlock() {
  const Unlocking unlocking(this, __tsan_mutex_read_lock);
  NEXT(void(Mutex*), "_ZN4absl7debian35Mutex12ReaderUnlockEv")(this);
}

bool Mutex::ReaderTryLock() {
  Locking locking(this, __tsan_mutex_try_read_lock);
  return locking.Result(NEXT(bool(Mutex*), "_ZN4absl7debian35Mutex13ReaderTryLockEv")(this));
}

void Mutex::LockWhen(const Condition& cond) {
  HandOver(cond);
  const Locking locking(this, 0);
  NEXT(void(Mutex*, const Condition*), "_ZN4absl7debian35Mutex8LockWhenERKNS0_9ConditionE")(this, &cond);
}

void Mutex::ReaderLockWhen(const Condition& cond) {
  HandOver(cond);
  const Locking locking(this, __tsan_mutex_read_lock);
  NEXT(void(Mutex*, const Condition*), "_ZN4absl7debian35Mutex14ReaderLockWhenERKNS0_9ConditionE")
  (this, &cond);
}

bool Mutex::LockWhenWithDeadline(const Condition& cond, Time deadline) {
  HandOver(cond);
  const Locking locking(this, 0);  // held afterwards whatever the result
  return NEXT(bool(Mutex*, const Condition*, Time),
              "_ZN4absl7debian35Mutex20LockWhenWithDeadlineERKNS0_9ConditionENS0_4TimeE")(this, &cond,
                                                                                          deadline);
}

bool Mutex::ReaderLockWhenWithDeadline(const Condition& cond, Time deadline) {
  HandOver(cond);
  const Locking locking(this, __tsan_mutex_read_lock);
  return NEXT(bool(Mutex*, const Condition*, Time),
              "_ZN4absl7debian35Mutex26ReaderLockWhenWithDeadlineERKNS0_9ConditionENS0_4TimeE")(this, &cond,
                                                                                                deadline);
}

void Mutex::Await(const Condition& cond) {
  const Waiting waiting(this);
  NEXT(void(Mutex*, const Condition*), "_ZN4absl7debian35Mutex5AwaitERKNS0_9ConditionE")(this, &cond);
}

bool Mutex::AwaitWithDeadline(const Condition& cond, Time deadline) {
  const Waiting waiting(this);
  return NEXT(bool(Mutex*, const Condition*, Time),
              "_ZN4absl7debian35Mutex17AwaitWithDeadlineERKNS0_9ConditionENS0_4TimeE")(this, &cond, deadline);
}

// Called by the library inside the operations above, always with the mutex held.
bool Condition::Eval() const {
  auto* eval = NEXT(bool(const Condition*), "_ZNK4absl7debian39Condition4EvalEv");
  Operation* const operation = current;
  if (operation == nullptr) return eval(this);
  current = nullptr;
  if (!operation->locking) {
    __tsan_mutex_post_unlock(operation->mutex, operation->flags);
    __tsan_mutex_pre_lock(operation->mutex, operation->flags);
  }
  __tsan_mutex_post_lock(operation->mutex, operation->flags, 0);
  __tsan_acquire(const_cast<Condition*>(this));
  const bool result = eval(this);
  __tsan_mutex_pre_unlock(operation->mutex, operation->flags);
  if (operation->locking) {
    __tsan_mutex_post_unlock(operation->mutex, operation->flags);
    __tsan_mutex_pre_lock(operation->mutex, operation->flags);
  }
  current = operation;
  return result;
}

void CondVar::Wait(Mutex* mu) {
  const Waiting waiting(mu);
  NEXT(void(CondVar*, Mutex*), "_ZN4absl7debian37CondVar4WaitEPNS0_5MutexE")(this, mu);
}

bool CondVar::WaitWithDeadline(Mutex* mu, Time deadline) {
  const Waiting waiting(mu);
  return NEXT(bool(CondVar*, Mutex*, Time),
              "_ZN4absl7debian37CondVar16WaitWithDeadlineEPNS0_5MutexENS0_4TimeE")(this, mu, deadline);
}

// Its waits return without the Mutex when they find the flag set, so the flag itself carries the order.
void Notification::Notify() {
  __tsan_release(NotifiedFlag(this));
  NEXT(void(Notification*), "_ZN4absl7debian312Notification6NotifyEv")(this);
}

void Notification::WaitForNotification() const {
  NEXT(void(const Notification*), "_ZNK4absl7debian312Notification19WaitForNotificationEv")(this);
  __tsan_acquire(NotifiedFlag(this));
}

bool Notification::WaitForNotificationWithDeadline(Time deadline) const {
  const bool notified =
      NEXT(bool(const Notification*, Time),
           "_ZNK4absl7debian312Notification31WaitForNotificationWithDeadlineENS0_4TimeE")(this, deadline);
  if (notified) __tsan_acquire(NotifiedFlag(this));
  return notified;
}

bool Notification::WaitForNotificationWithTimeout(Duration timeout) const {
  const bool notified =
      NEXT(bool(const Notification*, Duration),
           "_ZNK4absl7debian312Notification30WaitForNotificationWithTimeoutENS0_8DurationE")(this, timeout);
  if (notified) __tsan_acquire(NotifiedFlag(this));
  return notified;
}

// Whoever drops the last reference destroys what the others have read: the count's decrement is ordered both
// ways.
void Status::UnrefNonInlined(uintptr_t rep) {
  void* const counted = reinterpret_cast<void*>(rep & ~uintptr_t{3});  // the low bits are Status' own
  __tsan_release(counted);
  __tsan_acquire(counted);
  NEXT(void(uintptr_t), "_ZN4absl7debian36Status15UnrefNonInlinedEm")(rep);
}

ABSL_NAMESPACE_END
}  // namespace absl
