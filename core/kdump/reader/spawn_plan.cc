#include "core/kdump/reader/spawn_plan.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

namespace corefleet {

SpawnPlan::SpawnPlan(int last, bool keep_stderr) : last_(last) {
  posix_spawn_file_actions_init(&actions_);
  posix_spawnattr_init(&attributes_);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes_, &none);
  posix_spawnattr_setsigdefault(&attributes_, &all);
  posix_spawnattr_setpgroup(&attributes_, 0);
  posix_spawnattr_setflags(&attributes_,
                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions_, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  if (!keep_stderr) posix_spawn_file_actions_addopen(&actions_, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
}

SpawnPlan::~SpawnPlan() {
  posix_spawn_file_actions_destroy(&actions_);
  posix_spawnattr_destroy(&attributes_);
  for (const int fd : moved_) close(fd);
}

bool SpawnPlan::Give(int fd, int number) {
  const int moved = fcntl(fd, F_DUPFD_CLOEXEC, last_ + 1);
  if (moved < 0) return false;
  moved_.push_back(moved);
  return posix_spawn_file_actions_adddup2(&actions_, moved, number) == 0;
}

int SpawnPlan::Spawn(const std::string& program, std::vector<std::string> arguments, pid_t* pid) {
  posix_spawn_file_actions_addclosefrom_np(&actions_, last_ + 1);
  std::vector<char*> words;
  for (std::string& argument : arguments) words.push_back(argument.data());
  words.push_back(nullptr);
  char* const environment[] = {nullptr};
  return posix_spawn(pid, program.c_str(), &actions_, &attributes_, words.data(), environment);
}

}  // namespace corefleet
