#ifndef COREFLEET_STORAGE_POSTGRES_BATCHES_H_
#define COREFLEET_STORAGE_POSTGRES_BATCHES_H_

#include <cstddef>
#include <cstdint>
#include <pqxx/pqxx>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "storage/crash_index.h"

// The operations that every crash needs, of many crashes in one statement. Each takes what a batch can
// settle and leaves the rest: what is not `settled` afterwards is to be done alone, where the rarer outcomes
// are told apart. All throw libpqxx's exceptions, and then nothing was done.
namespace corefleet {

// A session to be made.
struct BeginOp {
  SessionId id;
  DeviceId device;
  CrashUid uid;
  absl::Time expires_at;
  std::string note;      // as a text column takes it
  std::string manifest;  // encoded
  SessionWant want = SessionWant::kAll;
  std::string rule;  // as a text column takes it
  uint32_t weight = 1;
  std::string hints;  // encoded

  bool settled = false;  // it was made; else it may be there already
  absl::Status status;
  size_t bytes() const { return manifest.size() + note.size() + hints.size() + rule.size(); }
};

// A row of session_pack.
struct PackRow {
  PackRef ref;
  std::string index;  // encoded
};
size_t BytesOfIndexes(const std::vector<PackRow>& packs);

// Packs to be added to a session.
struct AddPacksOp {
  SessionId session;
  std::vector<PackRow> packs;  // not empty
  absl::Time expires_at;
  absl::Time extend_before;

  bool settled = false;  // they were added
  absl::Status status;
  size_t bytes() const { return BytesOfIndexes(packs); }
};

// A session without a crash to be finished.
struct FinishOp {
  SessionId session;
  CrashId crash;
  CrashBytes size;

  bool settled = false;  // it was finished just now, with that crash
  absl::Status status;
  size_t bytes() const { return 0; }
};

// The last packs of a session without a crash to be added, and the session to be finished.
struct LastPacksOp {
  SessionId session;
  uint64_t pack_changes = 0;
  std::vector<PackRow> packs;  // not empty
  CrashId crash;
  CrashBytes size;

  bool settled = false;  // it was finished just now, with that crash
  absl::Status status;
  size_t bytes() const { return BytesOfIndexes(packs); }
};

void BeginAll(pqxx::transaction_base& transaction, const std::vector<BeginOp*>& ops);
void AddAll(pqxx::transaction_base& transaction, const std::vector<AddPacksOp*>& ops);
void FinishAll(pqxx::transaction_base& transaction, const std::vector<FinishOp*>& ops);
void FinishAllWithPacks(pqxx::transaction_base& transaction, const std::vector<LastPacksOp*>& ops);

}  // namespace corefleet

#endif  // COREFLEET_STORAGE_POSTGRES_BATCHES_H_
