#ifndef COREFLEET_STORAGE_POSTGRES_INDEX_IMPL_H_
#define COREFLEET_STORAGE_POSTGRES_INDEX_IMPL_H_

#include <functional>
#include <pqxx/pqxx>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/civil_time.h"
#include "storage/postgres/batches.h"
#include "storage/postgres/connection_pool.h"
#include "storage/postgres/group_commit.h"
#include "storage/postgres/postgres_crash_index.h"

namespace corefleet {

// What the methods of the index share: connections, transactions, partitions. Thread-safe.
class PostgresCrashIndex::Impl {
 public:
  using Body = absl::FunctionRef<absl::Status(pqxx::transaction_base&)>;

  Impl(const std::string& connection_string, const PostgresCrashIndexOptions& options);

  // One statement, which is its own transaction: one round trip.
  absl::Status Alone(Body body);
  absl::Status InTransaction(Body body);

  // Brings the schema up to date.
  absl::Status BringUp(const std::string& connection_string);
  // Makes the partitions of a month, if nobody here has seen them.
  absl::Status EnsureMonth(absl::CivilMonth month);
  // Makes the month anew if somebody has removed its partitions meanwhile.
  void ForgetMonths() {
    absl::MutexLock lock(&mutex_);
    months_.clear();
  }

  // What every crash needs, gathered into one transaction with what others need at the same time. OK and not
  // settled: do it alone.
  void Begin(BeginOp* op) { begins_.Run(op); }
  void AddPacks(AddPacksOp* op) { packs_.Run(op); }
  void Finish(FinishOp* op) { ends_.Run(op); }
  void FinishWithPacks(LastPacksOp* op) { last_packs_.Run(op); }

  absl::Status BeginOnce(pqxx::transaction_base& transaction, const DeviceId& device,
                         const Manifest& manifest, const std::string& note, const SessionTerms& terms,
                         const SessionId& fresh, absl::Time now, absl::Time expires_at, BeginResult* result);
  absl::StatusOr<CrashId> FinishOnce(const SessionId& id, const CrashId& fresh, const CrashBytes& bytes);
  // Closes reopened sessions that expired.
  absl::Status CloseExpired(absl::Time now, int64_t limit);

 private:
  template <typename Op>
  std::function<void(const std::vector<Op*>&)> Together(void (*all)(pqxx::transaction_base&,
                                                                    const std::vector<Op*>&));

  ConnectionPool pool_;
  GroupCommit<BeginOp> begins_;
  GroupCommit<AddPacksOp> packs_;
  GroupCommit<FinishOp> ends_;
  GroupCommit<LastPacksOp> last_packs_;
  absl::Mutex mutex_;
  std::set<absl::CivilMonth> months_ ABSL_GUARDED_BY(mutex_);  // known to have partitions
};

absl::Status NoSession(const SessionId& id);
absl::Status NoCrash(const CrashId& id);

}  // namespace corefleet

#endif  // COREFLEET_STORAGE_POSTGRES_INDEX_IMPL_H_
