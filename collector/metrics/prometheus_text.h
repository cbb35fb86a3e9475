#ifndef COREFLEET_COLLECTOR_METRICS_PROMETHEUS_TEXT_H_
#define COREFLEET_COLLECTOR_METRICS_PROMETHEUS_TEXT_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace corefleet {

// A page of metrics in Prometheus' text format 0.0.4, for node_exporter's textfile collector: a registry
// would cost a device more memory than the metrics. A value type; one thread at a time.
class PrometheusText {
 public:
  // Begins a metric. `type` is "counter" or "gauge"; `help` is one line.
  void Metric(absl::string_view name, absl::string_view type, absl::string_view help);
  // A value of the metric that was begun last, without a label or with one.
  void Value(double value);
  void Value(absl::string_view label, absl::string_view label_value, double value);

  const std::string& text() const { return text_; }

 private:
  std::string name_;
  std::string text_;
};

// Puts `text` into the place of the file `path` at once: a reader sees the old text or the new. Not synced;
// readable for everybody. RESOURCE_EXHAUSTED, FAILED_PRECONDITION, PERMISSION_DENIED, UNAVAILABLE as the
// system said.
absl::Status ReplaceFile(const std::string& path, absl::string_view text, bool sync = false);

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_METRICS_PROMETHEUS_TEXT_H_
