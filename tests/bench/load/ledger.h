#ifndef COREFLEET_TESTS_BENCH_LOAD_LEDGER_H_
#define COREFLEET_TESTS_BENCH_LOAD_LEDGER_H_

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "corefleet/v1/ingest.pb.h"

namespace corefleet {

// What the server has promised, written down before the device goes on. Lines of text, each one appended by
// one write:
//
//   B SESSION CONTENT              a session was opened
//   A SESSION REGION FIRST COUNT   these chunks were acknowledged as durable
//   F SESSION CONTENT CRASH        the crash was said to be stored
//
// CONTENT is StampedCrash::Content. Survives the death of this process, and not that of the machine.
// Thread-safe.
class Ledger {
 public:
  // Appends to the file. INVALID_ARGUMENT if it cannot be opened.
  static absl::StatusOr<std::unique_ptr<Ledger>> Open(const std::string& path);
  ~Ledger();
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  void Begun(const std::string& session, const std::string& content);
  void Acknowledged(const std::string& session, const v1::ChunkRange& range);
  void Finished(const std::string& session, const std::string& content, const std::string& crash);

 private:
  explicit Ledger(int descriptor) : descriptor_(descriptor) {}
  void Append(const std::string& line);

  const int descriptor_;
};

// A ledger as it is read back; a torn last line counts for nothing.
struct LedgerEntries {
  struct Finished {
    std::string content;
    std::string crash;
  };
  std::map<std::string, Finished> finished;                                     // by session
  std::map<std::string, std::set<std::pair<uint32_t, uint64_t>>> acknowledged;  // chunks, by session
  std::map<std::string, std::string> begun;                                     // content, by session
};

// INVALID_ARGUMENT if it cannot be read or is no ledger.
absl::StatusOr<LedgerEntries> ReadLedger(const std::string& path);

}  // namespace corefleet

#endif  // COREFLEET_TESTS_BENCH_LOAD_LEDGER_H_
