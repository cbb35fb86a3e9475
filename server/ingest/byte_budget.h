#ifndef COREFLEET_SERVER_INGEST_BYTE_BUDGET_H_
#define COREFLEET_SERVER_INGEST_BYTE_BUDGET_H_

#include <atomic>
#include <cstdint>

namespace corefleet {

// Counts bytes that several owners hold together against one limit. It never makes anybody wait: an owner
// that sees it exhausted gives back what it holds. Thread-safe.
class ByteBudget {
 public:
  explicit ByteBudget(uint64_t limit) : limit_(limit) {}
  void Take(uint64_t bytes) { held_.fetch_add(bytes, std::memory_order_relaxed); }
  void Give(uint64_t bytes) { held_.fetch_sub(bytes, std::memory_order_relaxed); }
  uint64_t held() const { return held_.load(std::memory_order_relaxed); }
  bool exhausted() const { return held() >= limit_; }

 private:
  const uint64_t limit_;
  std::atomic<uint64_t> held_{0};
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_INGEST_BYTE_BUDGET_H_
