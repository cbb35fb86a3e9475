#include "server/options.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"

namespace corefleet {
namespace {

constexpr int kMaxWorkers = 256;
constexpr absl::Duration kLeastOrphanGrace = absl::Hours(1);

absl::Status ValidateAddress(absl::string_view port, const std::string& address, bool tls, bool insecure) {
  const auto parsed = ParseHostPort(address);
  if (!parsed.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("--", port, "_address: ", parsed.status().message()));
  }
  if (tls || insecure || IsLoopback(parsed->host)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--", port, "_address=", address,
                   " can be reached from other machines, and whoever reaches it sends and reads kernel "
                   "memory in plain text. "
                   "Give --",
                   port, "_cert and --", port,
                   "_key (deploy/certificates makes some to try), or --insecure if that "
                   "is what you want."));
}

absl::Status ValidateTls(absl::string_view port, const TlsFiles& files) {
  if (files.certificate.empty() == files.key.empty() &&
      (!files.certificate.empty() || files.client_roots.empty())) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("--", port, "_cert and --", port, "_key go together, and the client roots need both"));
}

absl::Status ValidatePorts(const ServerOptions& options) {
  RETURN_IF_ERROR(ValidateTls("ingest", options.ingest_tls));
  RETURN_IF_ERROR(ValidateTls("archive", options.archive_tls));
  RETURN_IF_ERROR(ValidateTls("http", options.http_tls));
  const bool ingest_tls = !options.ingest_tls.certificate.empty();
  const bool archive_tls = !options.archive_tls.certificate.empty();
  if (ingest_tls && options.ingest_tls.client_roots.empty()) {
    return absl::InvalidArgumentError(
        "--ingest_cert needs --ingest_client_roots: a device is who its certificate says, and nobody else");
  }
  if (archive_tls && options.archive_tls.client_roots.empty() && options.archive_tokens.empty()) {
    return absl::InvalidArgumentError(
        "--archive_cert needs --archive_client_roots or --archive_tokens, or else nobody could read "
        "anything");
  }
  RETURN_IF_ERROR(ValidateAddress("ingest", options.ingest_address, ingest_tls, options.insecure));
  RETURN_IF_ERROR(ValidateAddress("archive", options.archive_address, archive_tls, options.insecure));
  return ValidateAddress("http", options.http_address, !options.http_tls.certificate.empty(),
                         options.insecure);
}

absl::Status ValidateAdmission(const AdmissionLimits& limits) {
  if (limits.device_crashes_per_hour < 0 || limits.fleet_crashes_per_second < 0 ||
      limits.fleet_bytes_per_second < 0) {
    return absl::InvalidArgumentError(
        "--device_crashes_per_hour, --fleet_crashes_per_second and "
        "--fleet_bytes_per_second are 0 (no limit) or more");
  }
  if (limits.device_burst < 1) {
    return absl::InvalidArgumentError("--device_burst is less than 1: no device could bring a crash");
  }
  if (limits.fleet_burst < absl::Milliseconds(100) || limits.fleet_burst > absl::Hours(1)) {
    return absl::InvalidArgumentError("--fleet_burst is not between 100ms and 1h");
  }
  if (limits.in_flight.work.most < 1 || limits.min_free_bytes < 1) {
    return absl::InvalidArgumentError("--bytes_in_flight and --min_free_bytes are 1 or more");
  }
  if (limits.database.slow < absl::Milliseconds(1) || limits.database.backlog < 1) {
    return absl::InvalidArgumentError("--slow_database is a millisecond at least, --max_analysis_backlog 1");
  }
  if (limits.in_flight.work.long_wait < absl::Milliseconds(1)) {
    return absl::InvalidArgumentError("--long_wait is a millisecond at least");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<HostPort> ParseHostPort(absl::string_view address) {
  const size_t colon = address.rfind(':');
  HostPort parsed;
  if (colon == absl::string_view::npos || colon == 0 ||
      !absl::SimpleAtoi(address.substr(colon + 1), &parsed.port) || parsed.port < 0 || parsed.port > 65535) {
    return absl::InvalidArgumentError(absl::StrCat("\"", address, "\" is not host:port"));
  }
  absl::string_view host = address.substr(0, colon);
  if (absl::ConsumePrefix(&host, "[") && !absl::ConsumeSuffix(&host, "]")) {
    return absl::InvalidArgumentError(absl::StrCat("\"", address, "\" lacks a ]"));
  }
  parsed.host = std::string(host);
  return parsed;
}

bool IsLoopback(absl::string_view host) {
  if (host == "localhost") return true;
  const std::string text(host);
  in_addr v4;
  if (inet_pton(AF_INET, text.c_str(), &v4) == 1) return ntohl(v4.s_addr) >> 24 == 127;
  in6_addr v6;
  return inet_pton(AF_INET6, text.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

absl::StatusOr<OrphanRelease> ParseOrphanRelease(absl::string_view word) {
  if (word == "never") return OrphanRelease::kNever;
  if (word == "auto") return OrphanRelease::kAuto;
  if (word == "always") return OrphanRelease::kAlways;
  return absl::InvalidArgumentError(
      absl::StrCat("--release_orphans=", word, " is none of never, auto, always"));
}

absl::StatusOr<LogLevel> ParseLogLevel(absl::string_view word) {
  if (word == "debug") return LogLevel::kDebug;
  if (word == "info") return LogLevel::kInfo;
  if (word == "warning") return LogLevel::kWarning;
  if (word == "error") return LogLevel::kError;
  return absl::InvalidArgumentError(
      absl::StrCat("--log_level=", word, " is none of debug, info, warning, error"));
}

absl::Status Validate(const ServerOptions& options) {
  if (options.data_dir.empty()) {
    return absl::InvalidArgumentError(
        options.database.empty()
            ? "where shall crashes be kept? Give --data_dir=DIR: the directory is made if it is not there, "
              "and holds "
              "everything, a private database too"
            : "--database keeps the index elsewhere, and the crashes' bytes still need --data_dir=DIR");
  }
  RETURN_IF_ERROR(ValidatePorts(options));
  if (options.workers < 1 || options.workers > kMaxWorkers) {
    return absl::InvalidArgumentError(
        absl::StrCat("--workers is ", options.workers, " and not 1 to ", kMaxWorkers));
  }
  if (options.watchdog_interval < absl::ZeroDuration()) {
    return absl::InvalidArgumentError("--watchdog_interval is negative");
  }
  RETURN_IF_ERROR(ValidateAdmission(options.admission));
  if (options.stall < absl::Seconds(1)) {
    return absl::InvalidArgumentError("--stall is shorter than a second: no slow link could keep up");
  }
  if (options.session_ttl < absl::Minutes(1)) {
    return absl::InvalidArgumentError("--session_ttl is shorter than a minute: no upload could resume");
  }
  if (options.reconcile.grace < kLeastOrphanGrace) {
    return absl::InvalidArgumentError(
        "--orphan_grace is shorter than an hour: a pack could be released whose row is on its way");
  }
  return absl::OkStatus();
}

}  // namespace corefleet
