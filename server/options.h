#ifndef COREFLEET_SERVER_OPTIONS_H_
#define COREFLEET_SERVER_OPTIONS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/log.h"
#include "server/admission/admission.h"
#include "server/reconcile/reconciler.h"

namespace corefleet {

// PEM files of one port. All empty: it speaks plaintext.
struct TlsFiles {
  std::string certificate;  // the chain, the port's own first
  std::string key;
  std::string
      client_roots;  // who signs the certificates of those who may connect; empty: nobody is asked for one
};

// What the operator decides. Made from the command line once, checked once, then passed by reference.
struct ServerOptions {
  // Holds the segments and, without `database`, the private database.
  std::string data_dir;
  // libpq's connection string or URI of the operator's own PostgreSQL; empty: a private one in data_dir.
  std::string database;
  // "host:port"; port 0 takes a free one.
  std::string ingest_address = "127.0.0.1:7443";
  std::string archive_address = "127.0.0.1:7444";
  std::string http_address = "127.0.0.1:7480";
  // Plaintext on addresses that others can reach.
  bool insecure = false;
  TlsFiles ingest_tls;
  TlsFiles archive_tls;
  TlsFiles http_tls;
  // Engineers who come with a token: a line NAME:ROLE:SHA256 each. Empty: none do.
  std::string archive_tokens;
  // Whom the private database runs as when this process is root.
  std::string postgres_user = "postgres";
  // The operator's rules about crashes (docs/admission.md). Empty: every crash is wanted.
  std::string rules;
  AdmissionLimits admission;
  // Says what a rules file means, and serves nothing. Empty: serve.
  std::string check_rules;
  // Threads that wait for disk and database. Verifying has threads of its own, as many as there are cores.
  int workers = 48;
  absl::Duration session_ttl = absl::Hours(7 * 24);
  // An upload on which no chunk comes for so long is ended.
  absl::Duration stall = absl::Seconds(60);
  // How often the server asks its own ports whether they answer; after three misses it ends. Zero: never.
  absl::Duration watchdog_interval = absl::Seconds(5);
  // How rows and packs are compared, and what becomes of packs that no row names.
  ReconcileOptions reconcile;
  LogLevel log_level = LogLevel::kInfo;
};

// INVALID_ARGUMENT, in words for the operator, for the first rule that is broken.
absl::Status Validate(const ServerOptions& options);

// An address "host:port" and its parts; "[::1]:80" has the host "::1".
struct HostPort {
  std::string host;
  int port = 0;
};
//   INVALID_ARGUMENT  it is none
absl::StatusOr<HostPort> ParseHostPort(absl::string_view address);

// True for addresses that only this machine reaches: 127.0.0.0/8, ::1 and localhost.
bool IsLoopback(absl::string_view host);

// "never", "auto", "always". INVALID_ARGUMENT for any other word.
absl::StatusOr<OrphanRelease> ParseOrphanRelease(absl::string_view word);

// "debug", "info", "warning", "error". INVALID_ARGUMENT for any other word.
absl::StatusOr<LogLevel> ParseLogLevel(absl::string_view word);

}  // namespace corefleet

#endif  // COREFLEET_SERVER_OPTIONS_H_
