#include "core/printk/kernel_log.h"

#include <algorithm>

namespace corefleet {

LogFacts FactsOfRecords(const std::vector<LogRecord>& records) {
  LogFacts facts;
  facts.records = records.size();
  if (records.empty()) return facts;
  facts.first_seq = records.front().seq;
  facts.last_seq = records.back().seq;
  facts.lost = facts.last_seq - facts.first_seq + 1 - facts.records;
  for (const LogRecord& record : records) {
    if (record.text_state == TextState::kLost) ++facts.text_lost;
    facts.last_ts_nsec = std::max(facts.last_ts_nsec, record.ts_nsec);
  }
  return facts;
}

}  // namespace corefleet
