// Preloaded into corefleetd: a file layer below the segment store that forgets what was not synced.
//
// What is written to a file below a folder "segments" stays in this process until fdatasync or fsync; kill -9
// takes it along, as a power cut does with what the disk's cache holds. Now and then, decided by
// FORGETFUL_SEED, a part of it reaches the file early: a prefix, or pages out of the middle with a hole
// before them, as a kernel writes back what it likes. FORGETFUL_TEARS is in how many of a thousand writes
// that happens.
//
// Stands in for the libc's own functions, so it is careful to need nothing that calls them back.

#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>

namespace {

constexpr size_t kPage = 4096;

template <typename Fn>
Fn* Real(const char* name) {
  return reinterpret_cast<Fn*>(dlsym(RTLD_NEXT, name));
}

int RealOpen(const char* path, int flags, mode_t mode) {
  static auto* const real = Real<int(const char*, int, ...)>("open");
  return real(path, flags, mode);
}
ssize_t RealWrite(int fd, const void* bytes, size_t size) {
  static auto* const real = Real<ssize_t(int, const void*, size_t)>("write");
  return real(fd, bytes, size);
}
ssize_t RealPwrite(int fd, const void* bytes, size_t size, off_t offset) {
  static auto* const real = Real<ssize_t(int, const void*, size_t, off_t)>("pwrite");
  return real(fd, bytes, size, offset);
}

// A file that is appended to. Its lock is held while it is written through, so a sync waits for a write, as
// in a kernel.
struct Forgetful {
  std::mutex mutex;
  off_t size = 0;         // with what is not synced
  off_t settled = 0;      // of that, what went to the file in order
  std::string unsettled;  // the bytes from `settled` on
};

std::mutex files_mutex;
std::map<int, std::shared_ptr<Forgetful>>& Files() {
  static auto* const files = new std::map<int, std::shared_ptr<Forgetful>>();
  return *files;
}

std::shared_ptr<Forgetful> Find(int fd) {
  const std::lock_guard<std::mutex> lock(files_mutex);
  const auto found = Files().find(fd);
  return found == Files().end() ? nullptr : found->second;
}

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* const value = getenv(name);
  return value == nullptr ? otherwise : strtoull(value, nullptr, 10);
}

uint64_t Draw(uint64_t below) {
  static std::mutex mutex;
  static auto* const numbers = new std::mt19937_64(FromEnvironment("FORGETFUL_SEED", 1));
  const std::lock_guard<std::mutex> lock(mutex);
  return (*numbers)() % below;
}

bool WriteAll(int fd, const char* bytes, size_t size, off_t offset) {
  while (size > 0) {
    const ssize_t written = RealPwrite(fd, bytes, size, offset);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes += written;
    size -= static_cast<size_t>(written);
    offset += written;
  }
  return true;
}

// Some of what is not settled reaches the file anyway. What fails is tried again by the next sync.
void WriteBackSome(int fd, const Forgetful& file) {
  static const uint64_t tears = FromEnvironment("FORGETFUL_TEARS", 200);
  if (Draw(1000) >= tears || file.unsettled.empty()) return;
  const size_t from = Draw(2) == 0 ? 0 : Draw(file.unsettled.size()) / kPage * kPage;
  const size_t size = 1 + Draw(file.unsettled.size() - from);
  WriteAll(fd, file.unsettled.data() + from, size, file.settled + static_cast<off_t>(from));
}

ssize_t Append(int fd, Forgetful* file, const iovec* parts, int count) {
  const std::lock_guard<std::mutex> lock(file->mutex);
  ssize_t total = 0;
  for (int i = 0; i < count; ++i) {
    file->unsettled.append(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
    total += static_cast<ssize_t>(parts[i].iov_len);
  }
  file->size += total;
  WriteBackSome(fd, *file);
  return total;
}

// False, with errno, when the disk does not take it: a sync may fail for want of space, as with delayed
// allocation.
bool Settle(int fd, Forgetful* file) {
  static const bool lies = FromEnvironment("FORGETFUL_LIES", 0) != 0;
  if (lies) return true;
  const std::lock_guard<std::mutex> lock(file->mutex);
  if (!WriteAll(fd, file->unsettled.data(), file->unsettled.size(), file->settled)) return false;
  file->settled = file->size;
  file->unsettled.clear();
  return true;
}

int OpenMaybeForgetful(const char* path, int flags, mode_t mode) {
  const bool appends = (flags & O_ACCMODE) == O_WRONLY && (flags & O_APPEND) != 0;
  if (!appends || strstr(path, "/segments/") == nullptr) return RealOpen(path, flags, mode);
  const int fd = RealOpen(path, flags & ~O_APPEND, mode);
  if (fd >= 0) {
    const std::lock_guard<std::mutex> lock(files_mutex);
    Files()[fd] = std::make_shared<Forgetful>();
  }
  return fd;
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  return OpenMaybeForgetful(path, flags, mode);
}

int open64(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  return OpenMaybeForgetful(path, flags, mode);
}

ssize_t write(int fd, const void* bytes, size_t size) {
  const std::shared_ptr<Forgetful> file = Find(fd);
  if (file == nullptr) return RealWrite(fd, bytes, size);
  const iovec part = {const_cast<void*>(bytes), size};
  return Append(fd, file.get(), &part, 1);
}

ssize_t writev(int fd, const iovec* parts, int count) {
  static auto* const real = Real<ssize_t(int, const iovec*, int)>("writev");
  const std::shared_ptr<Forgetful> file = Find(fd);
  return file == nullptr ? real(fd, parts, count) : Append(fd, file.get(), parts, count);
}

int fdatasync(int fd) {
  static auto* const real = Real<int(int)>("fdatasync");
  const std::shared_ptr<Forgetful> file = Find(fd);
  return file != nullptr && !Settle(fd, file.get()) ? -1 : real(fd);
}

int fsync(int fd) {
  static auto* const real = Real<int(int)>("fsync");
  const std::shared_ptr<Forgetful> file = Find(fd);
  return file != nullptr && !Settle(fd, file.get()) ? -1 : real(fd);
}

int ftruncate(int fd, off_t size) {
  static auto* const real = Real<int(int, off_t)>("ftruncate");
  if (const std::shared_ptr<Forgetful> file = Find(fd); file != nullptr) {
    const std::lock_guard<std::mutex> lock(file->mutex);
    file->settled = std::min(file->settled, size);
    file->size = size;
    file->unsettled.resize(static_cast<size_t>(size - file->settled));
  }
  return real(fd, size);
}

int close(int fd) {
  static auto* const real = Real<int(int)>("close");
  if (const std::shared_ptr<Forgetful> file = Find(fd); file != nullptr) {
    Settle(fd, file.get());  // closing forgets nothing: the kernel goes on with what it has
    const std::lock_guard<std::mutex> lock(files_mutex);
    Files().erase(fd);
  }
  return real(fd);
}

}  // extern "C"
