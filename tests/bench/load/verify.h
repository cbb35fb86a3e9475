#ifndef COREFLEET_TESTS_BENCH_LOAD_VERIFY_H_
#define COREFLEET_TESTS_BENCH_LOAD_VERIFY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/bench/load/device.h"
#include "tests/bench/load/ledger.h"

namespace corefleet {

// What became of what a ledger says was promised. Everything but the first three must be 0.
struct Verdict {
  uint64_t promised = 0;             // crashes that were said to be stored
  uint64_t read_back = 0;            // of these, read whole and right
  uint64_t bytes = 0;                // read
  uint64_t lost = 0;                 // said to be stored, and not there
  uint64_t wrong = 0;                // there, with other bytes
  uint64_t duplicates = 0;           // crashes in the archive that are another's twin
  uint64_t unknown = 0;              // crashes in the archive that nobody began
  uint64_t lost_chunks = 0;          // acknowledged, and missing in their open session
  uint64_t unanswered = 0;           // questions that the server did not answer
  std::vector<std::string> details;  // the first of what is wrong, in words

  bool good() const { return lost + wrong + duplicates + unknown + lost_chunks + unanswered == 0; }
};

// Reads every crash that the ledger has as stored back through the archive's port, byte for byte, and asks
// the ingest port about every session that is open. With `whole_archive` it reads all other crashes there are
// as well, so that a duplicate cannot hide: right only when the ledger is of all who uploaded.
//   UNAVAILABLE and others  the archive could not even be listed
absl::StatusOr<Verdict> VerifyLedger(const LedgerEntries& ledger, const Connection& archive,
                                     const Connection& ingest, bool whole_archive);

}  // namespace corefleet

#endif  // COREFLEET_TESTS_BENCH_LOAD_VERIFY_H_
