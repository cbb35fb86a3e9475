#include "server/flags.h"

#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/flags/usage_config.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

ABSL_FLAG(std::string, data_dir, "", "Where crashes are kept. Made if it is not there. Needed.");
ABSL_FLAG(std::string, database, "",
          "PostgreSQL of your own for the index, as a libpq URI (postgresql://user@host/db). "
          "Without it a private one runs in --data_dir.");
ABSL_FLAG(std::string, ingest_address, "127.0.0.1:7443",
          "host:port for devices (gRPC). Port 0: any free one.");
ABSL_FLAG(std::string, archive_address, "127.0.0.1:7444", "host:port for engineers (gRPC).");
ABSL_FLAG(std::string, http_address, "127.0.0.1:7480", "host:port for /metrics, /healthz and /readyz.");
ABSL_FLAG(std::string, ingest_cert, "",
          "TLS for devices: the port's certificate chain, PEM. Read again when it changes.");
ABSL_FLAG(std::string, ingest_key, "", "The key of --ingest_cert, PEM.");
ABSL_FLAG(std::string, ingest_client_roots, "", "Who signs devices' certificates, PEM. Devices need one.");
ABSL_FLAG(std::string, archive_cert, "", "TLS for engineers: the port's certificate chain, PEM.");
ABSL_FLAG(std::string, archive_key, "", "The key of --archive_cert, PEM.");
ABSL_FLAG(std::string, archive_client_roots, "", "Who signs engineers' certificates, PEM.");
ABSL_FLAG(std::string, archive_tokens, "",
          "Engineers who come with a token: lines NAME:ROLE:SHA256, ROLE one of viewer, engineer, admin.");
ABSL_FLAG(std::string, http_cert, "", "TLS for the HTTP port: its certificate chain, PEM.");
ABSL_FLAG(std::string, http_key, "", "The key of --http_cert, PEM.");
ABSL_FLAG(bool, insecure, false, "Allow plaintext on addresses that other machines can reach.");
ABSL_FLAG(std::string, postgres_user, "postgres",
          "Whom the private PostgreSQL runs as when corefleetd is root; PostgreSQL refuses root.");
ABSL_FLAG(std::string, rules, "",
          "Rules about crashes (docs/admission.md): a file, read again when it changes and on SIGHUP.");
ABSL_FLAG(std::string, check_rules, "", "Say what this rules file means, or what is wrong with it, and end.");
ABSL_FLAG(double, device_crashes_per_hour, 360, "What one device may bring on the long run. 0: no limit.");
ABSL_FLAG(uint32_t, device_burst, 240, "What one device may bring at once.");
ABSL_FLAG(double, fleet_crashes_per_second, 0, "What all devices together may bring. 0: no limit.");
ABSL_FLAG(double, fleet_bytes_per_second, 0,
          "The same in bytes, as crashes are announced, which any device may do without bringing them. "
          "0: no limit.");
ABSL_FLAG(absl::Duration, fleet_burst, absl::Seconds(5),
          "The fleet may bring at once what it may bring in so long.");
ABSL_FLAG(uint64_t, bytes_in_flight, uint64_t{2} << 30,
          "What open uploads may have to bring at most before no more are opened; "
          "the server finds out by itself how much less it can work on at a time.");
ABSL_FLAG(uint64_t, min_free_bytes, 64 << 20,
          "No crash is let in while the disk has fewer free bytes than this and what is on its way.");
ABSL_FLAG(absl::Duration, slow_database, absl::Seconds(2),
          "No crash is let in while the database needs longer than this for a question.");
ABSL_FLAG(uint64_t, max_analysis_backlog, 20'000,
          "No crash is let in while more than so many wait for analysis.");
ABSL_FLAG(
    absl::Duration, long_wait, absl::Milliseconds(100),
    "Fewer crashes are let in at a time while the server's own part of a step takes longer than at its best "
    "by more than this.");
ABSL_FLAG(int, workers, 48, "Threads that wait for the disk and the database.");
ABSL_FLAG(absl::Duration, session_ttl, absl::Hours(7 * 24), "How long a broken-off upload can resume.");
ABSL_FLAG(absl::Duration, stall, absl::Seconds(60),
          "An upload on which no chunk comes for this long is ended; its device may resume it.");
ABSL_FLAG(absl::Duration, watchdog_interval, absl::Seconds(5),
          "How often the server asks its own ports whether they answer; after three misses it ends with 75. "
          "0: never.");
ABSL_FLAG(
    std::string, release_orphans, "auto",
    "Whether packs that no row names give their room back: never, auto (unless there are more of them than "
    "can be true), always.");
ABSL_FLAG(absl::Duration, orphan_grace, absl::Hours(24),
          "For how long such a pack stays in any case. An hour at least.");
ABSL_FLAG(uint64_t, scrub_bytes_per_day, uint64_t{64} << 30,
          "How much of what is stored is checked against its digests in a day. 0: nothing.");
ABSL_FLAG(std::string, log_level, "info", "debug, info, warning or error.");

namespace corefleet {
namespace {

constexpr char kUsage[] =
    "takes the crashes of a fleet's kernels, understands them, and gives them to engineers.\n\n"
    "  corefleetd --data_dir=/var/lib/corefleet\n\n"
    "is a whole system: it runs a private PostgreSQL in that directory (the package postgresql must be\n"
    "installed). When it is ready it writes the addresses that it listens on to DATA_DIR/addresses.\n"
    "SIGTERM and SIGINT stop it gently.\n";

void ConfigureHelp() {
  absl::SetProgramUsageMessage(kUsage);
  absl::FlagsUsageConfig config;
  // --help shows what is ours, and not the flags of the libraries.
  const auto ours = [](absl::string_view file) { return absl::EndsWith(file, "server/flags.cc"); };
  config.contains_help_flags = ours;
  config.contains_helpshort_flags = ours;
  config.version_string = [] { return std::string("corefleetd 0.1.0\n"); };
  absl::SetFlagsUsageConfig(config);
}

// What shut the door at one mark opens it again at another: half as much, for the disk half as much more.
AdmissionLimits AdmissionFromFlags() {
  AdmissionLimits limits;
  limits.device_crashes_per_hour = absl::GetFlag(FLAGS_device_crashes_per_hour);
  limits.device_burst = absl::GetFlag(FLAGS_device_burst);
  limits.fleet_crashes_per_second = absl::GetFlag(FLAGS_fleet_crashes_per_second);
  limits.fleet_bytes_per_second = absl::GetFlag(FLAGS_fleet_bytes_per_second);
  limits.fleet_burst = absl::GetFlag(FLAGS_fleet_burst);
  limits.in_flight.work.most = absl::GetFlag(FLAGS_bytes_in_flight);
  limits.in_flight.work.long_wait = absl::GetFlag(FLAGS_long_wait);
  limits.min_free_bytes = absl::GetFlag(FLAGS_min_free_bytes);
  limits.free_bytes_again = limits.min_free_bytes + limits.min_free_bytes / 2;
  limits.database = {.slow = absl::GetFlag(FLAGS_slow_database),
                     .quick = absl::GetFlag(FLAGS_slow_database) / 2,
                     .backlog = absl::GetFlag(FLAGS_max_analysis_backlog),
                     .backlog_again = absl::GetFlag(FLAGS_max_analysis_backlog) / 2};
  return limits;
}

}  // namespace

absl::StatusOr<ServerOptions> OptionsFromCommandLine(int argc, char** argv) {
  ConfigureHelp();
  const std::vector<char*> rest = absl::ParseCommandLine(argc, argv);
  if (rest.size() > 1)
    return absl::InvalidArgumentError(absl::StrCat("what is \"", rest[1], "\"? See --help"));
  ServerOptions options{
      .data_dir = absl::GetFlag(FLAGS_data_dir),
      .database = absl::GetFlag(FLAGS_database),
      .ingest_address = absl::GetFlag(FLAGS_ingest_address),
      .archive_address = absl::GetFlag(FLAGS_archive_address),
      .http_address = absl::GetFlag(FLAGS_http_address),
      .insecure = absl::GetFlag(FLAGS_insecure),
      .ingest_tls = {.certificate = absl::GetFlag(FLAGS_ingest_cert),
                     .key = absl::GetFlag(FLAGS_ingest_key),
                     .client_roots = absl::GetFlag(FLAGS_ingest_client_roots)},
      .archive_tls = {.certificate = absl::GetFlag(FLAGS_archive_cert),
                      .key = absl::GetFlag(FLAGS_archive_key),
                      .client_roots = absl::GetFlag(FLAGS_archive_client_roots)},
      .http_tls = {.certificate = absl::GetFlag(FLAGS_http_cert), .key = absl::GetFlag(FLAGS_http_key)},
      .archive_tokens = absl::GetFlag(FLAGS_archive_tokens),
      .postgres_user = absl::GetFlag(FLAGS_postgres_user),
      .workers = absl::GetFlag(FLAGS_workers),
      .session_ttl = absl::GetFlag(FLAGS_session_ttl),
      .stall = absl::GetFlag(FLAGS_stall),
      .watchdog_interval = absl::GetFlag(FLAGS_watchdog_interval)};
  ASSIGN_OR_RETURN(options.reconcile.release, ParseOrphanRelease(absl::GetFlag(FLAGS_release_orphans)));
  options.reconcile.grace = absl::GetFlag(FLAGS_orphan_grace);
  options.reconcile.scrub_bytes_per_day = absl::GetFlag(FLAGS_scrub_bytes_per_day);
  ASSIGN_OR_RETURN(options.log_level, ParseLogLevel(absl::GetFlag(FLAGS_log_level)));
  options.rules = absl::GetFlag(FLAGS_rules);
  options.admission = AdmissionFromFlags();
  options.check_rules = absl::GetFlag(FLAGS_check_rules);
  if (!options.check_rules.empty()) return options;
  RETURN_IF_ERROR(Validate(options));
  return options;
}

}  // namespace corefleet
