#ifndef COREFLEET_SERVER_INGEST_BYTE_BUDGET_H_
#define COREFLEET_SERVER_INGEST_BYTE_BUDGET_H_

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace corefleet {

// Counts bytes that several owners hold together against one limit. It never makes anybody wait: an owner
// looks at what is left and gives back what it holds. Thread-safe.
class ByteBudget {
 public:
  explicit ByteBudget(uint64_t limit) : limit_(limit) {}
  void Take(uint64_t bytes) { held_.fetch_add(bytes, std::memory_order_relaxed); }
  void Give(uint64_t bytes) { held_.fetch_sub(bytes, std::memory_order_relaxed); }
  uint64_t held() const { return held_.load(std::memory_order_relaxed); }
  // What an owner that holds `mine` and wants `bytes` may hold: all of them while the others leave a quarter
  // of the limit, and then less the less they leave, so that whoever comes when many hold much still gets
  // his part. Nothing when the limit is reached.
  uint64_t PartOf(uint64_t bytes, uint64_t mine) const {
    const uint64_t taken = held();
    if (taken >= limit_) return 0;
    const uint64_t others = taken - std::min(taken, mine);
    const uint64_t scarce = limit_ / 4;
    if (limit_ - std::min(limit_, others) >= scarce) return bytes;
    return static_cast<uint64_t>(static_cast<double>(bytes) * static_cast<double>(limit_ - others) /
                                 static_cast<double>(scarce));
  }

 private:
  const uint64_t limit_;
  std::atomic<uint64_t> held_{0};
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_INGEST_BYTE_BUDGET_H_
