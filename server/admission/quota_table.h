#ifndef COREFLEET_SERVER_ADMISSION_QUOTA_TABLE_H_
#define COREFLEET_SERVER_ADMISSION_QUOTA_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <list>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace corefleet {

// What quotas are counted by: the rule, the build and the panic without the numbers in it, for the same bug
// prints another address each time.
std::string QuotaKey(absl::string_view rule, absl::string_view build_id, absl::string_view panic);

// How many whole crashes came of each kind today. A kind's day begins with its first crash. At most
// `capacity` kinds: the one that came least lately is forgotten, and begins again at 0. Counts of this
// process: a restart begins a new day. Not thread-safe.
class QuotaTable {
 public:
  explicit QuotaTable(size_t capacity) : capacity_(capacity) {}

  // How many came of `key` today.
  uint32_t Count(const std::string& key, absl::Time now) const;
  // One more.
  void Add(const std::string& key, absl::Time now);
  size_t size() const { return kinds_.size(); }

 private:
  struct Kind {
    uint64_t key;
    absl::Time day_begins;
    uint32_t count;
  };

  bool IsToday(const Kind& kind, absl::Time now) const;

  const size_t capacity_;
  std::list<Kind> by_age_;
  absl::flat_hash_map<uint64_t, std::list<Kind>::iterator> kinds_;
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_ADMISSION_QUOTA_TABLE_H_
