#include "collector/config/collector_config.h"

#include "collector/config/units.h"
#include "gtest/gtest.h"

namespace corefleet {
namespace {

absl::StatusOr<CollectorConfig> Parse(absl::string_view text) {
  return ParseCollectorConfig(text, {.device = "host-1"});
}

std::string WhatIsWrong(absl::string_view text) { return std::string(Parse(text).status().message()); }

TEST(CollectorConfig, AServerIsAllThatItNeeds) {
  const absl::StatusOr<CollectorConfig> config = Parse("server: '127.0.0.1:7443'");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->device.value(), "host-1");
  EXPECT_EQ(config->state_dir, "/var/lib/corefleet-collector");
  EXPECT_EQ(config->sources.size(), 4u);
  EXPECT_TRUE(config->sources[0].release);
  EXPECT_EQ(config->budget, BudgetLimits());
  EXPECT_EQ(config->schedule.interval, absl::Hours(1));
  EXPECT_EQ(config->on_metered, OnMeteredLink::kNever);
  EXPECT_EQ(config->metered_interfaces.size(), 3u);
  EXPECT_EQ(config->spool.max_bytes, uint64_t{256} << 20);
}

TEST(CollectorConfig, ACertificateNamesADeviceThatTheFileDoesNotName) {
  const std::string server = "server: '127.0.0.1:1' ", named = "device: 'edge-1' ";
  const std::string certificate = "tls { certificate_file: '/etc/me.pem' key_file: '/etc/me.key' }";
  EXPECT_TRUE(Parse(server + certificate)->named_by_certificate);
  EXPECT_EQ(Parse(server + certificate)->device.value(), "host-1");
  EXPECT_FALSE(Parse(server + named + certificate)->named_by_certificate);
  EXPECT_FALSE(Parse(server)->named_by_certificate);
  EXPECT_TRUE(Parse(EffectiveConfig(*Parse(server + certificate)))->named_by_certificate);
}

TEST(CollectorConfig, TakesEveryField) {
  const absl::StatusOr<CollectorConfig> config = Parse(R"(
server: "fleet.example:7443"  server: "[2001:db8::1]:7443"
device: "edge-1"  note: "lab"  state_dir: "/data/corefleet"
source { path: "/dev/block/by-name/rawdump" kinfo: "/tmp/kinfo" keep: true settle: "2s" patience: "1h" }
spool { max_bytes: "64M" min_free_bytes: "0" min_free_inodes: 7 max_entries: 9 max_age: "7d" max_crash_bytes: "1G" }
consent_file: "/etc/consent"
upload { interval: "15m" start_jitter: 0 first_delay: "0.5s" max_delay: "10m" crashes_per_day: 5 bytes_per_day: "1M"
         strict_budget: true bytes_per_second: "64k" metered: LOG_ONLY metered_file: "/run/metered" metered_interface: "-" }
tls { root_file: "/etc/roots.pem" certificate_file: "/etc/me.pem" key_file: "/etc/me.key" server_name: "fleet" }
metrics_file: "/var/lib/node/corefleet.prom"  verbose: true
)");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->servers, (std::vector<std::string>{"fleet.example:7443", "[2001:db8::1]:7443"}));
  ASSERT_EQ(config->sources.size(), 1u);
  EXPECT_FALSE(config->sources[0].release);
  EXPECT_EQ(config->sources[0].patience, absl::Hours(1));
  EXPECT_EQ(config->spool.min_free_bytes, 0u);
  EXPECT_EQ(config->spool.max_age, absl::Hours(24 * 7));
  EXPECT_EQ(config->schedule.first_delay, absl::Milliseconds(500));
  EXPECT_EQ(config->schedule.start_jitter, 0);
  EXPECT_TRUE(config->budget.strict);
  EXPECT_EQ(config->budget.bytes_per_second, 65536u);
  EXPECT_EQ(config->on_metered, OnMeteredLink::kLogOnly);
  EXPECT_TRUE(config->metered_interfaces.empty());
  EXPECT_TRUE(config->tls.in_use);
  EXPECT_EQ(config->tls.server_name, "fleet");
}

TEST(CollectorConfig, WhatItPrintsIsAFileThatSaysTheSame) {
  const absl::StatusOr<CollectorConfig> config =
      Parse("server: '127.0.0.1:1' upload { metered_interface: '-' first_delay: '0.1s' }");
  ASSERT_TRUE(config.ok()) << config.status();
  const std::string text = EffectiveConfig(*config);
  const absl::StatusOr<CollectorConfig> again = Parse(text);
  ASSERT_TRUE(again.ok()) << again.status() << text;
  EXPECT_EQ(EffectiveConfig(*again), text);
  EXPECT_EQ(again->schedule.first_delay, absl::Milliseconds(100));
}

TEST(CollectorConfig, NamesTheLineOfASyntaxError) {
  EXPECT_EQ(WhatIsWrong("server: 'a:1'\nspoool { }\n").substr(0, 8), "line 2: ");
  EXPECT_NE(WhatIsWrong("server: 'a:1'\nupload { metered: PERHAPS }").find("PERHAPS"), std::string::npos);
}

TEST(CollectorConfig, NamesEveryFieldThatIsWrongWithItsLine) {
  EXPECT_EQ(
      WhatIsWrong("\nserver: 'lab'\n\nspool {\n  max_bytes: '10k'\n max_age: '5'\n}\nmetrics_file: '/a/b'"),
      "line 2: server[0]: 'lab' is no HOST:PORT\n"
      "line 8: metrics_file: has to end in .prom: node_exporter reads no others\n"
      "line 5: spool.max_bytes: is 10k, allowed are 1M to 1T\n"
      "line 6: spool.max_age: '5' is no time span such as 90s, 15m, 2h or 3d");
}

TEST(CollectorConfig, NamesWhatIsMissing) {
  EXPECT_EQ(WhatIsWrong(""), "server: is missing: HOST:PORT of the server's devices' port");
  EXPECT_EQ(WhatIsWrong("server: '127.0.0.1:1'\nsource { keep: true }"), "source[0].path: is missing");
}

TEST(CollectorConfig, PlaintextLeavesTheMachineOnlyWhenSaidInAsManyWords) {
  EXPECT_EQ(WhatIsWrong("server: 'fleet.example:7443'"),
            "line 1: server[0]: is not on this machine: give tls { }, or say insecure: true");
  EXPECT_TRUE(Parse("server: 'fleet.example:7443' insecure: true").ok());
  EXPECT_TRUE(Parse("server: 'fleet.example:7443' tls { }").ok());
  EXPECT_TRUE(Parse("server: '[::1]:7443' server: 'localhost:7443'").ok());
  EXPECT_FALSE(Parse("server: '127.0.0.1:1' tls { } insecure: true").ok());
}

TEST(CollectorConfig, FindsContradictions) {
  const std::string ok = "server: '127.0.0.1:1' ";
  for (const char* wrong :
       {"upload { first_delay: '10m' max_delay: '1m' }", "source { path: '/a' settle: '1h' patience: '10s' }",
        "tls { key_file: '/k' }", "upload { start_jitter: 1.5 }", "upload { start_jitter: nan }",
        "upload { bytes_per_day: '1k' }", "state_dir: 'relative'", "device: 'two words'",
        "upload { interval: '-5s' }", "upload { interval: '1e99d' }",
        "spool { max_bytes: '99999999999G' }"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(Parse(ok + wrong).status())) << wrong;
  }
}

TEST(Units, ReadBackWhatTheyPrint) {
  for (const uint64_t bytes :
       {uint64_t{0}, uint64_t{1}, uint64_t{1000}, uint64_t{1024}, uint64_t{24} << 20, uint64_t{1} << 50}) {
    EXPECT_EQ(*ParseBytes(FormatBytes(bytes)), bytes);
  }
  for (const absl::Duration span :
       {absl::ZeroDuration(), absl::Milliseconds(100), absl::Seconds(90), absl::Hours(48)}) {
    EXPECT_EQ(*ParseSpan(FormatSpan(span)), span);
  }
  for (const char* wrong : {"", "k", "-1", "1.5M", "1kk", "0x10"})
    EXPECT_FALSE(ParseBytes(wrong).ok()) << wrong;
  for (const char* wrong : {"", "s", "5", "inf s", "nans", "-1s", "5 weeks"})
    EXPECT_FALSE(ParseSpan(wrong).ok()) << wrong;
}

}  // namespace
}  // namespace corefleet
