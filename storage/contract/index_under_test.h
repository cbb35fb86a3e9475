#ifndef COREFLEET_STORAGE_CONTRACT_INDEX_UNDER_TEST_H_
#define COREFLEET_STORAGE_CONTRACT_INDEX_UNDER_TEST_H_

#include <functional>
#include <memory>
#include <vector>

#include "storage/crash_index.h"

namespace corefleet {

// An empty index of one engine, whose engine can be stopped.
class IndexUnderTest {
 public:
  virtual ~IndexUnderTest() = default;
  virtual CrashIndex* index() = 0;
  virtual void GoDown() = 0;
  virtual void ComeBack() = 0;
};

using IndexFactory = std::function<std::unique_ptr<IndexUnderTest>()>;

// Memory, then PostgreSQL (one cluster for the whole test program; its one database is emptied for each).
std::vector<IndexFactory> IndexFactories();

}  // namespace corefleet

#endif  // COREFLEET_STORAGE_CONTRACT_INDEX_UNDER_TEST_H_
