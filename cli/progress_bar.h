#ifndef COREFLEET_CLI_PROGRESS_BAR_H_
#define COREFLEET_CLI_PROGRESS_BAR_H_

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "cli/verb.h"

namespace corefleet {

// One line on a terminal's standard error that says how far a transfer is; nothing if it is no terminal, and
// nothing for transfers that are over within half a second. Its destructor wipes the line away. One thread at
// a time.
class ProgressBar {
 public:
  ProgressBar(const Surroundings& where, std::string label);
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void Show(uint64_t done, uint64_t total);

 private:
  const Surroundings& where_;
  std::string label_;
  absl::Time next_draw_;
  bool drawn_ = false;
};

// The line, without its carriage return. Pure.
std::string FormatProgress(const std::string& label, uint64_t done, uint64_t total);

}  // namespace corefleet

#endif  // COREFLEET_CLI_PROGRESS_BAR_H_
