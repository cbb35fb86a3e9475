#include "collector/agent_report.h"

#include "gtest/gtest.h"

namespace corefleet {
namespace {

Moment Now() {
  return {.wall = absl::FromUnixSeconds(1795000000), .since_boot = absl::Hours(1), .boot_id = "b1"};
}

AgentPage SomePage() {
  AgentPage page;
  page.budget = SendBudget::State{{31.5, Now()}, {2000000, Now()}};
  page.schedule = UploadSchedule::State{.since = Now(), .wait = absl::Minutes(10)};
  page.counts = {{"bytes_sent", 123456789}, {"uploads.stored", 3}, {"refused.sampled_out", 1}};
  page.words = {{"last_error", "it said \"no\"\\"}, {"last_success", "1795000123"}, {"waiting_for", "retry"}};
  return page;
}

TEST(AgentPage, IsReadBackAsItWasWritten) {
  const AgentPage page = ParseAgentPage(FormatAgentPage(SomePage()));
  EXPECT_EQ(page.counts, SomePage().counts);
  EXPECT_EQ(page.words, SomePage().words);
  ASSERT_TRUE(page.budget && page.schedule);
  EXPECT_EQ(page.budget->crashes, SomePage().budget->crashes);
  EXPECT_EQ(page.schedule->wait, absl::Minutes(10));
  EXPECT_EQ(page.schedule->since, Now());
}

TEST(AgentPage, TakesAnyText) {
  for (const char* text :
       {"", "\n\n", "budget.crashes", "schedule x", "count.a -1\nword.", "budget.bytes nan 1 2 3\n"}) {
    EXPECT_TRUE(ParseAgentPage(text).counts.empty()) << text;
  }
  EXPECT_FALSE(ParseAgentPage("budget.crashes 5 1 2 b").budget);  // half of it is none
  std::string many;
  for (int i = 0; i < 10000; ++i) many += "count.n" + std::to_string(i) + " 1\n";
  EXPECT_LE(ParseAgentPage(many).counts.size(), 500u);
  EXPECT_EQ(ParseAgentPage("schedule 999999999999999 0 1 2 b").schedule->wait, absl::Hours(24));
  EXPECT_EQ(ParseAgentPage("schedule -5 0 1 2 b").schedule->wait, absl::ZeroDuration());
}

class ReportTest : public testing::Test {
 protected:
  ReportTest() {
    config_.servers = {"127.0.0.1:7443"};
    config_.device = DeviceId("edge-1");
    SpoolEntry entry{.id = 7, .uid = CrashUid(std::string(64, 'a'))};
    entry.tags.clues.panic = "Oops\n\"quoted\"";
    entries_ = {entry};
  }
  AgentReport Report() {
    return {.config = config_,
            .entries = entries_,
            .spool = spool_,
            .losses = losses_,
            .page = page_,
            .standing = standing_,
            .now = Now()};
  }

  CollectorConfig config_;
  std::vector<SpoolEntry> entries_;
  SpoolStats spool_{.entries = 1, .bytes = 4096};
  LossAccount losses_;
  AgentPage page_ = SomePage();
  Standing standing_;
};

TEST_F(ReportTest, SaysWhatItWaitsFor) {
  EXPECT_EQ(WaitingFor(Report()), "server");
  page_.schedule.reset();
  EXPECT_EQ(WaitingFor(Report()), "retry");
  page_.budget = SendBudget::State{{0, Now()}, {-5, Now()}};
  EXPECT_EQ(WaitingFor(Report()), "budget");
  standing_ = {.link_metered = true};
  EXPECT_EQ(WaitingFor(Report()), "metered_link");
  standing_ = {.consent_needed = true};
  EXPECT_EQ(WaitingFor(Report()), "consent");
  entries_.clear();
  standing_ = {};
  EXPECT_EQ(WaitingFor(Report()), "");
}

TEST_F(ReportTest, JsonEscapesWhatADeviceSaid) {
  const std::string json = ReportJson(Report());
  EXPECT_NE(json.find("\"panic\":\"Oops\\\\x0a\\\"quoted\\\"\""), std::string::npos) << json;
  EXPECT_NE(json.find("\"bytes_sent\":123456789"), std::string::npos) << json;
  EXPECT_EQ(json.find('\n'), json.size() - 1);
}

TEST_F(ReportTest, MetricsAreWholeNumbersAndClosedLists) {
  losses_.counts[static_cast<size_t>(LossReason::kConsent)] = 2;
  page_.counts["refused.surprise"] = 5;
  const std::string text = MetricsText(spool_, losses_, page_, 3);
  EXPECT_NE(text.find("corefleet_collector_lost_total{reason=\"consent\"} 2\n"), std::string::npos);
  EXPECT_NE(text.find("corefleet_collector_sent_bytes_total 123456789\n"), std::string::npos);
  EXPECT_NE(text.find("corefleet_collector_last_success_timestamp_seconds 1795000123\n"), std::string::npos);
  EXPECT_EQ(text.find("surprise"), std::string::npos);
}

}  // namespace
}  // namespace corefleet
