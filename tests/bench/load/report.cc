#include "tests/bench/load/report.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

namespace corefleet {
namespace {

using Json = nlohmann::ordered_json;

double Quantile(const std::vector<double>& sorted, double part) {
  if (sorted.empty()) return 0;
  const auto index = static_cast<size_t>(part * static_cast<double>(sorted.size()));
  return sorted[std::min(index, sorted.size() - 1)];
}

Json Quantiles(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const double sum = std::accumulate(values.begin(), values.end(), 0.0);
  return {{"min", Quantile(values, 0)},
          {"mean", values.empty() ? 0 : sum / static_cast<double>(values.size())},
          {"p50", Quantile(values, 0.50)},
          {"p99", Quantile(values, 0.99)},
          {"p999", Quantile(values, 0.999)},
          {"max", Quantile(values, 1)}};
}

}  // namespace

void Report::Add(const UploadOutcome& outcome, const Schedule::Job& job, absl::Time began, absl::Time ended) {
  const absl::MutexLock lock(&mutex_);
  sent_bytes_ += outcome.sent_bytes;
  breaks_ += static_cast<uint64_t>(outcome.breaks);
  switch (outcome.kind) {
    case UploadOutcome::Kind::kRefused: {
      Refusals& refusals = refused_[outcome.reason];
      ++refusals.count;
      if (outcome.delay_stated) {
        refusals.delays.push_back(absl::ToDoubleSeconds(outcome.retry_delay));
      } else {
        ++refusals.without_delay;
      }
      return;
    }
    case UploadOutcome::Kind::kRejected:
      ++rejected_[outcome.reason];
      return;
    case UploadOutcome::Kind::kFailed:
      ++failed_[outcome.reason];
      return;
    case UploadOutcome::Kind::kAlreadyStored:
      ++already_stored_;
      break;
    case UploadOutcome::Kind::kStored:
      ++stored_;
      break;
  }
  raw_bytes_ += outcome.raw_bytes;
  upload_ms_.push_back(absl::ToDoubleMilliseconds(outcome.took));
  offered_ms_.push_back(absl::ToDoubleMilliseconds(ended - job.offered));
  const auto second = static_cast<size_t>(std::max(0.0, absl::ToDoubleSeconds(ended - began)));
  if (stored_each_second_.size() <= second) stored_each_second_.resize(second + 1);
  ++stored_each_second_[second];
}

std::string Report::Json(const Schedule& schedule, absl::Duration took, double cpu_seconds) const {
  const absl::MutexLock lock(&mutex_);
  const double seconds = absl::ToDoubleSeconds(took);
  nlohmann::ordered_json refused = nlohmann::ordered_json::object();
  for (const auto& [reason, refusals] : refused_) {
    refused[reason] = {{"count", refusals.count},
                       {"without_delay", refusals.without_delay},
                       {"delay_s", Quantiles(refusals.delays)}};
  }
  const nlohmann::ordered_json all = {
      {"seconds", seconds},
      {"offered", schedule.offered()},
      {"stored", stored_},
      {"already_stored", already_stored_},
      {"refused", refused},
      {"rejected", rejected_},
      {"failed", failed_},
      {"waiting", schedule.waiting()},
      {"crashes_per_s", static_cast<double>(stored_) / seconds},
      {"mib_per_s", static_cast<double>(raw_bytes_) / seconds / (1 << 20)},
      {"upload_ms", Quantiles(upload_ms_)},
      {"offered_ms", Quantiles(offered_ms_)},
      {"raw_bytes", raw_bytes_},
      {"sent_bytes", sent_bytes_},
      {"breaks", breaks_},
      {"client_cpu_s", cpu_seconds},
      {"stored_each_second", stored_each_second_},
  };
  return all.dump(1);
}

}  // namespace corefleet
