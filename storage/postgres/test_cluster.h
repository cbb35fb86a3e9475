#ifndef COREFLEET_STORAGE_POSTGRES_TEST_CLUSTER_H_
#define COREFLEET_STORAGE_POSTGRES_TEST_CLUSTER_H_

#include <memory>
#include <string>

#include "storage/postgres/embedded_cluster.h"

namespace corefleet {

// One cluster for a test program, in a temporary directory that goes with it. initdb takes a second, so all
// share it.
class TestCluster {
 public:
  // Starts it at the first call; ends the program when it does not start.
  static TestCluster* Get();
  ~TestCluster();

  EmbeddedCluster* cluster() { return cluster_.get(); }
  // The connection string of a new, empty database.
  std::string FreshDatabase();
  // Forgets every row of an index's database.
  static void Empty(const std::string& database);

 private:
  TestCluster();

  std::string dir_;
  std::unique_ptr<EmbeddedCluster> cluster_;
  int databases_ = 0;
};

}  // namespace corefleet

#endif  // COREFLEET_STORAGE_POSTGRES_TEST_CLUSTER_H_
