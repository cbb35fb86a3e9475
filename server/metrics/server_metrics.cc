#include "server/metrics/server_metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "core/analyze.h"
#include "core/taint/taint.h"
#include "server/admission/refusal.h"
#include "server/ingest/device_account.h"
#include "server/metrics/metric_table.h"
#include "server/metrics/process_stats.h"

namespace corefleet {
namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;
using prometheus::Registry;

constexpr char kVersion[] = "0.1.0";

// From a warm cache's sync to a disk that is about to fail.
const Histogram::BucketBoundaries kSeconds = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                              0.25,   0.5,   1,      2.5,   5,    10,    30,   60};

constexpr const char* kMethods[] = {"BeginCrash",   "PutChunks",   "GetSession", "FinishCrash",
                                    "AbandonCrash", "ListCrashes", "GetCrash",   "GetLog",
                                    "ReadArtifact", "ReadRegion",  "ReadMemory", "other"};
constexpr int kMethodCount = sizeof(kMethods) / sizeof(kMethods[0]);
constexpr int kCodeCount = 17;

int MethodIndex(absl::string_view method) {
  for (int i = 0; i < kMethodCount; ++i) {
    if (method == kMethods[i]) return i;
  }
  return kMethodCount - 1;
}

template <typename Builder>
auto& Build(Builder builder, const char* name, Registry* registry) {
  return builder.Name(name).Help(MetricNamed(name).help).Register(*registry);
}
Family<Counter>& Counters(const char* name, Registry* registry) {
  return Build(prometheus::BuildCounter(), name, registry);
}
Family<Histogram>& Histograms(const char* name, Registry* registry) {
  return Build(prometheus::BuildHistogram(), name, registry);
}

Counter* One(const char* name, Registry* registry) { return &Counters(name, registry).Add({}); }
Gauge* OneGauge(const char* name, Registry* registry) {
  return &Build(prometheus::BuildGauge(), name, registry).Add({});
}
Histogram* OneHistogram(const char* name, Registry* registry) {
  return &Histograms(name, registry).Add({}, kSeconds);
}

// One counter for each word of a closed list, there from the start: a rate needs the zero before the first
// one.
std::vector<Counter*> ByLabel(const char* name, const char* label, int count, absl::string_view (*word)(int),
                              Registry* registry) {
  Family<Counter>& family = Counters(name, registry);
  std::vector<Counter*> counters;
  for (int i = 0; i < count; ++i) counters.push_back(&family.Add({{label, std::string(word(i))}}));
  return counters;
}

// One metric for each combination of the words of closed lists, there from the start.
template <typename Metric>
class Labelled {
 public:
  using Lists = std::vector<std::pair<std::string, std::vector<std::string>>>;
  Labelled(const Lists& lists, Family<Metric>& family) { AddAll(lists, {}, "", &family); }

  // Null when a word is not in its list.
  Metric* At(std::initializer_list<absl::string_view> words) const {
    std::string key;
    for (const absl::string_view word : words) absl::StrAppend(&key, word, "/");
    const auto found = metrics_.find(key);
    return found == metrics_.end() ? nullptr : found->second;
  }

 private:
  void AddAll(absl::Span<const typename Lists::value_type> lists, const prometheus::Labels& labels,
              const std::string& key, Family<Metric>* family) {
    if (lists.empty()) {
      metrics_[key] = &family->Add(labels);
      return;
    }
    for (const std::string& word : lists[0].second) {
      prometheus::Labels more = labels;
      more[lists[0].first] = word;
      AddAll(lists.subspan(1), more, absl::StrCat(key, word, "/"), family);
    }
  }

  std::map<std::string, Metric*> metrics_;
};

std::string LetterOf(uint32_t bit) {
  const TaintBit taint = DescribeTaintBit(bit);
  return taint.letter == '?' ? taint.name : std::string(1, taint.letter);
}

// Writes the gauges of one scrape into a registry of their own, so that a build that left the list is gone.
class GaugeWriter {
 public:
  void Set(const char* name, double value, const prometheus::Labels& labels = {}) {
    Build(prometheus::BuildGauge(), name, &registry_).Add(labels).Set(value);
  }
  // The same for what only ever grows, and is counted elsewhere.
  void Count(const char* name, double value, const prometheus::Labels& labels = {}) {
    Build(prometheus::BuildCounter(), name, &registry_).Add(labels).Increment(value);
  }
  std::vector<prometheus::MetricFamily> Collect() const { return registry_.Collect(); }

 private:
  Registry registry_;
};

void WriteTaint(const IndexStats& stats, GaugeWriter* out) {
  for (uint32_t bit = 0; bit < stats.crashes_by_taint.size(); ++bit) {
    if (bit >= kKnownTaintBits && stats.crashes_by_taint[bit] == 0) continue;
    const prometheus::Labels labels = {{"letter", LetterOf(bit)}};
    out->Set("corefleet_taint_crashes", stats.crashes_by_taint[bit], labels);
    out->Set("corefleet_taint_crashes_weighted", stats.weight_by_taint[bit], labels);
  }
  out->Set("corefleet_untainted_crashes", stats.untainted);
  out->Set("corefleet_untainted_crashes_weighted", stats.untainted_weight);
}

void WriteBuild(const std::string& build_id, const std::string& release, uint64_t crashes, uint64_t weight,
                GaugeWriter* out) {
  const prometheus::Labels labels = {{"build_id", build_id}, {"release", release}};
  out->Set("corefleet_build_crashes", crashes, labels);
  out->Set("corefleet_build_crashes_weighted", weight, labels);
}

void WriteIndex(const IndexStats& stats, GaugeWriter* out) {
  for (size_t state = 0; state < stats.crashes_by_state.size(); ++state) {
    const prometheus::Labels labels = {
        {"state", std::string(CrashStateName(static_cast<CrashState>(state)))}};
    out->Set("corefleet_crashes", stats.crashes_by_state[state], labels);
    out->Set("corefleet_crashes_weighted", stats.weight_by_state[state], labels);
  }
  for (const BuildCount& build : stats.builds)
    WriteBuild(build.build.value(), build.release, build.crashes, build.weight, out);
  WriteBuild("other", "", stats.other_builds, stats.other_builds_weight, out);
  WriteTaint(stats, out);
  out->Set("corefleet_analysis_backlog", stats.analysis_backlog);
  out->Set("corefleet_open_sessions", stats.open_sessions);
}

// One sample for each word of a closed list, and one for what an index of another age has beside them.
void WriteReasons(const char* name, std::set<std::string> words, const std::vector<ReasonCount>& counts,
                  GaugeWriter* out) {
  std::map<std::string, uint64_t> by_word;
  words.insert("other");
  for (const std::string& word : words) by_word[word] = 0;
  for (const ReasonCount& one : counts)
    by_word[words.count(one.reason) > 0 ? one.reason : "other"] += one.count;
  for (const auto& [word, count] : by_word) out->Count(name, count, {{"reason", word}});
}

std::set<std::string> RefusalWords() {
  std::set<std::string> words;
  for (const RefusalReason reason : AllRefusalReasons()) words.insert(RefusalReasonLabel(reason));
  return words;
}

std::set<std::string> ExpiryWords() {
  std::set<std::string> words = {kAbandoned, kDamaged, kNeverSent};
  for (const absl::string_view reason : DeviceLossReasons()) words.insert(absl::StrCat("device_", reason));
  return words;
}

void WriteAccount(const IngestAccount& account, GaugeWriter* out) {
  out->Count("corefleet_ingest_offered_total", account.offered);
  out->Count("corefleet_ingest_accepted_total", account.accepted);
  WriteReasons("corefleet_ingest_refused_total", RefusalWords(), account.refused, out);
  WriteReasons("corefleet_ingest_expired_total", ExpiryWords(), account.expired, out);
  out->Set("corefleet_ingest_pending", account.pending);
}

void WriteAdmission(const AdmissionStanding& admission, GaugeWriter* out) {
  out->Set("corefleet_admission_kill_switch", admission.kill_switch ? 1 : 0);
  out->Set("corefleet_admission_rules", admission.rules);
  out->Set("corefleet_admission_rules_good", admission.rules_good ? 1 : 0);
  const BytesInFlight::Standing& in_flight = admission.in_flight;
  out->Set("corefleet_admission_bytes_in_flight", in_flight.work);
  out->Set("corefleet_admission_in_flight_limit_bytes", in_flight.limit);
  out->Set("corefleet_admission_work_bytes_per_second", in_flight.speed);
  out->Set("corefleet_admission_server_delay_seconds", absl::ToDoubleSeconds(in_flight.delay));
  out->Set("corefleet_admission_queue_seconds", absl::ToDoubleSeconds(admission.queue));
  out->Set("corefleet_admission_store_full", admission.store_full ? 1 : 0);
  out->Set("corefleet_admission_database_busy", admission.database_busy ? 1 : 0);
  out->Set("corefleet_admission_server_busy", in_flight.binding ? 1 : 0);
  out->Set("corefleet_admission_devices", admission.devices);
}

void WriteProcess(GaugeWriter* out) {
  const ProcessStats process = ReadProcessStats();
  out->Set("corefleet_build_info", 1,
           {{"version", kVersion}, {"analyzer", std::to_string(kAnalyzerVersion)}});
  out->Set("process_resident_memory_bytes", process.resident_bytes);
  out->Set("process_open_fds", process.open_fds);
  out->Set("process_max_fds", process.max_fds);
}

}  // namespace

struct ServerMetrics::Families {
  Registry registry;
  std::vector<Counter*> sessions_begun = ByLabel(
      "corefleet_sessions_begun_total", "outcome", kBeginOutcomes,
      [](int i) { return BeginOutcomeName(static_cast<BeginOutcome>(i)); }, &registry);
  Counter* chunks_received = One("corefleet_chunks_received_total", &registry);
  Counter* chunk_bytes_received = One("corefleet_chunk_bytes_received_total", &registry);
  std::vector<Counter*> chunk_rejects = ByLabel(
      "corefleet_chunk_rejects_total", "reason", kChunkRejects,
      [](int i) { return ChunkRejectName(static_cast<ChunkReject>(i)); }, &registry);
  Counter* packs_written = One("corefleet_packs_written_total", &registry);
  Counter* pack_bytes_written = One("corefleet_pack_bytes_written_total", &registry);
  Histogram* pack_write_seconds = OneHistogram("corefleet_pack_write_seconds", &registry);
  Counter* crashes_received = One("corefleet_crashes_received_total", &registry);
  Counter* sessions_expired = One("corefleet_sessions_expired_total", &registry);
  std::vector<Counter*> analyses = ByLabel(
      "corefleet_analyses_total", "outcome", kAnalysisOutcomes,
      [](int i) { return AnalysisOutcomeName(static_cast<AnalysisOutcome>(i)); }, &registry);
  Histogram* analysis_seconds = OneHistogram("corefleet_analysis_seconds", &registry);
  Histogram* searchable_seconds = OneHistogram("corefleet_searchable_seconds", &registry);
  Gauge* ingest_difference = OneGauge("corefleet_ingest_difference", &registry);
  Family<Gauge>& lost_packs = Build(prometheus::BuildGauge(), "corefleet_reconcile_lost_packs", &registry);
  Gauge* missing_packs = &lost_packs.Add({{"how", "missing"}});
  Gauge* damaged_packs = &lost_packs.Add({{"how", "damaged"}});
  Gauge* unreadable_segments = OneGauge("corefleet_reconcile_unreadable_segments", &registry);
  Gauge* orphan_packs = OneGauge("corefleet_reconcile_orphan_packs", &registry);
  Gauge* orphan_bytes = OneGauge("corefleet_reconcile_orphan_bytes", &registry);
  Gauge* lost_analyses = OneGauge("corefleet_reconcile_lost_analyses", &registry);
  Gauge* holding_back = OneGauge("corefleet_reconcile_holding_back", &registry);
  Gauge* pass_timestamp = OneGauge("corefleet_reconcile_pass_timestamp_seconds", &registry);
  Counter* adopted_packs = One("corefleet_reconcile_adopted_packs_total", &registry);
  Counter* released_packs = One("corefleet_reconcile_released_packs_total", &registry);
  Counter* released_bytes = One("corefleet_reconcile_released_bytes_total", &registry);
  Counter* removed_segments = One("corefleet_reconcile_removed_segments_total", &registry);
  Counter* scrubbed_bytes = One("corefleet_scrubbed_bytes_total", &registry);
  Counter* scrub_damaged_packs = One("corefleet_scrub_damaged_packs_total", &registry);
  Labelled<Counter> connections = {{{"port", {"ingest", "archive"}}, {"outcome", {"accepted", "refused"}}},
                                   Counters("corefleet_connections_total", &registry)};
  Labelled<Counter> reloads = {{{"what", {"ingest_tls", "archive_tls", "http_tls", "archive_tokens"}},
                                {"outcome", {"loaded", "refused"}}},
                               Counters("corefleet_reloads_total", &registry)};
  Labelled<Gauge> certificate_ends = {
      {{"port", {"ingest", "archive", "http"}}},
      Build(prometheus::BuildGauge(), "corefleet_certificate_end_timestamp_seconds", &registry)};
  Family<Counter>& rpcs = Counters("corefleet_rpcs_total", &registry);
  Family<Histogram>& rpc_seconds = Histograms("corefleet_rpc_seconds", &registry);
};

ServerMetrics::ServerMetrics() : families_(std::make_unique<Families>()) {}

ServerMetrics::~ServerMetrics() = default;

void ServerMetrics::SessionBegun(BeginOutcome outcome) {
  families_->sessions_begun[static_cast<int>(outcome)]->Increment();
}

void ServerMetrics::ChunkReceived(uint64_t bytes) {
  families_->chunks_received->Increment();
  families_->chunk_bytes_received->Increment(bytes);
}

void ServerMetrics::ChunkRejected(ChunkReject reason) {
  families_->chunk_rejects[static_cast<int>(reason)]->Increment();
}

void ServerMetrics::PacksWritten(uint64_t packs, uint64_t bytes, absl::Duration took) {
  families_->packs_written->Increment(packs);
  families_->pack_bytes_written->Increment(bytes);
  families_->pack_write_seconds->Observe(absl::ToDoubleSeconds(took));
}

void ServerMetrics::CrashReceived() { families_->crashes_received->Increment(); }

void ServerMetrics::SessionsExpired(int64_t count) { families_->sessions_expired->Increment(count); }

void ServerMetrics::Analyzed(AnalysisOutcome outcome, absl::Duration took) {
  families_->analyses[static_cast<int>(outcome)]->Increment();
  families_->analysis_seconds->Observe(absl::ToDoubleSeconds(took));
}

void ServerMetrics::Searchable(absl::Duration after) {
  families_->searchable_seconds->Observe(absl::ToDoubleSeconds(after));
}

void ServerMetrics::PassEnded(const Differences& found, bool holding_back, absl::Time at) {
  families_->missing_packs->Set(found.missing_packs);
  families_->damaged_packs->Set(found.damaged_packs);
  families_->unreadable_segments->Set(found.unreadable_segments);
  families_->orphan_packs->Set(found.orphan_packs);
  families_->orphan_bytes->Set(found.orphan_bytes);
  families_->lost_analyses->Set(found.lost_analyses);
  families_->holding_back->Set(holding_back ? 1 : 0);
  families_->pass_timestamp->Set(absl::ToUnixSeconds(at));
}

void ServerMetrics::PackReleased(uint64_t bytes) {
  families_->released_packs->Increment();
  families_->released_bytes->Increment(bytes);
}

void ServerMetrics::SegmentRemoved() { families_->removed_segments->Increment(); }

void ServerMetrics::PackAdopted() { families_->adopted_packs->Increment(); }

void ServerMetrics::PackScrubbed(uint64_t bytes, bool damaged) {
  families_->scrubbed_bytes->Increment(bytes);
  if (damaged) families_->scrub_damaged_packs->Increment();
}

void ServerMetrics::AccountDiffers(int64_t by) { families_->ingest_difference->Set(by); }

void ServerMetrics::RpcDone(absl::string_view method, absl::StatusCode code, absl::Duration took) {
  const char* name = kMethods[MethodIndex(method)];
  const int number = std::clamp(static_cast<int>(code), 0, kCodeCount - 1);
  const std::string word = absl::StatusCodeToString(static_cast<absl::StatusCode>(number));
  // Add gives the one that is there, if there is one.
  families_->rpcs.Add({{"method", name}, {"code", word}}).Increment();
  families_->rpc_seconds.Add({{"method", name}}, kSeconds).Observe(absl::ToDoubleSeconds(took));
}

void ServerMetrics::ConnectionSeen(absl::string_view port, bool accepted) {
  Counter* counter = families_->connections.At({port, accepted ? "accepted" : "refused"});
  if (counter != nullptr) counter->Increment();
}

void ServerMetrics::FilesReloaded(absl::string_view what, bool loaded) {
  Counter* counter = families_->reloads.At({what, loaded ? "loaded" : "refused"});
  if (counter != nullptr) counter->Increment();
}

void ServerMetrics::CertificateShown(absl::string_view port, absl::Time not_after) {
  Gauge* gauge = families_->certificate_ends.At({port});
  if (gauge != nullptr) gauge->Set(absl::ToUnixSeconds(not_after));
}

std::string ServerMetrics::Scrape(const StoredCounts& counts, const AdmissionStanding& admission) const {
  GaugeWriter gauges;
  WriteIndex(counts.index, &gauges);
  WriteAccount(counts.account, &gauges);
  WriteAdmission(admission, &gauges);
  gauges.Set("corefleet_stored_bytes", counts.stored_bytes);
  gauges.Set("corefleet_free_bytes", counts.free_bytes);
  gauges.Set("corefleet_database_up", counts.database_up ? 1 : 0);
  WriteProcess(&gauges);
  std::vector<prometheus::MetricFamily> all = families_->registry.Collect();
  for (prometheus::MetricFamily& family : gauges.Collect()) all.push_back(std::move(family));
  return prometheus::TextSerializer().Serialize(all);
}

}  // namespace corefleet
