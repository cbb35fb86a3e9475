// What this machine can do with the same bytes and nothing around them; tests/bench/README.md.

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "base/clock.h"
#include "core/digest/chunk.h"
#include "core/digest/digest.h"
#include "tests/bench/load/crash_plan.h"

ABSL_FLAG(std::string, corpus, "tests/corpus", "Folder of the real crashes.");
ABSL_FLAG(std::string, plan, "2M", "What crashes look like, as in corefleet-load.");
ABSL_FLAG(std::string, dir, ".", "Folder on the file system to measure.");
ABSL_FLAG(int, writers, 8, "Threads that hash, append and wait for the disk.");
ABSL_FLAG(absl::Duration, duration, absl::Seconds(3), "Of each measure.");
ABSL_FLAG(uint64_t, bodies, 64, "Distinct crashes.");

namespace corefleet {
namespace {

double CpuSeconds() {
  rusage usage;
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// A file that several append to; all that wait share one fdatasync.
class SharedFile {
 public:
  explicit SharedFile(std::string path)
      : path_(std::move(path)),
        descriptor_(::open(path_.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600)) {}
  ~SharedFile() {
    ::close(descriptor_);
    ::unlink(path_.c_str());
  }

  void Append(absl::string_view bytes) {
    const uint64_t at = end_.fetch_add(bytes.size());
    for (size_t done = 0; done < bytes.size();) {
      const ssize_t count =
          ::pwrite(descriptor_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(at + done));
      if (count <= 0) {
        std::perror("machine_limit: write");
        std::exit(2);
      }
      done += static_cast<size_t>(count);
    }
  }

  void Sync() {
    absl::MutexLock lock(&mutex_);
    const uint64_t ticket = ++asked_;
    while (synced_ < ticket) {
      if (syncing_) {
        changed_.Wait(&mutex_);
        continue;
      }
      syncing_ = true;
      const uint64_t covers = asked_;
      mutex_.Unlock();
      ::fdatasync(descriptor_);
      mutex_.Lock();
      syncing_ = false;
      synced_ = covers;
      changed_.SignalAll();
    }
  }

 private:
  const std::string path_;
  const int descriptor_;
  std::atomic<uint64_t> end_{0};
  absl::Mutex mutex_;
  absl::CondVar changed_;
  uint64_t asked_ = 0;
  uint64_t synced_ = 0;
  bool syncing_ = false;
};

using Bodies = std::vector<std::unique_ptr<const CrashBody>>;

void Hash(const CrashBody& body) {
  const absl::string_view raw = body.raw();
  for (size_t at = 0; at < raw.size(); at += kChunkBytes) Sha256Of(BytesOf(raw.substr(at, kChunkBytes)));
}

// Runs `work(body)` over and over on all threads; crashes a second and CPU seconds a GiB of raw bytes.
template <typename Work>
nlohmann::ordered_json Measure(const Bodies& bodies, int threads, Work work) {
  Clock* const clock = Clock::Real();
  const double cpu = CpuSeconds();
  const absl::Time began = clock->Now();
  const absl::Time end = began + absl::GetFlag(FLAGS_duration);
  std::atomic<uint64_t> next{0};
  std::atomic<uint64_t> done_bytes{0};
  std::vector<std::thread> running;
  for (int i = 0; i < threads; ++i) {
    running.emplace_back([&] {
      while (clock->Now() < end) {
        const CrashBody& body = *bodies[next++ % bodies.size()];
        work(body);
        done_bytes += body.raw_bytes();
      }
    });
  }
  for (std::thread& thread : running) thread.join();
  const double seconds = absl::ToDoubleSeconds(clock->Now() - began);
  const double gib = static_cast<double>(done_bytes) / (1 << 30);
  return {{"crashes_per_s", static_cast<double>(next) / seconds},
          {"mib_per_s", gib * 1024 / seconds},
          {"cpu_s_per_gib", (CpuSeconds() - cpu) / gib}};
}

// What the zstd chunks of a crash inflate to, as a server has to.
void Inflate(const CrashBody& body) {
  v1::PutChunksRequest message;
  message.ParseFromArray(body.wire().data(), static_cast<int>(body.wire().size()));
  for (const v1::Chunk& chunk : message.chunks()) {
    Sha256Digest digest;
    std::copy(chunk.sha256().begin(), chunk.sha256().end(), digest.begin());
    const auto raw = DecodeChunk(static_cast<ChunkEncoding>(chunk.encoding()), BytesOf(chunk.payload()),
                                 chunk.raw_size(), digest);
    if (!raw.ok()) std::exit(2);
  }
}

int Run() {
  absl::StatusOr<CrashPlan> plan = ParsePlan(absl::GetFlag(FLAGS_plan));
  absl::StatusOr<std::vector<CorpusCase>> cases = ReadCases(absl::GetFlag(FLAGS_corpus));
  if (!plan.ok() || !cases.ok()) {
    std::cerr << "machine_limit: " << plan.status() << " " << cases.status() << "\n";
    return 2;
  }
  plan->keep_raw = true;
  const CrashMaker maker(*plan, *std::move(cases));
  Bodies bodies;
  for (uint64_t i = 0; i < absl::GetFlag(FLAGS_bodies); ++i) bodies.push_back(maker.Make(i));
  const int writers = absl::GetFlag(FLAGS_writers);
  const std::string path = absl::StrCat(absl::GetFlag(FLAGS_dir), "/machine-limit-", ::getpid());
  nlohmann::ordered_json all;
  {
    SharedFile file(path);
    all["hash_append_sync"] = Measure(bodies, writers, [&](const CrashBody& body) {
      Hash(body);
      file.Append(body.raw());
      file.Sync();
    });
  }
  {
    SharedFile file(path);
    all["append_sync"] = Measure(bodies, writers, [&](const CrashBody& body) {
      file.Append(body.raw());
      file.Sync();
    });
  }
  {
    SharedFile file(path);
    all["append_sync_zstd"] = Measure(bodies, writers, [&](const CrashBody& body) {
      file.Append(body.wire());
      file.Sync();
    });
  }
  all["hash"] = Measure(bodies, 1, Hash);
  all["inflate_and_hash"] = Measure(bodies, 1, Inflate);
  std::cout << all.dump(1) << std::endl;
  return 0;
}

}  // namespace
}  // namespace corefleet

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("hashes, appends and syncs the bytes of crashes; tests/bench/README.md");
  absl::ParseCommandLine(argc, argv);
  return corefleet::Run();
}
