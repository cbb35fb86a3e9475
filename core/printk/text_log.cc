#include "core/printk/text_log.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/printk/log_text.h"

namespace corefleet {
namespace {

// The beginning of a dump record is cut, and its first lines may be; further in they are whole.
constexpr size_t kMaxCutLines = 8;

using Records = std::vector<LogRecord>;

// A record that cannot stand in two logs by accident. Of what was said before the clock ran every boot has
// the same.
bool IsTelling(const LogRecord& record) {
  return record.text_state == TextState::kWhole && record.ts_nsec > 0 && !record.text.empty();
}

bool IsSame(const LogRecord& a, const LogRecord& b) { return a.ts_nsec == b.ts_nsec && a.text == b.text; }

// Puts in front of `log` what `other` has from before it. Returns how many records.
size_t ExtendFront(const Records& other, Records* log) {
  for (size_t i = 0; i < std::min(log->size(), kMaxCutLines); ++i) {
    const LogRecord& anchor = (*log)[i];
    if (!IsTelling(anchor)) continue;
    const auto same =
        std::find_if(other.begin(), other.end(), [&](const LogRecord& r) { return IsSame(r, anchor); });
    const size_t before = same - other.begin();
    if (same == other.end() || before <= i) continue;
    log->erase(log->begin(), log->begin() + i);
    log->insert(log->begin(), other.begin(), same);
    return before - i;
  }
  return 0;
}

// Puts behind `log` what `other` has from after it. Returns how many records.
size_t ExtendBack(const Records& other, Records* log) {
  for (size_t i = 0; i < std::min(log->size(), kMaxCutLines); ++i) {
    const LogRecord& anchor = (*log)[log->size() - 1 - i];
    if (!IsTelling(anchor)) continue;
    const auto same =
        std::find_if(other.rbegin(), other.rend(), [&](const LogRecord& r) { return IsSame(r, anchor); });
    const size_t after = same - other.rbegin();
    if (same == other.rend() || after <= i) continue;
    log->erase(log->end() - i, log->end());
    log->insert(log->end(), other.end() - after, other.end());
    return after - i;
  }
  return 0;
}

void Recount(KernelLog* log) {
  for (size_t i = 0; i < log->records.size(); ++i) {
    log->records[i].seq = i;
    log->facts.last_ts_nsec = std::max(log->facts.last_ts_nsec, log->records[i].ts_nsec);
  }
  log->facts.records = log->records.size();
  log->facts.last_seq = log->records.size() - 1;
}

}  // namespace

KernelLog ReadTextLog(const std::vector<KernelText>& texts) {
  KernelLog log;
  for (const KernelText& text : texts) {
    if (!IsKernelLog(text.kind)) continue;
    KernelLog parsed = ParseLogText(text.text);
    if (parsed.records.empty()) continue;
    if (log.records.empty()) {
      log = std::move(parsed);
      continue;
    }
    const size_t front = ExtendFront(parsed.records, &log.records);
    if (front + ExtendBack(parsed.records, &log.records) > 0) Recount(&log);
  }
  return log;
}

}  // namespace corefleet
