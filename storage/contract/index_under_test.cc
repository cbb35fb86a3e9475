#include "storage/contract/index_under_test.h"

#include <cstdlib>
#include <iostream>
#include <string>
#include <utility>

#include "storage/memory/memory_crash_index.h"
#include "storage/postgres/postgres_crash_index.h"
#include "storage/postgres/test_cluster.h"

namespace corefleet {
namespace {

class MemoryUnderTest final : public IndexUnderTest {
 public:
  CrashIndex* index() override { return &index_; }
  void GoDown() override { index_.SetStatus(absl::UnavailableError("down")); }
  void ComeBack() override { index_.SetStatus(absl::OkStatus()); }

 private:
  MemoryCrashIndex index_;
};

std::unique_ptr<PostgresCrashIndex> OpenOrDie(const std::string& database) {
  auto index = PostgresCrashIndex::Open(database);
  if (!index.ok()) {
    std::cerr << index.status() << "\n";
    std::abort();
  }
  return *std::move(index);
}

// Making a database takes longer than a test, so one is made, and emptied for each.
std::string EmptyDatabase() {
  static const auto* const database = new std::string(TestCluster::Get()->FreshDatabase());
  static const bool made = OpenOrDie(*database) != nullptr;
  if (made) TestCluster::Empty(*database);
  return *database;
}

class PostgresUnderTest final : public IndexUnderTest {
 public:
  PostgresUnderTest() : index_(OpenOrDie(EmptyDatabase())) {}
  CrashIndex* index() override { return index_.get(); }
  void GoDown() override { TestCluster::Get()->cluster()->Stop().IgnoreError(); }
  void ComeBack() override {
    const absl::Status status = TestCluster::Get()->cluster()->Restart();
    if (!status.ok()) std::cerr << status << "\n";
  }

 private:
  std::unique_ptr<PostgresCrashIndex> index_;
};

}  // namespace

std::vector<IndexFactory> IndexFactories() {
  return {[] { return std::make_unique<MemoryUnderTest>(); },
          [] { return std::make_unique<PostgresUnderTest>(); }};
}

}  // namespace corefleet
