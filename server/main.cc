// corefleetd: wiring only. What it does is in the rooms below.

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "core/kdump/reader/child_dump_opener.h"
#include "core/kdump/reader/reader_main.h"
#include "server/address_file.h"
#include "server/admission_setup.h"
#include "server/analysis/analyzer.h"
#include "server/analysis/turns.h"
#include "server/archive/archive.h"
#include "server/flags.h"
#include "server/http/http_server.h"
#include "server/ingest/ingestor.h"
#include "server/ingest/session_expiry.h"
#include "server/metrics/index_gauges.h"
#include "server/metrics/server_metrics.h"
#include "server/port_identities.h"
#include "server/process_tuning.h"
#include "server/readiness.h"
#include "server/reconcile/reconcile_schedule.h"
#include "server/reconcile/reconciler.h"
#include "server/rpc/archive_service.h"
#include "server/rpc/grpc_log.h"
#include "server/rpc/health_probe.h"
#include "server/rpc/ingest_service.h"
#include "server/rpc/rpc_server.h"
#include "server/storage_setup.h"
#include "server/watchdog/descriptor_limit.h"
#include "server/watchdog/own_certificate.h"
#include "server/watchdog/watchdog.h"

namespace corefleet {
namespace {

constexpr int kMaxCalls = 4096;
// What gRPC may buffer for devices. Hundreds of slow ones, who are the rule, have to stay below four fifths
// of what many may have, for from there on all windows shrink.
constexpr CallBuffers::Sizes kDeviceBuffers = {.few = 16, .few_bytes = 768 << 20, .many_bytes = 96 << 20};
// A message of chunks has 2 MiB of them. A device needs a stream and a call; a gateway, one connection for
// each few devices.
constexpr int kDeviceMessage = (2 << 20) + (256 << 10);
constexpr int kArchiveThreads = 4;
// Work in flight with which devices keep a small machine busy: a few crashes at once.
constexpr uint64_t kBusyWork = 8 << 20;
constexpr absl::Duration kDrain = absl::Seconds(5);
// sysexits.h's EX_TEMPFAIL: start it again.
constexpr int kWatchdogGaveUp = 75;

// As many as can compute at once. One more core is of use to nobody when there is but one.
int Verifiers() { return static_cast<int>(std::max(2u, std::thread::hardware_concurrency())); }

// The rims and server/metrics do not know each other.
class RpcCounter : public RpcMetrics {
 public:
  explicit RpcCounter(ServerMetrics* metrics) : metrics_(metrics) {}
  void RpcDone(absl::string_view method, absl::StatusCode code, absl::Duration took) override {
    metrics_->RpcDone(method, code, took);
  }

 private:
  ServerMetrics* const metrics_;
};

// What the devices' calls wait for a worker tells admission how much may be in flight.
class IngestCounter final : public RpcCounter {
 public:
  IngestCounter(ServerMetrics* metrics, BytesInFlight* in_flight, const Clock* clock)
      : RpcCounter(metrics), in_flight_(in_flight), clock_(clock) {}
  void Waited(absl::Duration wait) override { in_flight_->Took(ServerPart::kWorker, wait, clock_->Now()); }

 private:
  BytesInFlight* const in_flight_;
  const Clock* const clock_;
};

class IdentityCounter final : public IdentityMetrics {
 public:
  explicit IdentityCounter(ServerMetrics* metrics) : metrics_(metrics) {}
  void FilesReloaded(absl::string_view what, bool loaded) override { metrics_->FilesReloaded(what, loaded); }
  void CertificateShown(absl::string_view port, absl::Time not_after) override {
    metrics_->CertificateShown(port, not_after);
  }

 private:
  ServerMetrics* const metrics_;
};

// Every thread that is started from here on leaves the signals to the one that waits for them.
sigset_t BlockStopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return signals;
}

// A port that is full closes the watchdog's connection as well, and that is an answer.
Watchdog::Port Watched(const char* name, const RpcServer& server, bool tls, const OwnCertificate& own,
                       Clock* clock) {
  const HealthProbe probe{
      .address = server.address(), .tls = tls, .certificate = own.certificate, .key = own.key};
  return {.name = name, .ask = [&server, probe, clock](absl::Duration timeout) {
            const int64_t refused = server.refused();
            const absl::Status answer = probe.Ask(clock, timeout);
            return server.refused() > refused ? absl::OkStatus() : answer;
          }};
}

std::string FrontPage(const std::string& ingest, const std::string& archive) {
  return absl::StrCat("corefleetd\n\ndevices   ", ingest, " (gRPC corefleet.v1.CrashIngest)\nengineers ",
                      archive, " (gRPC corefleet.v1.CrashArchive)\nhttp      /metrics /healthz /readyz\n");
}

absl::Status Serve(const ServerOptions& options, const sigset_t& stop_signals) {
  Clock* const clock = Clock::Real();
  ASSIGN_OR_RETURN(const int descriptors, RaiseDescriptorLimit());
  const DescriptorShares shares = ShareDescriptors(descriptors);
  ASSIGN_OR_RETURN(const OwnCertificate own, MakeOwnCertificate(clock->Now()));
  ServerMetrics metrics;
  IdentityCounter identity_counter(&metrics);
  ASSIGN_OR_RETURN(const auto identities,
                   PortIdentities::Read(options, own.certificate, clock, &identity_counter));
  ASSIGN_OR_RETURN(const ServerStorage storage, OpenStorage(options, clock));
  CrashIndex* const index = storage.index.get();
  PackStore* const store = storage.store.get();

  IngestLimits limits;
  limits.session_ttl = options.session_ttl;
  limits.stall = options.stall;
  limits.min_free_bytes = options.admission.min_free_bytes;
  // Compressed dumps are copied beside the segments to be read, and never take the room that uploads need.
  ChildDumpOpener::Options dumps;
  dumps.scratch_folder = storage.data_dir->path();
  dumps.min_free_bytes += limits.min_free_bytes;
  const ChildDumpOpener opener(dumps);
  IndexGauges gauges(index, store, clock);
  RpcCounter rpc_counter(&metrics);
  CrashReader reader({.index = index, .store = store, .clock = clock, .metrics = &metrics, .opener = &opener},
                     {});
  ASSIGN_OR_RETURN(const auto admission, ServerAdmission::Start(options, index, clock));
  BytesInFlight* const in_flight = admission->admission()->in_flight();
  Turns turns([in_flight, clock] { return in_flight->standing(clock->Now()).work >= kBusyWork; }, clock, {});
  Analyzer analyzer(&reader, 1, absl::Seconds(1), &turns);
  Ingestor ingestor({.index = index,
                     .store = store,
                     .clock = clock,
                     .metrics = &metrics,
                     .crash_received = [&analyzer] { analyzer.Wake(); },
                     .admission = admission->admission(),
                     .refusals = admission->refusals()},
                    limits);
  if (const absl::Status recalled = ingestor.Recall(); !recalled.ok()) {
    Log(LogLevel::kWarning, "open uploads are not recalled", {{"why", recalled.ToString()}});
  }
  const SessionExpiry session_expiry(index, &ingestor, clock, &metrics);
  // Begins with what the last run left behind, beside the first uploads.
  Reconciler reconciler({.index = index, .store = store, .clock = clock, .metrics = &metrics},
                        options.reconcile);
  const ReconcileSchedule reconcile_schedule(&reconciler, {});
  Archive archive(index, store, &opener);

  IngestCounter ingest_counter(&metrics, in_flight, clock);
  CallBuffers device_buffers(kDeviceBuffers);
  Rim ingest_rim(options.workers, kMaxCalls, clock, &ingest_counter, Verifiers(), &device_buffers);
  IngestService ingest_service(&ingest_rim, &ingestor);
  const RpcLimits device_limits{.max_message_bytes = kDeviceMessage,
                                .buffers = &device_buffers,
                                .max_idle = absl::Minutes(5),
                                .max_age = absl::Minutes(30),
                                .max_descriptor = shares.ingest_below};
  ASSIGN_OR_RETURN(
      const auto ingest,
      RpcServer::Start(options.ingest_address, &ingest_service, v1::CrashIngest::service_full_name(),
                       device_limits, {.tls = identities->ingest, .on_connection = [&metrics](bool accepted) {
                                         metrics.ConnectionSeen("ingest", accepted);
                                       }}));
  Rim archive_rim(kArchiveThreads, kMaxCalls, clock, &rpc_counter);
  const ArchiveAccess access(identities->tokens);
  ArchiveService archive_service(&archive_rim, &archive, &access);
  ASSIGN_OR_RETURN(const auto engineers, RpcServer::Start(options.archive_address, &archive_service,
                                                          v1::CrashArchive::service_full_name(),
                                                          {.max_descriptor = shares.archive_below},
                                                          {.tls = identities->archive,
                                                           .clients = ClientCertificates::kOptional,
                                                           .reflection = true,
                                                           .on_connection = [&metrics](bool accepted) {
                                                             metrics.ConnectionSeen("archive", accepted);
                                                           }}));
  Readiness readiness(index, store, limits.min_free_bytes, [&](bool ready) {
    ingest->SetServing(ready);
    engineers->SetServing(ready);
  });
  ASSIGN_OR_RETURN(const HostPort http_address, ParseHostPort(options.http_address));
  ASSIGN_OR_RETURN(
      const auto http,
      HttpServer::Start(http_address.host, http_address.port,
                        {.metrics = [&] { return metrics.Scrape(gauges.Read(), admission->standing()); },
                         .ready = [&] { return readiness.status(); },
                         .front = FrontPage(ingest->address(), engineers->address())},
                        identities->http));
  const std::string http_at =
      absl::StrCat(options.http_address.substr(0, options.http_address.rfind(':')), ":", http->port());
  ASSIGN_OR_RETURN(auto addresses,
                   AddressFile::Write(storage.data_dir->path(), {{"ingest", ingest->address()},
                                                                 {"archive", engineers->address()},
                                                                 {"http", http_at}}));
  Log(LogLevel::kInfo, "listening",
      {{"ingest", ingest->address()}, {"archive", engineers->address()}, {"http", http_at}});

  std::optional<Watchdog> watchdog;
  if (options.watchdog_interval > absl::ZeroDuration()) {
    watchdog.emplace(Watchdog::Options{.every = options.watchdog_interval},
                     std::vector<Watchdog::Port>{
                         Watched("ingest", *ingest, identities->ingest != nullptr, own, clock),
                         Watched("archive", *engineers, identities->archive != nullptr, {}, clock)},
                     [] { _exit(kWatchdogGaveUp); });
  }

  int signal_number = 0;
  while (sigwait(&stop_signals, &signal_number) != 0 || signal_number == SIGHUP) admission->Reload();
  Log(LogLevel::kInfo, "stopping", {{"signal", std::to_string(signal_number)}});
  watchdog.reset();
  addresses.reset();
  ingest->SetServing(false);
  engineers->SetServing(false);
  ingest->Stop(kDrain);
  engineers->Stop(kDrain);
  return absl::OkStatus();
}

int CheckRules(const std::string& path) {
  const auto meaning = CheckRulesFile(path);
  if (meaning.ok()) {
    std::fputs(meaning->c_str(), stdout);
    return 0;
  }
  std::fprintf(stderr, "corefleetd: %s\n", std::string(meaning.status().message()).c_str());
  return 1;
}

}  // namespace
}  // namespace corefleet

int main(int argc, char** argv) {
  corefleet::MaybeRunKdumpReader(argc, argv);
  corefleet::TuneProcess();
  const auto options = corefleet::OptionsFromCommandLine(argc, argv);
  if (!options.ok()) {
    std::fprintf(stderr, "corefleetd: %s\n", std::string(options.status().message()).c_str());
    return 2;
  }
  if (!options->check_rules.empty()) return corefleet::CheckRules(options->check_rules);
  corefleet::SetLogLevel(options->log_level);
  corefleet::LogWhatGrpcSays();
  const sigset_t stop_signals = corefleet::BlockStopSignals();
  if (const absl::Status status = corefleet::Serve(*options, stop_signals); !status.ok()) {
    corefleet::Log(corefleet::LogLevel::kError, "cannot serve", {{"why", status.ToString()}});
    return 1;
  }
  corefleet::Log(corefleet::LogLevel::kInfo, "stopped");
  return 0;
}
