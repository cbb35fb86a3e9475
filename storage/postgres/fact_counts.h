#ifndef COREFLEET_STORAGE_POSTGRES_FACT_COUNTS_H_
#define COREFLEET_STORAGE_POSTGRES_FACT_COUNTS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "core/crash/facts.h"

namespace corefleet {

// What an analysed crash adds to the counters of crash_count.
struct Counted {
  CrashState state = CrashState::kReceived;
  std::optional<int> build;      // build.ref
  std::optional<uint64_t> mask;  // taint
  int64_t weight = 1;
};

// Changes of crash_count by (kind, key), sorted: every transaction locks the counters in one order.
class CountChanges {
 public:
  void Add(const Counted& crash) { Change(crash, 1); }
  void Remove(const Counted& crash) { Change(crash, -1); }
  bool empty() const { return changes_.empty(); }

  // PostgreSQL array literals of one length.
  std::string Kinds() const;
  std::string Keys() const;
  std::string Amounts() const;

 private:
  void Change(const Counted& crash, int64_t by);
  // The kind by one crash, and what its weight adds.
  void ChangeBoth(int kind, int64_t key, const Counted& crash, int64_t by);
  void ChangeOne(int kind, int64_t key, int64_t by);

  std::map<std::pair<int, int64_t>, int64_t> changes_;  // none is 0
};

// crash_count.kind
inline constexpr int kCountState = 0;
inline constexpr int kCountTaint = 1;
inline constexpr int kCountBuild = 2;
// Added to a kind: what the weights of its crashes add to it.
inline constexpr int kCountWeight = 3;
// crash_count.key of kCountTaint when no bit is set
inline constexpr int64_t kUntaintedKey = -1;

}  // namespace corefleet

#endif  // COREFLEET_STORAGE_POSTGRES_FACT_COUNTS_H_
