#ifndef COREFLEET_SERVER_METRICS_METRIC_TABLE_H_
#define COREFLEET_SERVER_METRICS_METRIC_TABLE_H_

#include <string>

#include "absl/types/span.h"

namespace corefleet {

enum class MetricType { kCounter, kGauge, kHistogram };

// One line of the registry file: everything that there is to know about a metric before the first sample.
struct MetricSpec {
  const char* name;
  MetricType type;
  const char* unit;    // "seconds", "bytes", or what is counted
  const char* labels;  // "outcome: new, resuming, ..."; empty: none. Only closed lists, never a device
  const char* help;
};

// Every metric of corefleetd, in the order of the documentation.
absl::Span<const MetricSpec> MetricTable();

// The line of that name. The process dies without one: what is not in the table is not exported.
const MetricSpec& MetricNamed(const char* name);

// docs/metrics.md.
std::string MetricsDocumentation();

}  // namespace corefleet

#endif  // COREFLEET_SERVER_METRICS_METRIC_TABLE_H_
