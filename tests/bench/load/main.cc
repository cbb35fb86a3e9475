// Plays many devices against a corefleetd; tests/bench/README.md.

#include <sys/resource.h>

#include <atomic>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "tests/bench/load/crash_plan.h"
#include "tests/bench/load/device.h"
#include "tests/bench/load/hostile.h"
#include "tests/bench/load/report.h"
#include "tests/bench/load/schedule.h"
#include "tests/bench/load/verify.h"

ABSL_FLAG(std::string, ingest, "127.0.0.1:7443", "The devices' port.");
ABSL_FLAG(std::string, archive, "127.0.0.1:7444", "The engineers' port, for --verify.");
ABSL_FLAG(std::string, corpus, "tests/corpus", "Folder of the real crashes.");
ABSL_FLAG(std::string, plan, "2M",
          "What crashes look like: a size (256K, 2M, 16M), lognormal:SIZE, or real.");
ABSL_FLAG(bool, zstd, true, "Chunks travel compressed, as a collector sends them; else raw.");
ABSL_FLAG(int, devices, 8, "How many upload at the same time.");
ABSL_FLAG(uint64_t, fleet, 100000,
          "How many devices there are in all: crash N happened to device N modulo this.");
ABSL_FLAG(uint64_t, crashes, 0, "Ends after so many crashes; 0: when --duration is over.");
ABSL_FLAG(absl::Duration, duration, absl::InfiniteDuration(), "Nothing new begins after this.");
ABSL_FLAG(double, rate, 0, "Crashes a second, however fast they are taken; 0: as fast as they are taken.");
ABSL_FLAG(uint64_t, bodies, 0, "Distinct bodies made beforehand; 0: as many as crashes, within --memory.");
ABSL_FLAG(uint64_t, memory, uint64_t{1} << 30, "Bytes for bodies.");
ABSL_FLAG(uint64_t, seed, 1, "Of all that is random. Another seed makes other crashes.");
ABSL_FLAG(uint64_t, first, 0,
          "Number of the first crash. Numbers never used before make crashes never seen before.");
ABSL_FLAG(uint64_t, link_bytes_per_second, 0, "What each device's link carries.");
ABSL_FLAG(uint64_t, cut_after, 0, "Each device breaks its streams after so many bytes.");
ABSL_FLAG(bool, reconnect, false, "A connection for each crash.");
ABSL_FLAG(bool, connect_first, false,
          "All devices connect before the first crash happens: a fleet that is there already.");
ABSL_FLAG(bool, finish_in_stream, true, "Finish with the last message instead of by a call of its own.");
ABSL_FLAG(bool, name_devices, true,
          "Say a device's name in BeginCrash; with a certificate that says it: no.");
ABSL_FLAG(std::string, ca, "", "PEM file: whom to trust. Without it there is no TLS.");
ABSL_FLAG(std::string, certificate, "", "PEM file: the devices' certificate.");
ABSL_FLAG(std::string, key, "", "PEM file: its key.");
ABSL_FLAG(std::string, tls_name, "", "Whom the server's certificate names, if not the host of --ingest.");
ABSL_FLAG(std::string, archive_ca, "", "As --ca, for --archive.");
ABSL_FLAG(std::string, archive_certificate, "", "As --certificate, for --archive.");
ABSL_FLAG(std::string, archive_key, "", "As --key, for --archive.");
ABSL_FLAG(std::string, hostile, "",
          "Attack instead: all, or one of bomb checksum deaf half-open garbage greedy.");
ABSL_FLAG(double, attacks_per_second, 2, "By each hostile device.");
ABSL_FLAG(std::string, ledger, "", "File to append every promise of the server to.");
ABSL_FLAG(std::string, verify, "", "Ledger to check against the archive, instead of uploading.");
ABSL_FLAG(bool, whole_archive, false,
          "With --verify: the ledger is of all who ever uploaded; look for duplicates.");
ABSL_FLAG(std::string, write_crash, "",
          "Folder to write the files of crash --first into, instead of uploading.");
ABSL_FLAG(std::string, out, "", "File for the report; empty: standard output.");

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

void Write(const std::string& json) {
  if (absl::GetFlag(FLAGS_out).empty()) {
    std::cout << json << std::endl;
  } else {
    std::ofstream(absl::GetFlag(FLAGS_out)) << json << "\n";
  }
}

absl::StatusOr<Connection> IngestConnection() {
  Connection connection{absl::GetFlag(FLAGS_ingest), nullptr, absl::GetFlag(FLAGS_tls_name)};
  ASSIGN_OR_RETURN(
      connection.credentials,
      MakeCredentials(absl::GetFlag(FLAGS_ca), absl::GetFlag(FLAGS_certificate), absl::GetFlag(FLAGS_key)));
  return connection;
}

absl::StatusOr<Connection> ArchiveConnection() {
  Connection connection{absl::GetFlag(FLAGS_archive), nullptr, absl::GetFlag(FLAGS_tls_name)};
  ASSIGN_OR_RETURN(connection.credentials,
                   MakeCredentials(absl::GetFlag(FLAGS_archive_ca), absl::GetFlag(FLAGS_archive_certificate),
                                   absl::GetFlag(FLAGS_archive_key)));
  return connection;
}

// Runs `task(number)` on as many threads, and waits for all.
template <typename Task>
void Together(int threads, Task task) {
  std::vector<std::thread> running;
  for (int i = 0; i < threads; ++i) running.emplace_back(task, i);
  for (std::thread& thread : running) thread.join();
}

using Bodies = std::vector<std::unique_ptr<const CrashBody>>;

absl::StatusOr<CrashPlan> Plan() {
  ASSIGN_OR_RETURN(CrashPlan plan, ParsePlan(absl::GetFlag(FLAGS_plan)));
  plan.encoding = absl::GetFlag(FLAGS_zstd) ? BodyEncoding::kZstd : BodyEncoding::kRaw;
  plan.seed = absl::GetFlag(FLAGS_seed);
  return plan;
}

// For programs that upload files.
absl::Status WriteCrash() {
  ASSIGN_OR_RETURN(const CrashPlan plan, Plan());
  ASSIGN_OR_RETURN(std::vector<CorpusCase> cases, ReadCases(absl::GetFlag(FLAGS_corpus)));
  for (const auto& [name, bytes] : CrashMaker(plan, std::move(cases)).Regions(absl::GetFlag(FLAGS_first))) {
    std::ofstream file(absl::StrCat(absl::GetFlag(FLAGS_write_crash), "/", name), std::ios::binary);
    if (!(file << bytes)) return absl::UnavailableError(absl::StrCat("cannot write ", name));
  }
  return absl::OkStatus();
}

absl::StatusOr<Bodies> MakeBodies() {
  ASSIGN_OR_RETURN(const CrashPlan plan, Plan());
  ASSIGN_OR_RETURN(std::vector<CorpusCase> cases, ReadCases(absl::GetFlag(FLAGS_corpus)));
  const CrashMaker maker(plan, std::move(cases));
  uint64_t count = absl::GetFlag(FLAGS_bodies);
  if (count == 0) count = std::max<uint64_t>(1, absl::GetFlag(FLAGS_memory) / plan.bytes);
  if (absl::GetFlag(FLAGS_crashes) > 0) count = std::min(count, absl::GetFlag(FLAGS_crashes));
  Bodies bodies(count);
  std::atomic<uint64_t> next{0};
  Together(2, [&](int) {
    for (uint64_t i = next++; i < count; i = next++) bodies[i] = maker.Make(i);
  });
  return bodies;
}

// Takes crashes out of the schedule until there are none.
void RunDevice(const Bodies& bodies, Device* device, Schedule* schedule, Report* report) {
  Clock* const clock = Clock::Real();
  while (std::optional<Schedule::Job> job = schedule->Next()) {
    const StampedCrash crash(bodies[job->number % bodies.size()].get(), job->number);
    const UploadOutcome outcome = device->Upload(crash, job->number);
    report->Add(outcome, *job, schedule->began(), clock->Now());
    if (outcome.kind != UploadOutcome::Kind::kRefused) {
      schedule->Done();
      continue;
    }
    ++job->refusals;
    // Exactly as long as the server asked for; without a word from it, a second.
    schedule->ComeBack(*job, clock->Now() + (outcome.delay_stated ? outcome.retry_delay : absl::Seconds(1)));
  }
}

absl::Status Upload() {
  ASSIGN_OR_RETURN(const Connection connection, IngestConnection());
  ASSIGN_OR_RETURN(const Bodies bodies, MakeBodies());
  std::unique_ptr<Ledger> ledger;
  if (!absl::GetFlag(FLAGS_ledger).empty()) {
    ASSIGN_OR_RETURN(ledger, Ledger::Open(absl::GetFlag(FLAGS_ledger)));
  }
  const Device::Options options = {
      .connection = connection,
      .habits = {.bytes_per_second = absl::GetFlag(FLAGS_link_bytes_per_second),
                 .cut_after_bytes = absl::GetFlag(FLAGS_cut_after),
                 .finish_in_stream = absl::GetFlag(FLAGS_finish_in_stream)},
      .reconnect = absl::GetFlag(FLAGS_reconnect),
      .name_devices = absl::GetFlag(FLAGS_name_devices),
      .fleet = std::max<uint64_t>(1, absl::GetFlag(FLAGS_fleet)),
  };
  Clock* const clock = Clock::Real();
  const double cpu_before = CpuSeconds();
  std::vector<std::unique_ptr<Device>> devices(
      static_cast<size_t>(std::max(1, absl::GetFlag(FLAGS_devices))));
  Together(static_cast<int>(devices.size()), [&](int number) {
    devices[number] = std::make_unique<Device>(options, clock, ledger.get());
    if (absl::GetFlag(FLAGS_connect_first)) devices[number]->WaitUntilConnected();
  });
  Schedule schedule({.first = absl::GetFlag(FLAGS_first),
                     .crashes = absl::GetFlag(FLAGS_crashes),
                     .per_second = absl::GetFlag(FLAGS_rate),
                     .duration = absl::GetFlag(FLAGS_duration)},
                    clock);
  Report report;
  Together(static_cast<int>(devices.size()),
           [&](int number) { RunDevice(bodies, devices[number].get(), &schedule, &report); });
  Write(report.Json(schedule, clock->Now() - schedule.began(), CpuSeconds() - cpu_before));
  return absl::OkStatus();
}

absl::Status AttackServer() {
  ASSIGN_OR_RETURN(const Connection connection, IngestConnection());
  std::vector<Attack> attacks;
  for (int i = 0; i < kAttacks; ++i) {
    const auto attack = static_cast<Attack>(i);
    const std::string wanted = absl::GetFlag(FLAGS_hostile);
    if (wanted == "all" || wanted == AttackName(attack)) attacks.push_back(attack);
  }
  if (attacks.empty()) return absl::InvalidArgumentError("--hostile: no such attack");
  Clock* const clock = Clock::Real();
  const absl::Time end = clock->Now() + absl::GetFlag(FLAGS_duration);
  absl::Mutex mutex;
  AttackCounts all;
  Together(absl::GetFlag(FLAGS_devices), [&](int number) {
    const AttackCounts counts = RunAttacks(attacks[static_cast<size_t>(number) % attacks.size()], connection,
                                           number, absl::GetFlag(FLAGS_attacks_per_second), end, clock);
    const absl::MutexLock lock(&mutex);
    for (const auto& [what, count] : counts) all[what] += count;
  });
  Write(nlohmann::ordered_json{{"attacks", all}}.dump(1));
  return absl::OkStatus();
}

absl::StatusOr<bool> Verify() {
  ASSIGN_OR_RETURN(const LedgerEntries ledger, ReadLedger(absl::GetFlag(FLAGS_verify)));
  ASSIGN_OR_RETURN(const Connection ingest, IngestConnection());
  ASSIGN_OR_RETURN(const Connection archive, ArchiveConnection());
  ASSIGN_OR_RETURN(const Verdict verdict,
                   VerifyLedger(ledger, archive, ingest, absl::GetFlag(FLAGS_whole_archive)));
  Write(nlohmann::ordered_json{{"good", verdict.good()},
                               {"promised", verdict.promised},
                               {"read_back", verdict.read_back},
                               {"bytes", verdict.bytes},
                               {"lost", verdict.lost},
                               {"wrong", verdict.wrong},
                               {"duplicates", verdict.duplicates},
                               {"unknown", verdict.unknown},
                               {"lost_chunks", verdict.lost_chunks},
                               {"unanswered", verdict.unanswered},
                               {"details", verdict.details}}
            .dump(1));
  return verdict.good();
}

absl::StatusOr<bool> Run() {
  if (!absl::GetFlag(FLAGS_verify).empty()) return Verify();
  if (!absl::GetFlag(FLAGS_write_crash).empty()) {
    RETURN_IF_ERROR(WriteCrash());
    return true;
  }
  RETURN_IF_ERROR(absl::GetFlag(FLAGS_hostile).empty() ? Upload() : AttackServer());
  return true;
}

}  // namespace
}  // namespace corefleet

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("plays many devices against a corefleetd; tests/bench/README.md");
  absl::ParseCommandLine(argc, argv);
  const absl::StatusOr<bool> good = corefleet::Run();
  if (good.ok()) return *good ? 0 : 1;
  std::cerr << "corefleet-load: " << good.status() << "\n";
  return 2;
}
