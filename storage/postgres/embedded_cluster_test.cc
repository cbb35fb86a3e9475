#include "storage/postgres/embedded_cluster.h"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <pqxx/pqxx>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "storage/postgres/pqxx_status.h"

namespace corefleet {
namespace {

namespace fs = std::filesystem;

// mkdtemp's directory is 0700: the database's user cannot enter it, as in many a real place.
std::string FreshDir() {
  std::string dir = absl::StrCat(testing::TempDir(), "/cluster.XXXXXX");
  EXPECT_NE(mkdtemp(&dir[0]), nullptr);
  return dir;
}

absl::StatusOr<std::string> Ask(const std::string& connection_string, const std::string& sql) {
  std::string answer;
  absl::Status status = CatchPqxx([&] {
    pqxx::connection connection(connection_string + " connect_timeout=2");
    pqxx::nontransaction transaction(connection);
    const pqxx::result rows = transaction.exec(sql);
    if (!rows.empty()) answer = rows[0][0].c_str();
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return answer;
}

// Asks until there is an answer: the supervisor is starting the database again.
absl::StatusOr<std::string> AskPatiently(const std::string& connection_string, const std::string& sql) {
  const absl::Time deadline = Clock::Real()->Now() + absl::Seconds(30);
  while (true) {
    absl::StatusOr<std::string> answer = Ask(connection_string, sql);
    if (answer.ok() || Clock::Real()->Now() > deadline) return answer;
    Clock::Real()->Sleep(absl::Milliseconds(50));
  }
}

class EmbeddedClusterTest : public testing::Test {
 protected:
  ~EmbeddedClusterTest() override { fs::remove_all(dir_); }
  void Start() {
    auto cluster = EmbeddedCluster::Start(dir_);
    ASSERT_TRUE(cluster.ok()) << cluster.status();
    cluster_ = *std::move(cluster);
  }
  absl::StatusOr<std::string> Ask(const std::string& sql) {
    return corefleet::Ask(cluster_->connection_string(), sql);
  }

  std::string dir_ = FreshDir();
  std::unique_ptr<EmbeddedCluster> cluster_;
};

TEST_F(EmbeddedClusterTest, KeepsDataOverAStart) {
  Start();
  EXPECT_TRUE(Ask("CREATE TABLE t (x int); INSERT INTO t VALUES (42)").ok());
  cluster_.reset();
  Start();
  EXPECT_EQ(Ask("SELECT x FROM t").value_or("lost"), "42");
}

TEST_F(EmbeddedClusterTest, RunsUnprivilegedOnASocketOnly) {
  Start();
  struct stat info;
  ASSERT_EQ(stat(absl::StrCat("/proc/", cluster_->pid()).c_str(), &info), 0);
  EXPECT_NE(info.st_uid, 0u);
  EXPECT_EQ(Ask("SHOW listen_addresses").value_or("?"), "");
  ASSERT_EQ(stat((dir_ + "/postgres").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0700u);
  EXPECT_EQ(Ask("SHOW fsync").value_or("?"), "on");
  EXPECT_EQ(Ask("SHOW synchronous_commit").value_or("?"), "on");
}

TEST_F(EmbeddedClusterTest, StopAndRestart) {
  Start();
  EXPECT_TRUE(cluster_->Stop().ok());
  EXPECT_EQ(cluster_->pid(), 0);
  EXPECT_EQ(Ask("SELECT 1").status().code(), absl::StatusCode::kUnavailable);
  ASSERT_TRUE(cluster_->Restart().ok());
  EXPECT_EQ(Ask("SELECT 1").value_or("?"), "1");
}

TEST_F(EmbeddedClusterTest, ComesBackWhenItIsKilled) {
  Start();
  ASSERT_TRUE(Ask("CREATE TABLE t (x int); INSERT INTO t VALUES (7)").ok());
  const pid_t before = cluster_->pid();
  ASSERT_EQ(kill(before, SIGKILL), 0);
  EXPECT_EQ(AskPatiently(cluster_->connection_string(), "SELECT x FROM t").value_or("lost"), "7");
  EXPECT_NE(cluster_->pid(), before);
}

TEST_F(EmbeddedClusterTest, AnInterruptedFirstStartIsCleanedUp) {
  fs::create_directory(dir_ + "/postgres.new");
  std::ofstream(dir_ + "/postgres.new/PG_VERSION") << "15";
  Start();
  EXPECT_EQ(Ask("SELECT 1").value_or("?"), "1");
  EXPECT_FALSE(fs::exists(dir_ + "/postgres.new"));
}

TEST_F(EmbeddedClusterTest, APidFileOfAnotherProcessDoesNotStopIt) {
  Start();
  cluster_.reset();
  std::ofstream(dir_ + "/postgres/postmaster.pid") << getpid() << "\n/proc/self/fd/3\n";
  Start();
  EXPECT_EQ(Ask("SELECT 1").value_or("?"), "1");
}

TEST_F(EmbeddedClusterTest, WithoutPostgresItSaysSo) {
  const auto cluster = EmbeddedCluster::Start(dir_, {.bin_dir = "/nowhere"});
  EXPECT_EQ(cluster.status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(EmbeddedClusterTest, ADamagedClusterSaysWhatTheLogSays) {
  Start();
  cluster_.reset();
  fs::remove(dir_ + "/postgres/global/pg_control");
  const auto cluster = EmbeddedCluster::Start(dir_);
  EXPECT_EQ(cluster.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(std::string(cluster.status().message()).find("pg_control"), std::string::npos)
      << cluster.status();
}

TEST_F(EmbeddedClusterTest, ADeepDirectoryIsNoProblem) {
  dir_ = dir_ + "/" + std::string(120, 'd') + "/" + std::string(120, 'e');
  fs::create_directories(dir_);
  Start();
  EXPECT_EQ(Ask("SELECT 1").value_or("?"), "1");
}

// The whole point of the death signal: kill -9 of the server leaves no database behind, and the next start
// finds its data.
TEST_F(EmbeddedClusterTest, EndsWithItsParentAndTheNextStartTakesOver) {
  int pipe_fds[2];
  ASSERT_EQ(pipe(pipe_fds), 0);
  const pid_t child = fork();
  if (child == 0) {
    auto cluster = EmbeddedCluster::Start(dir_);
    const bool ok = cluster.ok() && corefleet::Ask((*cluster)->connection_string(),
                                                   "CREATE TABLE t (x int); INSERT INTO t VALUES (9)")
                                        .ok();
    const pid_t server = ok ? (*cluster)->pid() : 0;
    if (write(pipe_fds[1], &server, sizeof server) < 0) _exit(1);
    pause();
    _exit(0);
  }
  pid_t server = 0;
  ASSERT_EQ(read(pipe_fds[0], &server, sizeof server), static_cast<ssize_t>(sizeof server));
  ASSERT_GT(server, 0);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  Start();
  EXPECT_NE(cluster_->pid(), server);
  EXPECT_EQ(Ask("SELECT x FROM t").value_or("lost"), "9");
}

}  // namespace
}  // namespace corefleet
