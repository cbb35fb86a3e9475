#include "core/printk/ring_log.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "core/printk/find_ring.h"
#include "core/printk/ring_reader.h"

namespace corefleet {
namespace {

bool HasText(const LogRecord& record) { return record.text_state != TextState::kLost; }

uint64_t CountState(const std::vector<LogRecord>& records, TextState state) {
  return std::count_if(records.begin(), records.end(),
                       [&](const LogRecord& record) { return record.text_state == state; });
}

uint64_t CountLost(const std::vector<LogRecord>& records) { return CountState(records, TextState::kLost); }

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

void DescribeMethod(const RingRecords& found, KernelLog* log) {
  if (found.method == RingMethod::kDescriptors) {
    AddDefect(DefectCode::kLogDamaged, "the ring's head and tail are wrong; every slot was read", log);
  } else if (found.method == RingMethod::kInfos) {
    AddDefect(DefectCode::kLogDamaged, "no descriptors; text was found by the ids in front of it", log);
  } else if (found.method == RingMethod::kCarved) {
    AddDefect(DefectCode::kLogDamaged,
              absl::StrCat("neither descriptors nor infos; ", log->records.size(),
                           " texts were carved, without stamps"),
              log);
  }
}

void DescribeSlots(const RingRecords& found, KernelLog* log) {
  const auto damage = [&](uint64_t count, absl::string_view what) {
    if (count > 0) AddDefect(DefectCode::kLogDamaged, absl::StrCat(count, what), log);
  };
  damage(found.damaged, " slots of the ring contradict themselves");
  damage(found.absent, " slots of the ring are not in the image");
  damage(found.no_info, " records have no stamp, level and caller: their infos are not in the image");
  damage(found.found_by_id, " texts were not where their descriptors say, and were found by their ids");
  damage(found.recycled, " records that the kernel had given up were still whole");
}

void DescribeLoss(const RingRecords& found, uint64_t fail, KernelLog* log) {
  const LogFacts& facts = log->facts;
  if (facts.first_seq + facts.lost + found.after_last + fail + found.unfinished > 0) {
    AddDefect(DefectCode::kLogGap,
              absl::StrCat(facts.first_seq, " records overwritten before the first, ", facts.lost,
                           " lost after it, ", found.after_last, " after the last, ", fail,
                           " found no room, ", found.unfinished, " unfinished"),
              log);
  }
  if (facts.text_lost > 0) {
    AddDefect(DefectCode::kLogTextLost,
              absl::StrCat(facts.text_lost, " of ", facts.records, " records have no text in the image"),
              log);
  }
  if (const uint64_t cut = CountState(log->records, TextState::kTruncated)) {
    AddDefect(DefectCode::kLogTextLost,
              absl::StrCat(cut, " of ", facts.records, " records have only the beginning of their text"),
              log);
  }
}

// What the image has of rings.
struct Found {
  RingRecords records;
  uint64_t fail = 0;
  bool any = false;  // a ring is there, perhaps an empty one
};

Found ReadLive(const CoreImage& image) {
  Found found;
  const std::optional<FoundRing> ring = FindLiveRing(image);
  if (!ring) return found;
  found.records = ReadRing(ring->ring);
  found.fail = ring->ring.fail;
  // A ring that is there and empty is the answer; one that is not there is none.
  found.any = !found.records.records.empty() || ring->ring.descs.available() == ring->ring.descs.size();
  return found;
}

bool IsDoubtful(const Found& found) {
  const RingMethod method = found.records.method;
  return !found.any || method == RingMethod::kCarved || method == RingMethod::kDescriptors;
}

// Takes the best of `others` when the live ring is none or in doubt.
void TakeOther(const std::vector<Choice>& others, Found* found, KernelLog* log) {
  if (!IsDoubtful(*found) || others.empty()) return;
  const RingRecords& best = others.front().records;
  if (!found->records.records.empty() && !IsBetter(best, found->records)) return;
  AddDefect(DefectCode::kLogDamaged,
            absl::StrCat("the prb pointer leads to no ring that can be read whole; the newest of ",
                         others.size(), " other candidates was taken, found by ", others.front().how),
            log);
  found->records = best;
  found->any = true;
}

}  // namespace

std::optional<KernelLog> ReadRingLog(const CoreImage& image) {
  KernelLog log;
  Found found = ReadLive(image);
  std::vector<Choice> others;
  if (IsDoubtful(found) || CountLost(found.records.records) > 0) others = ReadOthers(image);
  TakeOther(others, &found, &log);
  if (!found.any) return {};
  log.records = std::move(found.records.records);
  uint64_t taken = 0;
  for (const Choice& other : others) taken += TakeTextFrom(other.records.records, &log.records);
  log.facts = FactsOfRecords(log.records);
  log.facts.method = std::string(RingMethodName(found.records.method));
  // Carved records count up from wherever, so gaps and missing starts say nothing.
  if (found.records.method == RingMethod::kCarved)
    log.facts.first_seq = log.facts.last_seq = log.facts.lost = 0;
  DescribeMethod(found.records, &log);
  DescribeSlots(found.records, &log);
  DescribeLoss(found.records, found.fail, &log);
  if (taken > 0) {
    AddDefect(
        DefectCode::kLogFromStatic,
        absl::StrCat("the text of ", taken, " records comes from the ring that the kernel left at boot"),
        &log);
  }
  return log;
}

}  // namespace corefleet
