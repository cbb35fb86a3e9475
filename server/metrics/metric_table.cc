#include "server/metrics/metric_table.h"

#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace corefleet {
namespace {

constexpr auto kCounter = MetricType::kCounter;
constexpr auto kGauge = MetricType::kGauge;
constexpr auto kHistogram = MetricType::kHistogram;

constexpr MetricSpec kTable[] = {
    // Uploads.
    {"corefleet_sessions_begun_total", kCounter, "calls", "outcome: new, resuming, complete, refused, failed",
     "BeginCrash calls. `complete`: the crash was there already. `refused`: it breaks a rule, or the store "
     "is full. "
     "`failed`: the database did not answer."},
    {"corefleet_chunks_received_total", kCounter, "chunks", "", "Chunks that were verified."},
    {"corefleet_chunk_bytes_received_total", kCounter, "bytes", "",
     "Bytes of verified chunks, as they travelled."},
    {"corefleet_chunk_rejects_total", kCounter, "chunks", "reason: bounds, encoding, crc, content, conflict",
     "Chunks that were not taken. `crc`: damaged on the way. `content`: the frame or the digest is wrong. "
     "`conflict`: "
     "the session has this chunk with another digest."},
    {"corefleet_packs_written_total", kCounter, "packs", "",
     "Packs that became durable and were recorded. Those of a stream that were set aside share a sync and a "
     "transaction, and streams may share a sync."},
    {"corefleet_pack_bytes_written_total", kCounter, "bytes", "", "Bytes of these packs."},
    {"corefleet_pack_write_seconds", kHistogram, "seconds", "",
     "Making the packs of a stream durable: the last one's write, the store's sync, the index's "
     "transaction."},
    {"corefleet_crashes_received_total", kCounter, "crashes", "",
     "Crashes that became durable, whole or in part."},
    {"corefleet_sessions_expired_total", kCounter, "sessions", "",
     "Open uploads that were forgotten because their device did not come back in --session_ttl."},
    // Analysis.
    {"corefleet_analyses_total", kCounter, "attempts", "outcome: stored, retry, given_up",
     "Attempts to read a crash. `retry`: the store or the database failed. `given_up`: stored as UNREADABLE "
     "with the "
     "reason; look at the log."},
    {"corefleet_analysis_seconds", kHistogram, "seconds", "", "One attempt, from the claim to its end."},
    {"corefleet_searchable_seconds", kHistogram, "seconds", "", "From a crash's last byte to its facts."},
    // Reconciliation: what rows, packs and analyses have to say about each other.
    {"corefleet_ingest_difference", kGauge, "crashes", "",
     "offered - (accepted + refused + expired + pending). Not 0: a crash was lost, or counted twice."},
    {"corefleet_reconcile_lost_packs", kGauge, "packs", "how: missing, damaged",
     "Packs that rows name and that the store does not have whole, as of the last pass: lost bytes. The log "
     "says of which crashes."},
    {"corefleet_reconcile_unreadable_segments", kGauge, "segments", "",
     "Segments that could not be read in the last pass, so that nothing is known about their packs."},
    {"corefleet_reconcile_orphan_packs", kGauge, "packs", "",
     "Packs without a row that were left in the last pass: of open sessions, too new, or held back."},
    {"corefleet_reconcile_orphan_bytes", kGauge, "bytes", "", "Bytes of these packs."},
    {"corefleet_reconcile_lost_analyses", kGauge, "crashes", "",
     "Crashes that nobody would have analysed, found and requested again by the last pass."},
    {"corefleet_reconcile_holding_back", kGauge, "boolean", "",
     "1 when so many packs have no row that none is released: the database may be the wrong one."},
    {"corefleet_reconcile_pass_timestamp_seconds", kGauge, "seconds", "",
     "When the last pass over the whole store ended, in Unix time; 0 before the first."},
    {"corefleet_reconcile_adopted_packs_total", kCounter, "packs", "",
     "Packs whose row was lost with a process, and that got one at the next start."},
    {"corefleet_reconcile_released_packs_total", kCounter, "packs", "",
     "Packs without a row that gave their room back, one by one."},
    {"corefleet_reconcile_released_bytes_total", kCounter, "bytes", "", "Bytes of these packs."},
    {"corefleet_reconcile_removed_segments_total", kCounter, "segments", "",
     "Segments that nothing named and that were removed."},
    {"corefleet_scrubbed_bytes_total", kCounter, "bytes", "",
     "Bytes of packs whose chunks were checked against their digests."},
    {"corefleet_scrub_damaged_packs_total", kCounter, "packs", "",
     "Packs that failed this check. The log says of which crashes."},
    // Calls.
    {"corefleet_rpcs_total", kCounter, "calls",
     "method: the services' methods; code: the status codes, in words", "gRPC calls that ended."},
    {"corefleet_rpc_seconds", kHistogram, "seconds", "method: the services' methods",
     "gRPC calls from their start to their end; a stream lasts as long as its client keeps it."},
    // Connections, and who may make them.
    {"corefleet_connections_total", kCounter, "connections",
     "port: ingest, archive; outcome: accepted, refused",
     "Connections of the gRPC ports. `refused`: so many descriptors were in use that the rest is kept for "
     "what is "
     "under way."},
    {"corefleet_reloads_total", kCounter, "changes",
     "what: ingest_tls, archive_tls, http_tls, archive_tokens; outcome: loaded, refused",
     "Changed certificates, keys, roots and tokens that were read again. `refused`: they make no sense, and "
     "those "
     "before stay in force; look at the log."},
    {"corefleet_certificate_end_timestamp_seconds", kGauge, "seconds", "port: ingest, archive, http",
     "When the certificate that this port shows ends, since 1970; 0 for a port without TLS."},
    // Where every crash that was offered has gone. One snapshot of the index, read at most every two seconds,
    // so
    // that in every scrape offered = accepted + refused + expired + pending.
    {"corefleet_ingest_offered_total", kCounter, "crashes", "",
     "Crashes that devices offered, and those that devices say they lost before. One that is refused and "
     "comes back "
     "is offered again."},
    {"corefleet_ingest_accepted_total", kCounter, "crashes", "",
     "Offers that became crashes, whole or in part."},
    {"corefleet_ingest_refused_total", kCounter, "crashes",
     "reason: the reasons of docs/admission.md in lower case, and `other`", "Offers that were refused."},
    {"corefleet_ingest_expired_total", kCounter, "crashes",
     "reason: abandoned, damaged, never_sent, `device_` and a device's reason (docs/admission.md), and "
     "`other`",
     "Offers that ended without a crash, and what devices lost before they could offer it."},
    {"corefleet_ingest_pending", kGauge, "crashes", "", "Offers that were let in and are under way."},
    // Admission, in this process.
    {"corefleet_admission_kill_switch", kGauge, "boolean", "", "1 while the operator lets no crash in."},
    {"corefleet_admission_rules", kGauge, "rules", "", "Rules in force."},
    {"corefleet_admission_rules_good", kGauge, "boolean", "",
     "0 while the rules file is broken and the rules before it are in force; look at the log."},
    {"corefleet_admission_bytes_in_flight", kGauge, "bytes", "",
     "What open uploads still have to bring in the near future: the work in flight."},
    {"corefleet_admission_in_flight_limit_bytes", kGauge, "bytes", "",
     "How much that may be before no more are opened; it follows what the server's own parts take."},
    {"corefleet_admission_work_bytes_per_second", kGauge, "bytes a second", "",
     "How fast the server finishes work when it has enough of it; a place in the queue is worth that."},
    {"corefleet_admission_server_delay_seconds", kGauge, "seconds", "",
     "What the server's own parts take, workers, database and disk, on the average of the last second."},
    {"corefleet_admission_queue_seconds", kGauge, "seconds", "",
     "How long the last device in the queue waits for its turn."},
    {"corefleet_admission_store_full", kGauge, "boolean", "", "1 while the disk's mark lets no crash in."},
    {"corefleet_admission_database_busy", kGauge, "boolean", "",
     "1 while the database's marks let no crash in."},
    {"corefleet_admission_server_busy", kGauge, "boolean", "",
     "1 while crashes are refused because enough are in flight."},
    {"corefleet_admission_devices", kGauge, "devices", "", "Devices that are remembered, at most 100,000."},
    // What is stored. Read from the index at most every two seconds.
    {"corefleet_crashes", kGauge, "crashes", "state: RECEIVED, COMPLETE, PARTIAL, LOG_ONLY, UNREADABLE",
     "Crashes in the archive."},
    {"corefleet_crashes_weighted", kGauge, "crashes",
     "state: RECEIVED, COMPLETE, PARTIAL, LOG_ONLY, UNREADABLE",
     "What they stand for: a crash that a rule took one in N of counts N times. Those that are not read yet "
     "count once."},
    {"corefleet_build_crashes", kGauge, "crashes",
     "build_id: the 20 busiest builds, and `other`; release: of that build, empty for `other`",
     "Crashes by kernel build."},
    {"corefleet_build_crashes_weighted", kGauge, "crashes",
     "build_id: the 20 busiest builds, and `other`; release: of that build, empty for `other`",
     "What they stand for."},
    {"corefleet_taint_crashes", kGauge, "crashes", "letter: the kernel's own, `bit20` for a bit without one",
     "Crashes whose kernel had this taint flag at the end."},
    {"corefleet_taint_crashes_weighted", kGauge, "crashes",
     "letter: the kernel's own, `bit20` for a bit without one", "What they stand for."},
    {"corefleet_untainted_crashes", kGauge, "crashes", "", "Crashes whose kernel was not tainted."},
    {"corefleet_untainted_crashes_weighted", kGauge, "crashes", "", "What they stand for."},
    {"corefleet_analysis_backlog", kGauge, "crashes", "", "Crashes that wait for analysis."},
    {"corefleet_open_sessions", kGauge, "sessions", "", "Uploads under way or broken off."},
    {"corefleet_stored_bytes", kGauge, "bytes", "", "Bytes that the store uses."},
    {"corefleet_free_bytes", kGauge, "bytes", "", "Bytes that the store can still take."},
    {"corefleet_database_up", kGauge, "boolean", "", "1 when the database answered last, else 0."},
    // The process.
    {"corefleet_build_info", kGauge, "1", "version: of corefleetd; analyzer: of the analysis", "Always 1."},
    {"process_resident_memory_bytes", kGauge, "bytes", "", "Memory of the process that is in RAM."},
    {"process_open_fds", kGauge, "descriptors", "", "Open file descriptors."},
    {"process_max_fds", kGauge, "descriptors", "", "The limit of open file descriptors."},
};

const char* TypeName(MetricType type) {
  switch (type) {
    case MetricType::kCounter:
      return "counter";
    case MetricType::kGauge:
      return "gauge";
    case MetricType::kHistogram:
      return "histogram";
  }
  return "";
}

}  // namespace

absl::Span<const MetricSpec> MetricTable() { return kTable; }

const MetricSpec& MetricNamed(const char* name) {
  for (const MetricSpec& spec : kTable) {
    if (std::strcmp(spec.name, name) == 0) return spec;
  }
  std::abort();
}

std::string MetricsDocumentation() {
  std::string text =
      "# Metrics\n\n"
      "What `corefleetd` says at `/metrics` of its HTTP address. Labels come from closed lists; a device is "
      "never one.\n"
      "This page is made from `server/metrics/metric_table.cc`: `bazel run //server/metrics:metrics_doc -- "
      "--update`.\n";
  for (const MetricSpec& spec : kTable) {
    absl::StrAppend(&text, "\n## ", spec.name, "\n\n", TypeName(spec.type), ", ", spec.unit, "\n\n");
    if (*spec.labels != '\0') absl::StrAppend(&text, "Labels: ", spec.labels, "\n\n");
    absl::StrAppend(&text, spec.help, "\n");
  }
  return text;
}

}  // namespace corefleet
