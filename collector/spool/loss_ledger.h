#ifndef COREFLEET_COLLECTOR_SPOOL_LOSS_LEDGER_H_
#define COREFLEET_COLLECTOR_SPOOL_LOSS_LEDGER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "collector/spool/losses.h"
#include "collector/spool/spool.h"
#include "collector/spool/spool_folder.h"

namespace corefleet {

// What the spool remembers beside its entries. It fits into one of the ledger's two slots.
struct LedgerPage {
  uint64_t generation = 0;            // larger is later
  SpoolId next_id = 1;                // no entry has had it, or a larger one
  uint64_t up_seconds = 0;            // that the device had been up, of all its boots, when this was written
  uint64_t boot_seconds = 0;          // of these since the last boot
  std::string boot_id;                // that boot; at most 64 bytes
  std::vector<LossAccount> accounts;  // the last one grows; those before are still to be reported
  std::vector<SpoolId> going;         // entries that are counted as lost, and may not have been removed yet
  std::vector<uint64_t> seen;         // marks of what was lost before it was an entry, oldest first

  friend bool operator==(const LedgerPage&, const LedgerPage&) = default;
};

inline constexpr uint64_t kLedgerSlotBytes = 4096;
inline constexpr size_t kMaxGoing = 128;
inline constexpr size_t kMaxSeen = 64;
inline constexpr size_t kMaxAccounts = 4;

// A slot's bytes, and back. DATA_LOSS for what is no page. Total.
std::string EncodePage(const LedgerPage& page);
absl::StatusOr<LedgerPage> DecodePage(ByteView slot);

// Counts losses so that each is counted once, over power cuts at any time. Two slots of one file are written
// in turn and in place, which needs neither space nor an inode on a full disk; the slot that was written last
// without a fault is never touched. A loss is written down before its entry is removed, with the entry's
// number: what a power cut leaves of it is removed at the next start, and not counted again. Not thread-safe.
class LossLedger {
 public:
  static constexpr char kFileName[] = "ledger";

  // Reads it, or begins a new one in a new epoch. `new_epoch` gives 32 hex digits, another each time.
  // `folder` must outlive it.
  LossLedger(SpoolFolder* folder, std::function<std::string()> new_epoch);

  const LedgerPage& page() const { return page_; }
  LedgerPage& page() { return page_; }
  bool unsaved() const { return unsaved_; }
  bool WasGoing(SpoolId id) const;

  // Counts entries that will be removed now, at most kMaxGoing, and saves. Not OK: it is counted in memory;
  // see Save.
  absl::Status CountGoing(absl::Span<const std::pair<SpoolId, LossReason>> entries);
  // Takes it back: nothing could be removed after all.
  void Uncount(absl::Span<const std::pair<SpoolId, LossReason>> entries);
  // They are gone, durably.
  void Gone(absl::Span<const SpoolId> ids);

  // Counts something that never was an entry, unless its mark was seen before; 0: no mark. Saves.
  absl::Status CountOnce(LossReason reason, uint64_t mark);

  // Writes the page. When that fails, what was counted since the last time goes to a new epoch, which the
  // next save that succeeds makes durable: a report of it can then never be mistaken for one of the counts
  // that a restart brings back. Codes: SpoolFile's.
  absl::Status Save();

  // The account to report, and that it was heard.
  const LossAccount& ToReport() const { return page_.accounts.front(); }
  void Reported(const LossAccount& account);

 private:
  LossAccount& growing() { return page_.accounts.back(); }
  absl::Status Write();
  // The file with room for both slots. Whole or not at all.
  absl::Status MakeFile();
  // Counts that are not on the disk leave the epoch that is.
  void TurnOver();

  SpoolFolder* const folder_;
  const std::function<std::string()> new_epoch_;
  LedgerPage page_;
  LedgerPage saved_;      // generation 0: nothing was
  bool unsaved_ = false;  // the last save failed
};

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_SPOOL_LOSS_LEDGER_H_
