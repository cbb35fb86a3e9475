#ifndef COREFLEET_SERVER_METRICS_SERVER_METRICS_H_
#define COREFLEET_SERVER_METRICS_SERVER_METRICS_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/admission/admission.h"
#include "server/analysis/analysis_metrics.h"
#include "server/ingest/ingest_metrics.h"
#include "server/metrics/index_gauges.h"
#include "server/reconcile/reconcile_metrics.h"

namespace corefleet {

// Counts what the rooms report, and writes it down for Prometheus. The names and their meaning are in
// metric_table.cc. Thread-safe.
class ServerMetrics final : public IngestMetrics, public AnalysisMetrics, public ReconcileMetrics {
 public:
  ServerMetrics();
  ~ServerMetrics() override;

  void SessionBegun(BeginOutcome outcome) override;
  void ChunkReceived(uint64_t bytes) override;
  void ChunkRejected(ChunkReject reason) override;
  void PacksWritten(uint64_t packs, uint64_t bytes, absl::Duration took) override;
  void CrashReceived() override;
  void SessionsExpired(int64_t count) override;

  void Analyzed(AnalysisOutcome outcome, absl::Duration took) override;
  void Searchable(absl::Duration after) override;

  void PassEnded(const Differences& found, bool holding_back, absl::Time at) override;
  void PackReleased(uint64_t bytes) override;
  void SegmentRemoved() override;
  void PackAdopted() override;
  void PackScrubbed(uint64_t bytes, bool damaged) override;
  void AccountDiffers(int64_t by) override;

  // What server/rpc reports; main joins the two, for neither room knows the other. A method that is not one
  // of the services' is counted as "other".
  void RpcDone(absl::string_view method, absl::StatusCode code, absl::Duration took);

  // What the ports report, in the same way. Labels that are not in the table's lists are counted nowhere.
  void ConnectionSeen(absl::string_view port, bool accepted);
  void FilesReloaded(absl::string_view what, bool loaded);
  void CertificateShown(absl::string_view port, absl::Time not_after);

  // Everything in Prometheus' text format, version 0.0.4.
  std::string Scrape(const StoredCounts& counts, const AdmissionStanding& admission = {}) const;

 private:
  struct Families;
  const std::unique_ptr<Families> families_;
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_METRICS_SERVER_METRICS_H_
