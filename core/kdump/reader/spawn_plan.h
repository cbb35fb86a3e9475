#ifndef COREFLEET_CORE_KDUMP_READER_SPAWN_PLAN_H_
#define COREFLEET_CORE_KDUMP_READER_SPAWN_PLAN_H_

#include <spawn.h>
#include <sys/types.h>

#include <string>
#include <vector>

namespace corefleet {

// How a child that reads what a device sent is started: signals as if nobody had touched them, a process
// group of its own (a ^C at the terminal is its parent's to handle), no environment, standard streams to
// nowhere, and no descriptor but those that it is given. Use it once. Not thread-safe.
class SpawnPlan {
 public:
  // `last` is the largest descriptor number that will be given. `keep_stderr`: the child complains where its
  // parent does.
  SpawnPlan(int last, bool keep_stderr);
  ~SpawnPlan();
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  // `fd`, which stays the caller's, becomes `number` in the child. False, with errno, when no descriptor is
  // left.
  bool Give(int fd, int number);

  // Starts `program` with `arguments` (the first is its name). 0, or the errno that says why not; `pid` is
  // set on 0 alone.
  int Spawn(const std::string& program, std::vector<std::string> arguments, pid_t* pid);

 private:
  const int last_;
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
  std::vector<int> moved_;  // copies above `last_`, so that none is overwritten before it is in its place
};

}  // namespace corefleet

#endif  // COREFLEET_CORE_KDUMP_READER_SPAWN_PLAN_H_
