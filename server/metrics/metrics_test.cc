#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "server/metrics/index_gauges.h"
#include "server/metrics/metric_table.h"
#include "server/metrics/server_metrics.h"
#include "storage/memory/memory_crash_index.h"
#include "storage/memory/memory_pack_store.h"

namespace corefleet {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(MetricTableTest, TheDocumentationIsUpToDate) {
  std::ifstream file("docs/metrics.md");
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_EQ(text.str(), MetricsDocumentation()) << "bazel run //server/metrics:metrics_doc -- --update";
}

// Every family that a server can write, with one sample each.
std::string FullScrape() {
  ServerMetrics metrics;
  metrics.RpcDone("GetCrash", absl::StatusCode::kOk, absl::Milliseconds(1));
  StoredCounts counts;
  counts.index.crashes_by_state.assign(5, 1);
  counts.index.weight_by_state.assign(5, 2);
  counts.index.crashes_by_taint.assign(64, 1);
  counts.index.weight_by_taint.assign(64, 20);
  counts.index.builds.push_back({.build = BuildId("abcd"), .release = "6.1", .crashes = 3, .weight = 30});
  return metrics.Scrape(counts);
}

TEST(ServerMetricsTest, WritesExactlyWhatTheTableLists) {
  std::set<std::string> written, listed;
  const std::string scrape = FullScrape();
  for (absl::string_view line : absl::StrSplit(scrape, '\n')) {
    if (!absl::StartsWith(line, "# TYPE ")) continue;
    const std::vector<std::string> words = absl::StrSplit(line, ' ');
    written.insert(words[2] + " " + words[3]);
  }
  for (const MetricSpec& spec : MetricTable()) {
    const char* type = spec.type == MetricType::kCounter ? " counter"
                       : spec.type == MetricType::kGauge ? " gauge"
                                                         : " histogram";
    EXPECT_TRUE(listed.insert(std::string(spec.name) + type).second) << spec.name;
  }
  EXPECT_EQ(written, listed);
}

TEST(ServerMetricsTest, PortsAndTheirCertificates) {
  ServerMetrics metrics;
  metrics.ConnectionSeen("ingest", true);
  metrics.ConnectionSeen("archive", false);
  metrics.ConnectionSeen("elsewhere", true);
  metrics.FilesReloaded("http_tls", false);
  metrics.CertificateShown("ingest", absl::FromUnixSeconds(1'800'000'000));
  const std::string scrape = metrics.Scrape({});
  EXPECT_THAT(scrape, HasSubstr("corefleet_connections_total{outcome=\"accepted\",port=\"ingest\"} 1"));
  EXPECT_THAT(scrape, HasSubstr("corefleet_connections_total{outcome=\"refused\",port=\"archive\"} 1"));
  EXPECT_THAT(scrape, HasSubstr("corefleet_reloads_total{outcome=\"refused\",what=\"http_tls\"} 1"));
  EXPECT_THAT(scrape, HasSubstr("corefleet_certificate_end_timestamp_seconds{port=\"ingest\"} 1800000000"));
  EXPECT_THAT(scrape, Not(HasSubstr("elsewhere")));
}

TEST(ServerMetricsTest, CountsByClosedLabels) {
  ServerMetrics metrics;
  metrics.SessionBegun(BeginOutcome::kNew);
  metrics.SessionsExpired(3);
  metrics.ChunkReceived(100);
  metrics.ChunkRejected(ChunkReject::kCrc);
  metrics.PacksWritten(1, 4096, absl::Milliseconds(3));
  metrics.Analyzed(AnalysisOutcome::kStored, absl::Milliseconds(5));
  metrics.RpcDone("GetCrash", absl::StatusCode::kNotFound, absl::Milliseconds(1));
  metrics.RpcDone("a method that a client made up", absl::StatusCode::kOk, absl::Milliseconds(1));
  const std::string text = metrics.Scrape(StoredCounts());
  EXPECT_THAT(text, HasSubstr("corefleet_sessions_begun_total{outcome=\"new\"} 1"));
  EXPECT_THAT(text, HasSubstr("corefleet_sessions_begun_total{outcome=\"refused\"} 0"));
  EXPECT_THAT(text, HasSubstr("corefleet_sessions_expired_total 3"));
  EXPECT_THAT(text, HasSubstr("corefleet_chunk_bytes_received_total 100"));
  EXPECT_THAT(text, HasSubstr("corefleet_chunk_rejects_total{reason=\"crc\"} 1"));
  EXPECT_THAT(text, HasSubstr("corefleet_pack_write_seconds_bucket{le=\"0.005\"} 1"));
  EXPECT_THAT(text, HasSubstr("corefleet_rpcs_total{code=\"NOT_FOUND\",method=\"GetCrash\"} 1"));
  EXPECT_THAT(text, HasSubstr("method=\"other\""));
  EXPECT_THAT(text, Not(HasSubstr("made up")));
}

TEST(ServerMetricsTest, GaugesSayWhatIsStored) {
  const std::string text = FullScrape();
  EXPECT_THAT(text, HasSubstr("corefleet_crashes{state=\"PARTIAL\"} 1"));
  EXPECT_THAT(text, HasSubstr("corefleet_build_crashes{build_id=\"abcd\",release=\"6.1\"} 3"));
  EXPECT_THAT(text, HasSubstr("corefleet_crashes_weighted{state=\"PARTIAL\"} 2"));
  EXPECT_THAT(text, HasSubstr("corefleet_build_crashes_weighted{build_id=\"abcd\",release=\"6.1\"} 30"));
  EXPECT_THAT(text, HasSubstr("corefleet_taint_crashes_weighted{letter=\"W\"} 20"));
  EXPECT_THAT(text, HasSubstr("corefleet_taint_crashes{letter=\"W\"} 1"));
  EXPECT_THAT(text, HasSubstr("corefleet_taint_crashes{letter=\"bit20\"} 1"));
  EXPECT_THAT(text, HasSubstr("corefleet_database_up 0"));
}

TEST(ServerMetricsTest, SaysWhatReconciliationFound) {
  ServerMetrics metrics;
  EXPECT_THAT(metrics.Scrape(StoredCounts()), HasSubstr("corefleet_reconcile_lost_packs{how=\"missing\"} 0"));
  metrics.PassEnded({.missing_packs = 1, .damaged_packs = 2, .orphan_packs = 3, .orphan_bytes = 4}, true,
                    absl::FromUnixSeconds(5));
  metrics.PackReleased(6);
  metrics.PackScrubbed(7, true);
  metrics.AccountDiffers(-8);
  const std::string text = metrics.Scrape(StoredCounts());
  EXPECT_THAT(text, HasSubstr("corefleet_reconcile_lost_packs{how=\"missing\"} 1"));
  EXPECT_THAT(text, HasSubstr("corefleet_reconcile_lost_packs{how=\"damaged\"} 2"));
  EXPECT_THAT(text, HasSubstr("corefleet_reconcile_orphan_packs 3"));
  EXPECT_THAT(text, HasSubstr("corefleet_reconcile_orphan_bytes 4"));
  EXPECT_THAT(text, HasSubstr("corefleet_reconcile_holding_back 1"));
  EXPECT_THAT(text, HasSubstr("corefleet_reconcile_pass_timestamp_seconds 5"));
  EXPECT_THAT(text, HasSubstr("corefleet_reconcile_released_bytes_total 6"));
  EXPECT_THAT(text, HasSubstr("corefleet_scrub_damaged_packs_total 1"));
  EXPECT_THAT(text, HasSubstr("corefleet_ingest_difference -8"));
}

TEST(ServerMetricsTest, TheAccountBalancesInEveryScrape) {
  StoredCounts counts;
  counts.account = {.offered = 20,
                    .accepted = 4,
                    .refused = {{"kill_switch", 3}, {"a word of another age", 2}},
                    .expired = {{"device_spool_age", 5}, {"never_sent", 1}},
                    .pending = 5};
  ASSERT_EQ(counts.account.Difference(), 0);
  const std::string text = ServerMetrics().Scrape(counts, {.kill_switch = true, .queue = absl::Seconds(2)});
  EXPECT_THAT(text, HasSubstr("corefleet_ingest_offered_total 20"));
  EXPECT_THAT(text, HasSubstr("corefleet_ingest_accepted_total 4"));
  EXPECT_THAT(text, HasSubstr("corefleet_ingest_refused_total{reason=\"kill_switch\"} 3"));
  EXPECT_THAT(text, HasSubstr("corefleet_ingest_refused_total{reason=\"other\"} 2"));
  EXPECT_THAT(text, HasSubstr("corefleet_ingest_refused_total{reason=\"quota\"} 0"));
  EXPECT_THAT(text, HasSubstr("corefleet_ingest_expired_total{reason=\"device_spool_age\"} 5"));
  EXPECT_THAT(text, HasSubstr("corefleet_ingest_expired_total{reason=\"never_sent\"} 1"));
  EXPECT_THAT(text, HasSubstr("corefleet_ingest_pending 5"));
  EXPECT_THAT(text, HasSubstr("corefleet_admission_kill_switch 1"));
  EXPECT_THAT(text, HasSubstr("corefleet_admission_queue_seconds 2"));
}

TEST(IndexGaugesTest, AsksAgainWhenTheCountsAreOld) {
  MemoryCrashIndex index;
  MemoryPackStore store;
  FakeClock clock(absl::FromUnixSeconds(1'800'000'000));
  IndexGauges gauges(&index, &store, &clock);
  EXPECT_TRUE(gauges.Read().database_up);
  index.SetStatus(absl::UnavailableError("down"));
  EXPECT_TRUE(gauges.Read().database_up) << "cached";
  clock.Advance(absl::Seconds(3));
  EXPECT_FALSE(gauges.Read().database_up);
  index.SetStatus(absl::OkStatus());
  clock.Advance(-absl::Hours(1));
  EXPECT_TRUE(gauges.Read().database_up) << "a clock that was set back";
}

}  // namespace
}  // namespace corefleet
