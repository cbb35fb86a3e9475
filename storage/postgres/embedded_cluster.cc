#include "storage/postgres/embedded_cluster.h"

#include <algorithm>
#include <csignal>
#include <pqxx/pqxx>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "storage/postgres/cluster_directory.h"
#include "storage/postgres/cluster_process.h"
#include "storage/postgres/pqxx_status.h"

namespace corefleet {
namespace {

constexpr absl::Duration kPoll = absl::Milliseconds(20);
// So often it may end before it has answered once: the memory of one that was killed may still be in use.
constexpr int kMaxStarts = 3;
constexpr absl::Duration kRestartDelay = absl::Seconds(1);
constexpr absl::Duration kMaxRestartDelay = absl::Seconds(30);

// Small, because it lives beside the server on a machine of any size; durable, because an acknowledgement
// rests on it.
std::vector<std::string> ServerArguments() {
  std::vector<std::string> arguments;
  for (const char* setting :
       {"listen_addresses=", "unix_socket_directories=.", "unix_socket_permissions=0700",
        "max_connections=40", "shared_buffers=64MB", "fsync=on", "synchronous_commit=on",
        "full_page_writes=on",
        // Each checkpoint makes every page travel whole once more.
        "max_wal_size=1GB", "min_wal_size=32MB",
        // A batch of a hundred manifests, without a write in the middle of it.
        "wal_buffers=8MB", "wal_level=minimal", "max_wal_senders=0", "max_locks_per_transaction=512",
        // Of whole pages; a fraction of pglz's time.
        "wal_compression=lz4",
        // And of facts, which are kept as text.
        "default_toast_compression=lz4", "update_process_title=off", "logging_collector=off",
        "log_min_messages=warning", "log_line_prefix=%m [%p] ", "log_checkpoints=off", "autovacuum=on",
        // Counters and queues die in seconds. Two workers are enough, and each takes memory.
        "autovacuum_naptime=15s", "autovacuum_max_workers=2", "maintenance_work_mem=32MB",
        "autovacuum_vacuum_insert_scale_factor=0.05", "jit=off", "timezone=UTC", "log_timezone=UTC",
        "lc_messages=C"}) {
    arguments.push_back("-c");
    arguments.push_back(setting);
  }
  return arguments;
}

}  // namespace

// The supervising thread is the one that forks, because the death signal of a child comes when the thread
// that forked it ends, and it reaps the child and starts it again.
class EmbeddedCluster::Impl {
 public:
  Impl(ClusterDirectory directory, EmbeddedClusterOptions options)
      : directory_(std::move(directory)), options_(std::move(options)) {}
  ~Impl() { Stop().IgnoreError(); }

  absl::Status Start();
  absl::Status Stop();
  pid_t pid() const {
    absl::MutexLock lock(&mutex_);
    return pid_;
  }
  std::string connection_string() const {
    return absl::StrCat("host=/proc/self/fd/", directory_.fd(), " user=corefleet dbname=postgres");
  }

 private:
  // Runs in the supervising thread.
  void Supervise();
  void RunServer();
  bool StoppingWithin(absl::Duration duration);

  absl::Status AwaitReady();
  bool Answers() const;

  ClusterDirectory directory_;
  const EmbeddedClusterOptions options_;

  mutable absl::Mutex mutex_;
  pid_t pid_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status exit_ ABSL_GUARDED_BY(mutex_);  // why the last process ended
  int exits_ ABSL_GUARDED_BY(mutex_) = 0;
  std::thread supervisor_;
};

absl::Status EmbeddedCluster::Impl::Start() {
  RETURN_IF_ERROR(directory_.EndStaleServer(options_.stop_timeout));
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = false;
    exits_ = 0;
  }
  supervisor_ = std::thread([this] { Supervise(); });
  absl::Status status = AwaitReady();
  if (!status.ok()) Stop().IgnoreError();
  return status;
}

absl::Status EmbeddedCluster::Impl::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    // SIGINT is PostgreSQL's fast shutdown.
    if (pid_ != 0) ::kill(pid_, SIGINT);
    const auto ended = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return pid_ == 0; };
    if (!mutex_.AwaitWithTimeout(absl::Condition(&ended), options_.stop_timeout)) {
      Log(LogLevel::kWarning, "the database does not stop; ending it by force");
      ::kill(pid_, SIGQUIT);
      if (!mutex_.AwaitWithTimeout(absl::Condition(&ended), absl::Seconds(5))) ::kill(pid_, SIGKILL);
    }
  }
  if (supervisor_.joinable()) supervisor_.join();
  return absl::OkStatus();
}

void EmbeddedCluster::Impl::Supervise() {
  absl::Duration delay = kRestartDelay;
  while (true) {
    const absl::Time started = Clock::Real()->Now();
    RunServer();
    {
      absl::MutexLock lock(&mutex_);
      if (stopping_) return;
      Log(LogLevel::kError, "the database ended; starting it again", {{"why", std::string(exit_.message())}});
    }
    // One that ends at once is not started in a loop.
    if (Clock::Real()->Now() - started > absl::Minutes(1)) delay = kRestartDelay;
    if (StoppingWithin(delay)) return;
    delay = std::min(delay * 2, kMaxRestartDelay);
    directory_.EndStaleServer(options_.stop_timeout).IgnoreError();
  }
}

bool EmbeddedCluster::Impl::StoppingWithin(absl::Duration duration) {
  absl::MutexLock lock(&mutex_);
  return mutex_.AwaitWithTimeout(absl::Condition(&stopping_), duration);
}

void EmbeddedCluster::Impl::RunServer() {
  absl::StatusOr<pid_t> pid;
  {
    // Under the lock, so that a Stop either sees the process or prevents it.
    absl::MutexLock lock(&mutex_);
    if (stopping_) return;
    pid = SpawnServer(directory_, ServerArguments());
    if (pid.ok()) pid_ = *pid;
  }
  // The process is reaped only after pid_ is 0, so that no signal goes to another one of the same number.
  const absl::Status ended = pid.ok() ? AwaitExit(*pid) : pid.status();
  absl::MutexLock lock(&mutex_);
  pid_ = 0;
  ++exits_;
  exit_ = ended;
  if (pid.ok()) Reap(*pid);
}

absl::Status EmbeddedCluster::Impl::AwaitReady() {
  const absl::Time deadline = Clock::Real()->Now() + options_.start_timeout;
  while (!Answers()) {
    absl::MutexLock lock(&mutex_);
    const auto ended = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return exits_ >= kMaxStarts; };
    if (mutex_.AwaitWithTimeout(absl::Condition(&ended), kPoll)) {
      return absl::UnavailableError(
          absl::StrCat("the database does not start: ", exit_.message(), "\n", directory_.EndOfLog()));
    }
    if (Clock::Real()->Now() >= deadline) {
      return absl::UnavailableError(absl::StrCat("the database did not come up in ",
                                                 absl::FormatDuration(options_.start_timeout), "\n",
                                                 directory_.EndOfLog()));
    }
  }
  return absl::OkStatus();
}

bool EmbeddedCluster::Impl::Answers() const {
  return CatchPqxx([this] {
           pqxx::connection connection(absl::StrCat(connection_string(), " connect_timeout=2"));
           return absl::OkStatus();
         })
      .ok();
}

EmbeddedCluster::EmbeddedCluster(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
EmbeddedCluster::~EmbeddedCluster() = default;

absl::StatusOr<std::unique_ptr<EmbeddedCluster>> EmbeddedCluster::Start(const std::string& data_dir,
                                                                        EmbeddedClusterOptions options) {
  ASSIGN_OR_RETURN(ClusterDirectory directory,
                   ClusterDirectory::Open(data_dir, options.user, options.bin_dir));
  auto impl = std::make_unique<Impl>(std::move(directory), std::move(options));
  RETURN_IF_ERROR(impl->Start());
  return std::unique_ptr<EmbeddedCluster>(new EmbeddedCluster(std::move(impl)));
}

std::string EmbeddedCluster::connection_string() const { return impl_->connection_string(); }
absl::Status EmbeddedCluster::Stop() { return impl_->Stop(); }
absl::Status EmbeddedCluster::Restart() { return impl_->Start(); }
pid_t EmbeddedCluster::pid() const { return impl_->pid(); }

}  // namespace corefleet
