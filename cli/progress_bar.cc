#include "cli/progress_bar.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/text_table.h"
#include "core/bytes/escape.h"

namespace corefleet {

ProgressBar::ProgressBar(const Surroundings& where, std::string label)
    : where_(where), label_(std::move(label)), next_draw_(where.clock->Now() + absl::Milliseconds(500)) {}

ProgressBar::~ProgressBar() {
  if (drawn_) *where_.err << "\r\x1b[K" << std::flush;
}

void ProgressBar::Show(uint64_t done, uint64_t total) {
  if (!where_.err_is_terminal) return;
  const absl::Time now = where_.clock->Now();
  if (now < next_draw_) return;
  next_draw_ = now + absl::Milliseconds(100);
  drawn_ = true;
  *where_.err << "\r" << FormatProgress(label_, done, total) << "\x1b[K" << std::flush;
}

std::string FormatProgress(const std::string& label, uint64_t done, uint64_t total) {
  constexpr int kCells = 30;
  const double part =
      total == 0 ? 1.0 : std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
  const int filled = static_cast<int>(part * kCells);
  return absl::StrCat(
      EscapeForTerminal(label), " [", std::string(filled, '#'), std::string(kCells - filled, '.'), "] ",
      absl::StrFormat("%3d%% ", static_cast<int>(part * 100)), FormatBytes(done), " of ", FormatBytes(total));
}

}  // namespace corefleet
