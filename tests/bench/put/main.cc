// Uploads the crashes of corefleet-load to corefleet's peers, over HTTP; tests/bench/README.md.

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "base/clock.h"
#include "tests/bench/load/crash_plan.h"
#include "tests/bench/put/http_upload.h"

ABSL_FLAG(std::string, protocol, "put", "put, tus or s3.");
ABSL_FLAG(std::string, url, "", "Where to: names are appended (tus: where uploads are created).");
ABSL_FLAG(std::string, keys, "", "ACCESS:SECRET, for s3.");
ABSL_FLAG(std::string, corpus, "tests/corpus", "Folder of the real crashes.");
ABSL_FLAG(std::string, plan, "2M", "What crashes look like, as in corefleet-load.");
ABSL_FLAG(int, devices, 8, "How many upload at the same time.");
ABSL_FLAG(uint64_t, crashes, 0, "Ends after so many; 0: when --duration is over.");
ABSL_FLAG(absl::Duration, duration, absl::InfiniteDuration(), "Nothing new begins after this.");
ABSL_FLAG(uint64_t, bodies, 256, "Distinct bodies.");
ABSL_FLAG(uint64_t, seed, 1, "As in corefleet-load.");
ABSL_FLAG(std::string, prefix, "crash", "Of the names.");
ABSL_FLAG(std::string, sync, "none",
          "What follows each upload before it counts: none; fsync: of the file FOLDER/NAME and of FOLDER; "
          "syncfs: of "
          "FOLDER's file system.");
ABSL_FLAG(std::string, folder, "", "Where the peer stores, for --sync.");
ABSL_FLAG(int, max_breaks, 0, "How often an upload may break before it is given up.");

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

bool SyncPath(const std::string& path, int (*sync)(int)) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return false;
  const bool done = sync(descriptor) == 0;
  ::close(descriptor);
  return done;
}

bool MakeDurable(const std::string& name) {
  const std::string how = absl::GetFlag(FLAGS_sync);
  const std::string folder = absl::GetFlag(FLAGS_folder);
  if (how == "syncfs") return SyncPath(folder, ::syncfs);
  if (how == "fsync") return SyncPath(absl::StrCat(folder, "/", name), ::fsync) && SyncPath(folder, ::fsync);
  return true;
}

struct Tally {
  absl::Mutex mutex;
  uint64_t stored = 0;
  uint64_t failed = 0;
  uint64_t breaks = 0;
  uint64_t raw_bytes = 0;
  std::string error;
  std::vector<double> upload_ms;
};

using Bodies = std::vector<std::unique_ptr<const CrashBody>>;

void RunDevice(const Bodies& bodies, HttpUploader::Protocol protocol, std::atomic<uint64_t>* next,
               Tally* tally) {
  Clock* const clock = Clock::Real();
  const absl::Time end = clock->Now() + absl::GetFlag(FLAGS_duration);
  const uint64_t crashes = absl::GetFlag(FLAGS_crashes);
  HttpUploader uploader(protocol, absl::GetFlag(FLAGS_url), absl::GetFlag(FLAGS_keys));
  while (clock->Now() < end) {
    const uint64_t number = (*next)++;
    if (crashes > 0 && number >= crashes) return;
    const CrashBody& body = *bodies[number % bodies.size()];
    const std::string name = absl::StrCat(absl::GetFlag(FLAGS_prefix), "-", number);
    const absl::Time began = clock->Now();
    HttpOutcome outcome =
        uploader.Upload(name, {body.raw(), body.raw_sha256()}, absl::GetFlag(FLAGS_max_breaks));
    if (outcome.stored && !MakeDurable(name)) outcome = {false, outcome.breaks, "cannot sync"};
    const absl::MutexLock lock(&tally->mutex);
    ++(outcome.stored ? tally->stored : tally->failed);
    tally->breaks += static_cast<uint64_t>(outcome.breaks);
    if (!outcome.stored) tally->error = outcome.error;
    if (!outcome.stored) continue;
    tally->raw_bytes += body.raw_bytes();
    tally->upload_ms.push_back(absl::ToDoubleMilliseconds(clock->Now() - began));
  }
}

void Print(Tally* tally, double seconds, double cpu_seconds) {
  const absl::MutexLock lock(&tally->mutex);
  std::vector<double>& ms = tally->upload_ms;
  std::sort(ms.begin(), ms.end());
  const auto at = [&](double part) {
    const auto index = static_cast<size_t>(part * static_cast<double>(ms.size()));
    return ms.empty() ? 0.0 : ms[std::min(ms.size() - 1, index)];
  };
  std::cout
      << nlohmann::ordered_json{{"seconds", seconds},
                                {"stored", tally->stored},
                                {"failed", tally->failed},
                                {"breaks", tally->breaks},
                                {"error", tally->error},
                                {"crashes_per_s", static_cast<double>(tally->stored) / seconds},
                                {"mib_per_s", static_cast<double>(tally->raw_bytes) / seconds / (1 << 20)},
                                {"upload_ms",
                                 {{"p50", at(0.5)}, {"p99", at(0.99)}, {"p999", at(0.999)}, {"max", at(1)}}},
                                {"raw_bytes", tally->raw_bytes},
                                {"client_cpu_s", cpu_seconds}}
             .dump(1)
      << std::endl;
}

int Run() {
  absl::StatusOr<CrashPlan> plan = ParsePlan(absl::GetFlag(FLAGS_plan));
  absl::StatusOr<std::vector<CorpusCase>> cases = ReadCases(absl::GetFlag(FLAGS_corpus));
  const std::string name = absl::GetFlag(FLAGS_protocol);
  if (!plan.ok() || !cases.ok() || (name != "put" && name != "tus" && name != "s3")) {
    std::cerr << "corefleet-put: " << plan.status() << " " << cases.status() << " " << name << "\n";
    return 2;
  }
  const HttpUploader::Protocol protocol = name == "put"   ? HttpUploader::Protocol::kPut
                                          : name == "tus" ? HttpUploader::Protocol::kTus
                                                          : HttpUploader::Protocol::kS3;
  plan->keep_raw = true;
  plan->encoding = BodyEncoding::kRaw;
  plan->seed = absl::GetFlag(FLAGS_seed);
  const CrashMaker maker(*plan, *std::move(cases));
  Bodies bodies;
  for (uint64_t i = 0; i < absl::GetFlag(FLAGS_bodies); ++i) bodies.push_back(maker.Make(i));
  curl_global_init(CURL_GLOBAL_ALL);
  const double cpu = CpuSeconds();
  const absl::Time began = Clock::Real()->Now();
  Tally tally;
  std::atomic<uint64_t> next{0};
  std::vector<std::thread> devices;
  for (int i = 0; i < absl::GetFlag(FLAGS_devices); ++i) {
    devices.emplace_back([&] { RunDevice(bodies, protocol, &next, &tally); });
  }
  for (std::thread& device : devices) device.join();
  Print(&tally, absl::ToDoubleSeconds(Clock::Real()->Now() - began), CpuSeconds() - cpu);
  return tally.failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace corefleet

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("uploads crashes over HTTP; tests/bench/README.md");
  absl::ParseCommandLine(argc, argv);
  return corefleet::Run();
}
