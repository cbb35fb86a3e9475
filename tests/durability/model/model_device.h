#ifndef COREFLEET_TESTS_DURABILITY_MODEL_MODEL_DEVICE_H_
#define COREFLEET_TESTS_DURABILITY_MODEL_MODEL_DEVICE_H_

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/simulate/random.h"
#include "server/ingest/announced_crash.h"
#include "server/ingest/ingestor.h"
#include "storage/crash_index.h"
#include "storage/pack_store.h"

namespace corefleet {

// What a device is like.
enum class Character {
  kHonest,
  kFickle,  // abandons its upload once, half-way, and begins again
  kLiar,    // announces another root than its bytes have, and gives up when it is told
};

// One device with one crash: uploads it step by step, remembers what was acknowledged, and says when that is
// not true any more.
class ModelDevice {
 public:
  using Complain = std::function<void(const std::string& what)>;

  ModelDevice(int number, Character character, Random random, Complain complain);

  // Does one thing with the server: begin, send a few chunks, make them durable, finish.
  void Step(Ingestor* ingestor);
  // The connection is gone, as it is when a server dies.
  void Disconnect();
  bool done() const { return state_ == State::kDone; }
  // True when the crash must be in the archive at the end.
  bool has_crash() const { return character_ != Character::kLiar; }
  int acknowledged() const { return acknowledged_; }
  // Times that the last chunks and the crash became durable in one step.
  int finished_with_last() const { return finished_with_last_; }

  // Complains unless the crash is there, byte for byte. Call it when done() and has_crash().
  void Check(CrashIndex* index, PackStore* store) const;

 private:
  enum class State { kBegin, kSend, kFinish, kDone };
  using Chunk = std::pair<uint32_t, uint64_t>;  // region, chunk

  void Begin(Ingestor* ingestor);
  void CheckPromises(const SessionStatus& status);
  void Send(Ingestor* ingestor);
  // Makes durable what the writer holds. False after an error.
  bool Flush();
  bool MakeRoom();
  // Makes it durable, and finishes the crash in the same step.
  void FlushAndFinish(Ingestor* ingestor);
  // Notes what the writer acknowledges.
  void TakeAcks();
  void Finish(Ingestor* ingestor);
  void Finished(const CrashId& crash);
  void Abandon(Ingestor* ingestor);
  void Say(const std::string& what) const;

  const int number_;
  const Character character_;
  const Complain complain_;
  Random random_;
  AnnouncedCrash crash_;
  State state_ = State::kBegin;
  SessionId session_;
  bool may_be_gone_ = false;  // this session was abandoned, perhaps
  bool abandoned_once_ = false;
  std::set<Chunk> promised_;  // acknowledged, in this session
  std::vector<Chunk> todo_;
  std::unique_ptr<SessionWriter> writer_;
  CrashId stored_;  // what it was told
  int acknowledged_ = 0;
  int finished_with_last_ = 0;
};

}  // namespace corefleet

#endif  // COREFLEET_TESTS_DURABILITY_MODEL_MODEL_DEVICE_H_
