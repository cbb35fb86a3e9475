#include "storage/postgres/test_cluster.h"

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <pqxx/pqxx>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace corefleet {

TestCluster* TestCluster::Get() {
  static TestCluster cluster;
  return &cluster;
}

TestCluster::TestCluster() {
  const char* parent = std::getenv("TEST_TMPDIR");
  dir_ = absl::StrCat(parent == nullptr ? "/tmp" : parent, "/cluster.XXXXXX");
  if (mkdtemp(&dir_[0]) == nullptr) std::abort();
  auto cluster = EmbeddedCluster::Start(dir_);
  if (!cluster.ok()) {
    std::cerr << cluster.status() << "\n";
    std::abort();
  }
  cluster_ = *std::move(cluster);
}

TestCluster::~TestCluster() {
  cluster_.reset();
  std::error_code error;
  std::filesystem::remove_all(dir_, error);
}

std::string TestCluster::FreshDatabase() {
  const std::string name = absl::StrCat("test", ++databases_);
  pqxx::connection connection(cluster_->connection_string());
  pqxx::nontransaction(connection).exec(absl::StrCat("CREATE DATABASE ", name));
  return absl::StrReplaceAll(cluster_->connection_string(),
                             {{"dbname=postgres", absl::StrCat("dbname=", name)}});
}

// In one statement each, and not TRUNCATE, which would make every partition's fifty files anew.
void TestCluster::Empty(const std::string& database) {
  pqxx::connection connection(database);
  pqxx::nontransaction(connection)
      .exec(
          "DELETE FROM ingest_session; DELETE FROM session_manifest; DELETE FROM session_pack; DELETE FROM "
          "crash; DELETE FROM crash_fact; DELETE FROM crash_detail;"
          " DELETE FROM build; DELETE FROM analysis_queue; DELETE FROM crash_count;"
          " DELETE FROM ingest_count; DELETE FROM device_loss");
}

}  // namespace corefleet

// libpqxx 6.4.5 loses one PGresult (2 KiB) when the connection breaks inside exec: it asks the dead
// connection for its encoding, which throws, before anything owns the result. LeakSanitizer asks for this
// function by its name.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:libpqxx-6.4.so\n"; }
