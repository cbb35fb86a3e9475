#ifndef COREFLEET_COLLECTOR_SPOOL_DROP_ORDER_H_
#define COREFLEET_COLLECTOR_SPOOL_DROP_ORDER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "collector/spool/losses.h"
#include "collector/spool/spool.h"

namespace corefleet {

// What the rules of dropping and sending look at. Pure.

// An entry as the rules see it.
struct Waiting {
  SpoolId id = 0;
  std::string kind;  // KindOf
  uint32_t priority = 0;
  uint64_t bytes = 0;
  bool rest_only = false;
  bool open = false;   // somebody reads it, or it is just coming in: never dropped
  bool waits = false;  // not to be sent now
};

// What kind of crash it is: device, source, build and panic, with all numbers taken out of the panic, so that
// the crashes of one loop are of one kind whatever addresses they print.
std::string KindOf(const SpoolTags& tags);

// Which kinds of entries may go.
enum class Mercy {
  kSpareRare,  // an entry that is the only one of its kind stays
  kNone,
};

// The next entry to drop: a rest, oldest first; else from the kind with the most entries one out of the
// middle, so that its first and its last stay; else, with kNone, the only ones of their kinds, lower
// priorities first, then oldest first, and none of a priority above `priority`. Empty: none may go.
std::optional<size_t> NextVictim(const std::vector<Waiting>& waiting, Mercy mercy, uint32_t priority);

// Indexes in the order of sending: Spool::List.
std::vector<size_t> SendingOrder(const std::vector<Waiting>& waiting);

// What is used and free, or wanted and asked for.
struct SpoolUse {
  uint64_t bytes = 0;  // of the spool's files
  uint64_t entries = 0;
  SpoolFolder::Room free{UINT64_MAX, UINT64_MAX};
};

// What keeps something of `bytes` bytes in `entries` new files out, or nothing.
std::optional<LossReason> Obstacle(const SpoolUse& use, const SpoolLimits& limits, uint64_t bytes,
                                   uint64_t entries);

struct Victim {
  size_t index = 0;  // in `waiting`
  LossReason reason;
};

// What to drop so that `bytes` more bytes in `entries` more files fit, no more than that. Empty optional:
// nothing that may be dropped makes enough room, and so nothing shall be.
std::optional<std::vector<Victim>> PlanDrops(const std::vector<Waiting>& waiting, const SpoolUse& use,
                                             const SpoolLimits& limits, Mercy mercy, uint32_t priority,
                                             uint64_t bytes, uint64_t entries);

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_SPOOL_DROP_ORDER_H_
