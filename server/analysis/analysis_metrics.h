#ifndef COREFLEET_SERVER_ANALYSIS_ANALYSIS_METRICS_H_
#define COREFLEET_SERVER_ANALYSIS_ANALYSIS_METRICS_H_

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace corefleet {

// How an attempt at a crash ended. The words are metric labels.
enum class AnalysisOutcome {
  kStored,   // facts are in the index
  kRetry,    // the store or the index failed; it will be tried again
  kGivenUp,  // tried too often: stored as UNREADABLE, with the reason
};
inline constexpr int kAnalysisOutcomes = 3;
inline absl::string_view AnalysisOutcomeName(AnalysisOutcome outcome) {
  switch (outcome) {
    case AnalysisOutcome::kStored:
      return "stored";
    case AnalysisOutcome::kRetry:
      return "retry";
    case AnalysisOutcome::kGivenUp:
      return "given_up";
  }
  return "retry";
}

// What analysis has to say to whoever counts. Does nothing by itself. Called from several threads at once.
class AnalysisMetrics {
 public:
  virtual ~AnalysisMetrics() = default;
  virtual void Analyzed(AnalysisOutcome outcome, absl::Duration took) {}
  // From the crash's last byte to its facts.
  virtual void Searchable(absl::Duration after) {}
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_ANALYSIS_ANALYSIS_METRICS_H_
