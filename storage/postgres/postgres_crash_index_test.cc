// What the contract does not ask of every index: plans, schema versions, a database that hangs.
#include "storage/postgres/postgres_crash_index.h"

#include <gtest/gtest.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <pqxx/pqxx>
#include <set>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "storage/postgres/connection_pool.h"
#include "storage/postgres/list_query.h"
#include "storage/postgres/migration.h"
#include "storage/postgres/partitions.h"
#include "storage/postgres/test_cluster.h"

namespace corefleet {
namespace {

using Json = nlohmann::json;

// What the planner does with a query.
struct Plan {
  std::multiset<std::string> nodes;  // node types
  std::string text;
};

void Collect(const Json& node, std::multiset<std::string>* nodes) {
  nodes->insert(node["Node Type"].get<std::string>());
  if (!node.contains("Plans")) return;
  for (const Json& child : node["Plans"]) Collect(child, nodes);
}

// 8000 crashes of 40 builds in two months; every tenth has W, every hundredth O besides, every fifth is
// untainted.
class PlanTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    const std::string database = TestCluster::Get()->FreshDatabase();
    ASSERT_TRUE(PostgresCrashIndex::Open(database).ok());
    connection_ = new pqxx::connection(database);
    pqxx::work work(*connection_);
    work.exec(CreatePartitionsSql(absl::CivilMonth(2024, 1)));
    work.exec(CreatePartitionsSql(absl::CivilMonth(2024, 2)));
    // 0x18cc...: 2024-01-01 in milliseconds, and ten minutes between crashes.
    work.exec(
        "INSERT INTO crash_fact (id, device, received_at, note, raw_bytes, stored_bytes, state, build, "
        "taint_mask, summary)"
        " SELECT (lpad(to_hex(1704067200000 + i::bigint * 600000), 12, '0') || '7' || substr(md5(i::text), "
        "1, 3) || "
        "'8' ||"
        "         substr(md5(i::text), 4, 15))::uuid, 'device-' || i % 100, now(), '', 1, 1, 1, i % 40,"
        "   CASE WHEN i % 100 = 0 THEN 4608 WHEN i % 10 = 0 THEN 512 WHEN i % 5 = 1 THEN 0 ELSE 64 END, '{}'"
        " FROM generate_series(0, 7999) i");
    work.commit();
    pqxx::nontransaction(*connection_).exec("ANALYZE crash_fact");
    pqxx::nontransaction(*connection_).exec(SessionSettings(absl::Seconds(5)));
  }
  static void TearDownTestSuite() { delete std::exchange(connection_, nullptr); }

  Plan PlanOf(const CrashFilter& filter, const BuildRefs& builds, std::optional<int> bit,
              const CrashId& before = CrashId()) {
    const ListQuery query = MakeListQuery(filter, before, 51, builds, bit);
    pqxx::nontransaction transaction(*connection_);
    const pqxx::result rows = transaction.exec_params("EXPLAIN (FORMAT JSON) " + query.sql,
                                                      pqxx::prepare::make_dynamic_params(query.params));
    Plan plan{.text = rows[0][0].c_str()};
    Collect(Json::parse(plan.text)[0]["Plan"], &plan.nodes);
    return plan;
  }

  // The same for the query prepared, planned once without knowing its parameters.
  Plan PreparedPlanOf(const CrashFilter& filter, const BuildRefs& builds, std::optional<int> bit) {
    const ListQuery query = MakeListQuery(filter, CrashId(), 51, builds, bit);
    pqxx::nontransaction transaction(*connection_);
    std::string arguments;
    for (const std::string& param : query.params) {
      absl::StrAppend(&arguments, arguments.empty() ? "" : ", ", transaction.quote(param));
    }
    transaction.exec("DEALLOCATE ALL; PREPARE listed AS " + query.sql);
    const pqxx::result rows =
        transaction.exec(absl::StrCat("EXPLAIN (FORMAT JSON) EXECUTE listed(", arguments, ")"));
    Plan plan{.text = rows[0][0].c_str()};
    Collect(Json::parse(plan.text)[0]["Plan"], &plan.nodes);
    return plan;
  }

  // One index scan for each partition and nothing that sorts or walks a table.
  static void ExpectIndexScansAlone(const Plan& plan, bool filters = false) {
    for (const std::string& node : plan.nodes) {
      EXPECT_TRUE(node == "Limit" || node == "Append" || node == "Merge Append" || node == "Index Scan")
          << plan.text;
    }
    EXPECT_GE(plan.nodes.count("Index Scan"), 1u) << plan.text;
    EXPECT_TRUE(filters || plan.text.find("\"Filter\"") == std::string::npos) << plan.text;
  }

  static pqxx::connection* connection_;
};

pqxx::connection* PlanTest::connection_ = nullptr;

TEST_F(PlanTest, BuildAndTaintIsOneIndexScanPerPartition) {
  const Plan plan = PlanOf({.taint_all = 0x200}, std::vector<int>{10}, 9);
  ExpectIndexScansAlone(plan);
  EXPECT_EQ(plan.nodes.count("Index Scan"), 4u)
      << plan.text;  // these two months, and the present and next one
  EXPECT_NE(plan.text.find("\"Index Cond\": \"(build = "), std::string::npos) << plan.text;
  // A page further on, too.
  const CrashId before = CrashId::Make(absl::FromCivil(absl::CivilDay(2024, 2, 10), absl::UTCTimeZone()), {});
  ExpectIndexScansAlone(PlanOf({.taint_all = 0x200}, std::vector<int>{10}, 9, before));
}

TEST_F(PlanTest, PlannedOnceItIsTheSame) {
  const Plan plan = PreparedPlanOf({.taint_all = 0x200}, std::vector<int>{10}, 9);
  ExpectIndexScansAlone(plan);
  EXPECT_NE(plan.text.find("\"Index Cond\": \"(build = $"), std::string::npos) << plan.text;
  ExpectIndexScansAlone(PreparedPlanOf({}, {}, {}));
  ExpectIndexScansAlone(PreparedPlanOf({}, std::vector<int>{10}, {}));
  ExpectIndexScansAlone(PreparedPlanOf({.taint_all = 0x1000}, {}, 12));
  ExpectIndexScansAlone(PreparedPlanOf({.untainted = true}, std::vector<int>{1}, {}));
}

TEST_F(PlanTest, EachOtherListIsIndexScansToo) {
  ExpectIndexScansAlone(PlanOf({}, {}, {}));
  ExpectIndexScansAlone(PlanOf({}, std::vector<int>{10}, {}));
  ExpectIndexScansAlone(PlanOf({.taint_all = 0x1000}, {}, 12));
  ExpectIndexScansAlone(PlanOf({.untainted = true}, {}, {}));
  ExpectIndexScansAlone(PlanOf({.untainted = true}, std::vector<int>{1}, {}));
  ExpectIndexScansAlone(PlanOf({.device = DeviceId("device-7")}, {}, {}));
  // Several bits: the scan of one, which looks at the others.
  ExpectIndexScansAlone(PlanOf({.taint_all = 0x1200}, {}, 12), /*filters=*/true);
}

TEST_F(PlanTest, TimesPrunePartitions) {
  const absl::Time february = absl::FromCivil(absl::CivilMonth(2024, 2), absl::UTCTimeZone());
  const Plan plan = PlanOf({.until = february}, std::vector<int>{10}, {});
  EXPECT_EQ(plan.nodes.count("Index Scan"), 1u) << plan.text;
}

TEST(PostgresCrashIndexTest, ReplicasMayStartTogether) {
  const std::string database = TestCluster::Get()->FreshDatabase();
  std::vector<std::thread> replicas;
  for (int i = 0; i < 3; ++i) {
    replicas.emplace_back([&] {
      const auto index = PostgresCrashIndex::Open(database);
      EXPECT_TRUE(index.ok()) << index.status();
    });
  }
  for (std::thread& replica : replicas) replica.join();
  const auto again = PostgresCrashIndex::Open(database);
  EXPECT_TRUE(again.ok()) << again.status();
}

TEST(PostgresCrashIndexTest, ANewerSchemaIsRefused) {
  const std::string database = TestCluster::Get()->FreshDatabase();
  ASSERT_TRUE(PostgresCrashIndex::Open(database).ok());
  pqxx::connection connection(database);
  pqxx::nontransaction(connection)
      .exec("INSERT INTO schema_migrations (version, name) VALUES (9999, 'future')");
  EXPECT_EQ(PostgresCrashIndex::Open(database).status().code(), absl::StatusCode::kFailedPrecondition);
}

// A database as the first version left it: two crashes, one of them analysed, and an upload under way.
TEST(PostgresCrashIndexTest, ADatabaseOfTheFirstVersionComesUpWithItsAccount) {
  const std::string database = TestCluster::Get()->FreshDatabase();
  const absl::Time now = absl::FromUnixSeconds(1'790'000'000);
  const CrashId crash = CrashId::Make(now, {1});
  Manifest manifest;
  manifest.regions.push_back({.size = 100});
  {
    pqxx::connection connection(database);
    ASSERT_TRUE(Migrate(connection, {SchemaSteps().front()}).ok());
    pqxx::work work(connection);
    work.exec(CreatePartitionsSql(MonthOf(now)));
    const std::string encoded = Encode(manifest);
    const pqxx::binarystring bytes(encoded.data(), encoded.size());
    work.exec_params(
        "INSERT INTO ingest_session VALUES ('s1', 'd', 'u1', 1, $1, now(), 'n'),"
        " ('s2', 'd', $2, 0, NULL, now(), 'n')",
        crash.ToUuid(), UidOf(manifest).value());
    work.exec_params("INSERT INTO session_manifest VALUES ('s2', $1)", bytes);
    work.exec(
        "INSERT INTO session_pack (session, key, \"offset\", size, index)"
        " VALUES ('s2', 'k', 7, 8, ''), ('s2', 'k', 9, 8, '')");
    work.exec_params("INSERT INTO crash VALUES ($1, $2, 's1', $3)", crash.ToUuid(), crash.ToString(), bytes);
    work.exec_params(
        "INSERT INTO crash_fact (id, device, received_at, note, raw_bytes, stored_bytes)"
        " VALUES ($1, 'd', now(), 'n', 100, 50)",
        crash.ToUuid());
    work.exec_params("INSERT INTO analysis_queue (crash) VALUES ($1)", crash.ToUuid());
    work.commit();
  }
  const auto index = PostgresCrashIndex::Open(database);
  ASSERT_TRUE(index.ok()) << index.status();
  const auto account = (*index)->Account();
  ASSERT_TRUE(account.ok()) << account.status();
  EXPECT_EQ(account->offered, 2u);
  EXPECT_EQ(account->accepted, 1u);
  EXPECT_EQ(account->pending, 1u);
  EXPECT_EQ(account->Difference(), 0);
  const auto old = (*index)->GetCrash(crash);
  ASSERT_TRUE(old.ok()) << old.status();
  EXPECT_EQ(old->here_bytes, 100u) << "all of it, as always then";
  EXPECT_EQ(old->weight, 1u);
  EXPECT_EQ((*index)->PacksUnder("k")->size(), 2u);
  ASSERT_TRUE((*index)->FinishSession(SessionId("s2"), CrashId::Make(now, {2}), 100, 16).ok());
  EXPECT_EQ((*index)->Stats(1)->analysis_backlog, 2u);
  EXPECT_EQ((*index)->Account()->accepted, 2u);
}

// No foreign key takes them along.
TEST(PostgresCrashIndexTest, NothingIsLeftOfASessionThatIsForgotten) {
  const std::string database = TestCluster::Get()->FreshDatabase();
  const auto index = *PostgresCrashIndex::Open(database);
  const absl::Time now = absl::FromUnixSeconds(1'790'000'000);
  for (uint8_t i = 0; i < 3; ++i) {
    Manifest manifest;
    manifest.regions.push_back({.size = i});
    const SessionId session(absl::StrCat("s", i));
    ASSERT_TRUE(index->BeginSession(DeviceId("d"), manifest, "", SessionTerms(), session, now, now).ok());
  }
  ASSERT_TRUE(index->AddPack(SessionId("s0"), {.ref = {"k", 0, 1}}).ok());
  ASSERT_TRUE(index->AbandonSession(SessionId("s0"), "abandoned").ok());
  EXPECT_EQ(*index->ExpireSessions(now + absl::Seconds(1), 10, "never_sent"), 2);
  pqxx::connection connection(database);
  for (const char* table : {"ingest_session", "session_manifest", "session_pack"}) {
    EXPECT_EQ(
        pqxx::nontransaction(connection).exec1(absl::StrCat("SELECT count(*) FROM ", table))[0].as<int>(), 0)
        << table;
  }
}

TEST(PostgresCrashIndexTest, ALostRequestForAnalysisIsMadeAgain) {
  const std::string database = TestCluster::Get()->FreshDatabase();
  const auto index = *PostgresCrashIndex::Open(database);
  const absl::Time now = absl::FromUnixSeconds(1'790'000'000);
  std::vector<CrashId> crashes;
  for (uint8_t i = 0; i < 3; ++i) {
    Manifest manifest;
    manifest.regions.push_back({.size = i});
    const SessionId session(absl::StrCat("s", i));
    ASSERT_TRUE(index->BeginSession(DeviceId("d"), manifest, "", SessionTerms(), session, now, now).ok());
    crashes.push_back(*index->FinishSession(session, CrashId::Make(now + absl::Minutes(i), {i}), 1, 1));
  }
  ASSERT_TRUE(index->PutFacts(crashes[0], CrashFacts{.state = CrashState::kComplete}).ok());
  pqxx::connection connection(database);
  pqxx::nontransaction(connection).exec("DELETE FROM analysis_queue");
  EXPECT_EQ(*index->RequestLostAnalyses(now + absl::Minutes(2), 10), 1) << "the third one is too young";
  EXPECT_EQ(*index->RequestLostAnalyses(now + absl::Minutes(2), 10), 0);
  EXPECT_EQ(*index->RequestLostAnalyses(now + absl::Hours(1), 0), 0);
  EXPECT_EQ(*index->RequestLostAnalyses(now + absl::Hours(1), 10), 1);
  const auto leases = *index->ClaimAnalysis(10, now, now);
  ASSERT_EQ(leases.size(), 2u);
  EXPECT_EQ(leases[0].crash, crashes[1]);
}

TEST(PostgresCrashIndexTest, NoDatabaseIsUnavailable) {
  EXPECT_EQ(PostgresCrashIndex::Open("host=/nonexistent dbname=x").status().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(PostgresCrashIndex::Open("postgresql://127.0.0.1:1/x").status().code(),
            absl::StatusCode::kUnavailable);
}

TEST(PostgresCrashIndexTest, ARemovedPartitionIsMadeAgain) {
  const std::string database = TestCluster::Get()->FreshDatabase();
  const auto index = *PostgresCrashIndex::Open(database);
  const absl::Time now = absl::FromUnixSeconds(1'790'000'000);
  const auto crash = [&](int number) {
    Manifest manifest;
    manifest.regions.push_back({.size = static_cast<uint64_t>(number)});
    const SessionId session(absl::StrCat("session", number));
    EXPECT_TRUE(index->BeginSession(DeviceId("d"), manifest, "", SessionTerms(), session, now, now).ok());
    return index->FinishSession(session, CrashId::Make(now, {static_cast<uint8_t>(number)}), 1, 1);
  };
  ASSERT_TRUE(crash(1).ok());
  pqxx::connection connection(database);
  pqxx::nontransaction(connection)
      .exec("DROP TABLE crash_y2026m09, crash_fact_y2026m09, crash_detail_y2026m09");
  const auto second = crash(2);
  EXPECT_TRUE(second.ok()) << second.status();
}

// A database whose processes are stopped accepts connections and never answers.
TEST(PostgresCrashIndexTest, ADatabaseThatHangsIsUnavailableInTime) {
  const auto index =
      *PostgresCrashIndex::Open(TestCluster::Get()->FreshDatabase(), {.timeout = absl::Seconds(2)});
  ASSERT_TRUE(index->Ping().ok());
  pqxx::connection other(TestCluster::Get()->cluster()->connection_string());
  int backend = 0;
  {
    pqxx::nontransaction transaction(other);
    backend = transaction
                  .exec1(
                      "SELECT pid FROM pg_stat_activity WHERE application_name = 'corefleetd'"
                      " AND query LIKE 'SELECT 1%' LIMIT 1")[0]
                  .as<int>();
  }
  ASSERT_EQ(kill(backend, SIGSTOP), 0);
  const pid_t postmaster = TestCluster::Get()->cluster()->pid();
  ASSERT_EQ(kill(postmaster, SIGSTOP), 0);
  const absl::Time before = Clock::Real()->Now();
  EXPECT_EQ(index->Ping().code(), absl::StatusCode::kUnavailable);
  EXPECT_LT(Clock::Real()->Now() - before, absl::Seconds(5));
  kill(postmaster, SIGCONT);
  kill(backend, SIGCONT);
  EXPECT_TRUE(index->Ping().ok());
}

TEST(ConnectionPoolTest, TimeLimitsAreAddedToEitherForm) {
  EXPECT_EQ(WithTimeLimits("host=h"),
            "host=h connect_timeout=2 tcp_user_timeout=5000 application_name=corefleetd");
  EXPECT_EQ(WithTimeLimits("host=h connect_timeout=9 application_name=x tcp_user_timeout=1"),
            "host=h connect_timeout=9 application_name=x tcp_user_timeout=1");
  EXPECT_EQ(WithTimeLimits("postgresql://h/db"),
            "postgresql://h/db?connect_timeout=2&tcp_user_timeout=5000&application_name=corefleetd");
  EXPECT_EQ(
      WithTimeLimits("postgres://h/db?sslmode=require"),
      "postgres://h/db?sslmode=require&connect_timeout=2&tcp_user_timeout=5000&application_name=corefleetd");
}

TEST(PartitionsTest, UuidsAreTheFirstOfTheirMillisecond) {
  EXPECT_EQ(FirstUuidAt(absl::UnixEpoch()), "00000000-0000-0000-0000-000000000000");
  EXPECT_EQ(FirstUuidAt(absl::InfinitePast()), "00000000-0000-0000-0000-000000000000");
  EXPECT_EQ(FirstUuidAt(absl::InfiniteFuture()), "ffffffff-ffff-0000-0000-000000000000");
  EXPECT_EQ(FirstUuidAt(absl::FromUnixMillis(0x123456789abc)), "12345678-9abc-0000-0000-000000000000");
  EXPECT_EQ(FirstUuidAt(absl::FromUnixMillis(0x123456789abc) + absl::Nanoseconds(1)),
            "12345678-9abd-0000-0000-000000000000");
}

}  // namespace
}  // namespace corefleet
