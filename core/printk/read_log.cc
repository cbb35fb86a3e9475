#include "core/printk/read_log.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "core/printk/find_ring.h"
#include "core/printk/ring_reader.h"

namespace corefleet {
namespace {

bool HasText(const LogRecord& record) { return record.text_state != TextState::kLost; }

uint64_t CountLost(const std::vector<LogRecord>& records) {
  return std::count_if(records.begin(), records.end(), [](const LogRecord& r) { return !HasText(r); });
}

void AddDefect(DefectCode code, std::string detail, KernelLog* log) {
  log->defects.push_back({code, "", std::move(detail)});
}

// Of what other rings hold, the newest: the kernel left the static ring behind when it moved to a larger one.
// Carved text has no stamps and so is only better than nothing.
struct Choice {
  RingRecords records;
  std::string how;
};
bool IsBetter(const RingRecords& a, const RingRecords& b) {
  const bool a_carved = a.method == RingMethod::kCarved;
  const bool b_carved = b.method == RingMethod::kCarved;
  if (a_carved != b_carved) return b_carved;
  const uint64_t a_last = a.records.back().seq;
  const uint64_t b_last = b.records.back().seq;
  if (!a_carved && a_last != b_last) return a_last > b_last;
  return a.records.size() - CountLost(a.records) > b.records.size() - CountLost(b.records);
}

std::vector<Choice> ReadOthers(const CoreImage& image) {
  std::vector<Choice> choices;
  for (const FoundRing& found : FindOtherRings(image)) {
    RingRecords records = ReadRing(found.ring);
    if (!records.records.empty()) choices.push_back({std::move(records), found.how});
  }
  std::stable_sort(choices.begin(), choices.end(),
                   [](const Choice& a, const Choice& b) { return IsBetter(a.records, b.records); });
  return choices;
}

// When the kernel moves to a larger ring it copies the records over, so the ring it left still has the text
// of the first ones. Two records with one seq and one stamp are the same record. Returns how many texts were
// found.
uint64_t TakeTextFrom(const std::vector<LogRecord>& early, std::vector<LogRecord>* records) {
  absl::flat_hash_map<uint64_t, const LogRecord*> by_seq;
  for (const LogRecord& record : early) {
    if (record.text_state == TextState::kWhole) by_seq[record.seq] = &record;
  }
  uint64_t taken = 0;
  for (LogRecord& record : *records) {
    if (HasText(record)) continue;
    const auto same = by_seq.find(record.seq);
    if (same == by_seq.end() || same->second->ts_nsec != record.ts_nsec) continue;
    record.text = same->second->text;
    record.text_state = TextState::kWhole;
    ++taken;
  }
  return taken;
}

void DescribeRecords(const RingRecords& found, KernelLog* log) {
  LogFacts& facts = log->facts;
  facts.method = std::string(RingMethodName(found.method));
  facts.records = log->records.size();
  if (log->records.empty()) return;
  facts.first_seq = log->records.front().seq;
  facts.last_seq = log->records.back().seq;
  facts.lost = facts.last_seq - facts.first_seq + 1 - facts.records;
  facts.text_lost = CountLost(log->records);
  for (const LogRecord& record : log->records)
    facts.last_ts_nsec = std::max(facts.last_ts_nsec, record.ts_nsec);
}

void DescribeDamage(const RingRecords& found, uint64_t fail, KernelLog* log) {
  const LogFacts& facts = log->facts;
  if (found.method == RingMethod::kDescriptors) {
    AddDefect(DefectCode::kLogDamaged, "the ring's head and tail are impossible; every slot was read", log);
  } else if (found.method == RingMethod::kInfos) {
    AddDefect(DefectCode::kLogDamaged, "no descriptors; text was found by the ids in front of it", log);
  } else if (found.method == RingMethod::kCarved) {
    AddDefect(DefectCode::kLogDamaged, "neither descriptors nor infos; text was carved, without stamps", log);
  }
  if (found.damaged > 0) {
    AddDefect(DefectCode::kLogDamaged,
              absl::StrCat(found.damaged, " slots of the ring contradict themselves"), log);
  }
  if (facts.first_seq > 0 || facts.lost > 0 || fail > 0 || found.unfinished > 0) {
    AddDefect(DefectCode::kLogGap,
              absl::StrCat(facts.first_seq, " records overwritten before the first, ", facts.lost,
                           " lost after it, ", fail, " found no room, ", found.unfinished, " unfinished"),
              log);
  }
  if (facts.text_lost > 0) {
    AddDefect(DefectCode::kLogTextLost,
              absl::StrCat(facts.text_lost, " of ", facts.records, " records have no text in the image"),
              log);
  }
}

// Carved records count up from wherever, so gaps and missing starts say nothing.
void ForgetSequence(KernelLog* log) { log->facts.first_seq = log->facts.last_seq = log->facts.lost = 0; }

}  // namespace

KernelLog ReadLog(const CoreImage& image) {
  KernelLog log;
  RingRecords found;
  uint64_t fail = 0;
  bool live = false;
  if (std::optional<FoundRing> ring = FindLiveRing(image)) {
    found = ReadRing(ring->ring);
    fail = ring->ring.fail;
    // A ring that is there and empty is the answer; one that is not there is none.
    live = !found.records.empty() || ring->ring.descs.available() == ring->ring.descs.size();
  }
  std::vector<Choice> others;
  if (!live || found.method == RingMethod::kCarved || CountLost(found.records) > 0)
    others = ReadOthers(image);
  if ((!live || found.method == RingMethod::kCarved) && !others.empty() &&
      (found.records.empty() || IsBetter(others.front().records, found))) {
    AddDefect(DefectCode::kLogDamaged,
              absl::StrCat("the prb pointer leads to no ring that can be read; the newest of ", others.size(),
                           " other candidates was taken, found by ", others.front().how),
              &log);
    found = others.front().records;
    live = true;
  }
  if (!live) {
    AddDefect(DefectCode::kLogMissing, "no log ring is in the image", &log);
    return log;
  }
  log.records = std::move(found.records);
  uint64_t taken = 0;
  for (const Choice& other : others) taken += TakeTextFrom(other.records.records, &log.records);
  DescribeRecords(found, &log);
  if (found.method == RingMethod::kCarved) ForgetSequence(&log);
  DescribeDamage(found, fail, &log);
  if (taken > 0) {
    AddDefect(
        DefectCode::kLogFromStatic,
        absl::StrCat("the text of ", taken, " records comes from the ring that the kernel left at boot"),
        &log);
  }
  return log;
}

}  // namespace corefleet
