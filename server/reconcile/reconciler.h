#ifndef COREFLEET_SERVER_RECONCILE_RECONCILER_H_
#define COREFLEET_SERVER_RECONCILE_RECONCILER_H_

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "server/reconcile/key_difference.h"
#include "server/reconcile/reconcile_metrics.h"
#include "storage/crash_index.h"
#include "storage/pack_store.h"

namespace corefleet {

// Whether packs that no row names give their room back.
enum class OrphanRelease {
  kNever,
  kAuto,   // unless there are more of them than can be true
  kAlways  // the operator knows why there are so many
};

struct ReconcileOptions {
  OrphanRelease release = OrphanRelease::kAuto;
  // For so long nothing is released from a key after it was last written to. Far longer than a row can be on
  // its way.
  absl::Duration grace = absl::Hours(24);
  // At start the packs of so many keys, the newest, are looked through for ones whose row is missing.
  size_t recovered_keys = 16;
  // What is checked against its digests in a day, in bytes. 0: nothing.
  uint64_t scrub_bytes_per_day = uint64_t{64} << 30;
  // A crash that got no facts and is not waiting for any is noticed after this time.
  absl::Duration analysis_patience = absl::Hours(1);
};

// Compares rows, packs and analyses, all the time, and makes the difference 0 where that loses nothing.
//
// Why no pack is ever released whose row is on its way. A row is written by whoever put the pack, right after
// the put. So a pack is released only when, all at once:
//   * nothing has been added to its key for `grace` (a day; a database call is given up after seconds),
//   * its key was closed in an earlier pass of this same process, so that a wall clock that jumps is not all
//     that says so,
//   * no row names a byte of it, asked again right before,
//   * its session is not open: the index takes no pack for a session that is complete or gone, in the
//     transaction that would add it.
// The keys of a store belong to one process (SegmentPackStore holds its directory's lock), so no other server
// writes below them; another server's row for a pack of ours does not exist.
//
// And why a wrong database does not empty the store: while the index names nothing at all, or a tenth of all
// bytes (and 64 MiB) have no row, nothing is released, and that is told (`holding_back`). A dump of the
// database that was restored and is older than the packs looks just like that.
//
// Not thread-safe. Every method blocks on the store and the index, for one key at a time.
class Reconciler {
 public:
  struct Dependencies {
    CrashIndex* index;
    PackStore* store;
    const Clock* clock;
    ReconcileMetrics* metrics;
  };

  Reconciler(const Dependencies& deps, const ReconcileOptions& options) : deps_(deps), options_(options) {}

  // Once, at start: a pack whose row was lost with the last process, of a session that is still open, gets
  // one, so that its chunks need not travel again. The pack is put again rather than named where it lies:
  // what can be read back may be in the page cache alone. After an error call it again.
  //   UNAVAILABLE, ...  the index or the store does not answer
  absl::Status Recover();

  // Reconciles one key. True when that was the last one of a pass. After an error call it again: it goes on
  // where it was.
  //   UNAVAILABLE, ...  the index or the store does not answer
  absl::StatusOr<bool> Step();

 private:
  struct Pass {
    std::vector<std::string> closed;  // keys of the store
    std::vector<std::string> keys;    // these, and those that rows name
    size_t next = 0;
    bool index_is_empty = false;
    uint64_t bytes = 0;  // of all packs seen
    Differences found;
  };

  absl::Status Adopt(const PackStore::KeptPack& pack);
  absl::Status BeginPass();
  absl::Status EndPass();
  absl::Status ReconcileKey(const std::string& key);
  void ReportLost(const std::vector<IndexedPack>& lost, bool key_is_there);
  // Gives back the room of orphans that may go, and counts the others.
  absl::Status ReleaseOrphans(const std::string& key, const PackStore::KeyContents& contents);
  bool MayRelease(const std::string& key, absl::Time changed_at) const;
  absl::StatusOr<bool> SessionIsOpen(const std::string& session);
  void CountOrphan(const PackStore::KeptPack& pack);
  void SaveScrubBudget();
  // Checks a whole key against its digests when it is its turn and the budget is not overdrawn.
  absl::Status Scrub(const std::string& key, const std::vector<IndexedPack>& rows);
  std::string WhoseIs(const SessionId& session);
  void TellAccount();

  const Dependencies deps_;
  const ReconcileOptions options_;
  std::optional<Pass> pass_;
  bool first_pass_ = true;
  bool holding_back_ = true;           // until a whole pass has shown that there is no reason to
  std::set<std::string> seen_closed_;  // keys, in earlier passes
  std::set<std::pair<std::string, uint64_t>> told_;  // key and offset of lost packs that were logged
  std::string scrub_next_;                           // the first key that was not scrubbed in this round
  double scrub_budget_ = 0;                          // bytes; below 0: a debt
  absl::Time budget_at_ = absl::InfinitePast();
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_RECONCILE_RECONCILER_H_
