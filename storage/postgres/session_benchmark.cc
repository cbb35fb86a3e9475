// What a crash costs the database: Begin, AddPack and Finish of a crash of a hundred regions, by many threads
// at once, against a private cluster as the server has it.
//
//   bazel run -c opt //storage/postgres:session_benchmark
//
// Counters, of each crash: cpu_us, CPU time of this process and of the database together; db_cpu_us, of the
// database; commits, transactions; wal_bytes.
#include <benchmark/benchmark.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <pqxx/pqxx>
#include <sstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/clock.h"
#include "storage/postgres/postgres_crash_index.h"
#include "storage/postgres/test_cluster.h"

namespace corefleet {
namespace {

constexpr int kRegions = 100;

Sha256Digest DigestNumber(uint64_t number) { return Sha256Of(BytesOf(absl::StrCat("digest ", number))); }

Manifest ManifestNumber(uint64_t number) {
  Manifest manifest;
  for (int i = 0; i < kRegions; ++i) {
    manifest.regions.push_back({.file_name = absl::StrCat("md_Kregion_", i, ".BIN"),
                                .name = absl::StrCat("Kregion_", i),
                                .id = i,
                                .size = 4096,
                                .root = DigestNumber(number * kRegions + i)});
  }
  return manifest;
}

StoredPack PackNumber(uint64_t number) {
  StoredPack pack{.ref = {absl::StrFormat("segment-%08d", number / 512), number * 100'000, 100'000}};
  for (uint32_t i = 0; i < kRegions; ++i) {
    pack.entries.push_back({.region = i,
                            .encoding = ChunkEncoding::kZstd,
                            .raw_size = 4096,
                            .stored_size = 900,
                            .offset = i * 900,
                            .digest = DigestNumber(number * kRegions + i)});
  }
  return pack;
}

// User and system time of a process and of its ended children, in microseconds.
double CpuOf(pid_t pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/stat"));
  std::string text((std::istreambuf_iterator<char>(file)), {});
  const size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return 0;
  std::istringstream fields(text.substr(name_end + 1));
  std::string field;
  double ticks = 0;
  for (int i = 3; i <= 17 && fields >> field; ++i) {
    int64_t value = 0;
    if (i >= 14 && absl::SimpleAtoi(field, &value)) ticks += static_cast<double>(value);
  }
  return ticks * 1e6 / static_cast<double>(sysconf(_SC_CLK_TCK));
}

// Of the postmaster and of all its processes.
double DatabaseCpu() {
  const pid_t postmaster = TestCluster::Get()->cluster()->pid();
  double total = CpuOf(postmaster);
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    int pid = 0;
    if (!absl::SimpleAtoi(entry.path().filename().string(), &pid)) continue;
    std::ifstream file(entry.path() / "stat");
    std::string text((std::istreambuf_iterator<char>(file)), {});
    const size_t name_end = text.rfind(')');
    if (name_end == std::string::npos) continue;
    std::istringstream fields(text.substr(name_end + 1));
    std::string state;
    pid_t parent = 0;
    fields >> state >> parent;
    if (parent == postmaster) total += CpuOf(pid);
  }
  return total;
}

double OwnCpu() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

struct Spent {
  double own_cpu = 0, database_cpu = 0, commits = 0, wal_bytes = 0;
};

// One database and index for all runs of one kind.
struct Bench {
  explicit Bench(size_t max_batch)
      : database(TestCluster::Get()->FreshDatabase()),
        index(*PostgresCrashIndex::Open(database, {.max_batch = max_batch})) {}
  Spent Now() {
    pqxx::connection connection(database);
    pqxx::nontransaction transaction(connection);
    // The statistics of a backend come a second after it has become idle.
    const pqxx::row row = transaction.exec1(
        "SELECT pg_stat_clear_snapshot(), xact_commit, pg_current_wal_lsn() - '0/0'"
        " FROM pg_stat_database WHERE datname = current_database()");
    return {OwnCpu(), DatabaseCpu(), row[1].as<double>(), row[2].as<double>()};
  }
  const std::string database;
  const std::unique_ptr<PostgresCrashIndex> index;
  std::atomic<uint64_t> crashes = 0;
};

Bench& TheBench(bool gathered) {
  static auto* const alone = new Bench(1);
  static auto* const together = new Bench(PostgresCrashIndexOptions().max_batch);
  return gathered ? *together : *alone;
}

void BM_BeginAddFinish(benchmark::State& state) {
  Bench& bench = TheBench(state.range(0) != 0);
  Spent before;
  uint64_t crashes_before = 0;
  if (state.thread_index() == 0) {
    before = bench.Now();
    crashes_before = bench.crashes;
  }
  const absl::Time now = Clock::Real()->Now();
  for (auto _ : state) {
    const uint64_t number = ++bench.crashes;
    const SessionId session(absl::StrFormat("%032x", number * 0x9E3779B97F4A7C15u));
    std::array<uint8_t, 10> random{};
    const Sha256Digest noise = DigestNumber(number);
    std::copy_n(noise.begin(), random.size(), random.begin());
    const auto begun =
        bench.index->BeginSession(DeviceId(absl::StrCat("device-", number % 10'000)), ManifestNumber(number),
                                  "", SessionTerms(), session, now, now + absl::Hours(24));
    const absl::Status added =
        bench.index->AddPacks(session, {PackNumber(number)}, now, now + absl::Hours(24));
    const auto finished =
        bench.index->FinishSession(session, CrashId::Make(now, random), kRegions * 4096, 100'000);
    if (!begun.ok() || !added.ok() || !finished.ok()) {
      state.SkipWithError(
          absl::StrCat(begun.status().ToString(), added.ToString(), finished.status().ToString()).c_str());
    }
  }
  state.SetItemsProcessed(state.iterations());
  if (state.thread_index() != 0) return;
  const Spent after = bench.Now();
  const auto crashes = static_cast<double>(bench.crashes - crashes_before);
  state.counters["cpu_us"] =
      (after.own_cpu + after.database_cpu - before.own_cpu - before.database_cpu) / crashes;
  state.counters["db_cpu_us"] = (after.database_cpu - before.database_cpu) / crashes;
  state.counters["commits"] = (after.commits - before.commits) / crashes;
  state.counters["wal_bytes"] = (after.wal_bytes - before.wal_bytes) / crashes;
}
BENCHMARK(BM_BeginAddFinish)
    ->ArgName("gathered")
    ->Arg(0)
    ->Arg(1)
    ->Threads(1)
    ->Threads(8)
    ->Threads(32)
    ->UseRealTime()
    ->MinTime(4);

}  // namespace
}  // namespace corefleet

BENCHMARK_MAIN();
