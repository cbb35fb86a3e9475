#include "collector/agent_ledger.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "collector/metrics/prometheus_text.h"
#include "collector/source/file_bytes.h"
#include "core/bytes/byte_view.h"
#include "core/bytes/escape.h"

namespace corefleet {
namespace {

constexpr uint64_t kMaxPageBytes = 256 << 10;
constexpr size_t kMaxNames = 500;
constexpr size_t kMaxWords = 400;

std::string FormatBucket(const TokenBucket::State& state) {
  return absl::StrCat(state.tokens, " ", FormatMoment(state.at));
}

std::optional<TokenBucket::State> ParseBucket(absl::string_view text) {
  const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(text, absl::MaxSplits(' ', 1));
  TokenBucket::State state;
  if (!absl::SimpleAtod(parts.first, &state.tokens)) return std::nullopt;
  state.at = ParseMoment(parts.second);
  return state;
}

std::string FormatSchedule(const UploadSchedule::State& state) {
  return absl::StrCat(absl::ToInt64Milliseconds(state.wait), " ", state.not_in_this_boot ? 1 : 0, " ",
                      FormatMoment(state.since));
}

std::optional<UploadSchedule::State> ParseSchedule(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, absl::MaxSplits(' ', 2));
  int64_t milliseconds = 0;
  if (parts.size() != 3 || !absl::SimpleAtoi(parts[0], &milliseconds)) return std::nullopt;
  // No server is let to say more: collector/upload/refusal.h.
  const absl::Duration wait =
      std::clamp(absl::Milliseconds(milliseconds), absl::ZeroDuration(), absl::Hours(24));
  return UploadSchedule::State{
      .since = ParseMoment(parts[2]), .wait = wait, .not_in_this_boot = parts[1] == "1"};
}

void ParseLine(absl::string_view name, absl::string_view value, AgentPage* page,
               std::optional<TokenBucket::State>* crashes, std::optional<TokenBucket::State>* bytes) {
  uint64_t count = 0;
  if (name == "budget.crashes") {
    *crashes = ParseBucket(value);
  } else if (name == "budget.bytes") {
    *bytes = ParseBucket(value);
  } else if (name == "schedule") {
    page->schedule = ParseSchedule(value);
  } else if (absl::ConsumePrefix(&name, "count.") && absl::SimpleAtoi(value, &count)) {
    if (page->counts.size() < kMaxNames) page->counts[std::string(name)] = count;
  } else if (absl::ConsumePrefix(&name, "word.") && page->words.size() < kMaxNames) {
    page->words[std::string(name)] = std::string(value.substr(0, kMaxWords));
  }
}

}  // namespace

std::string FormatAgentPage(const AgentPage& page) {
  std::string text;
  if (page.budget) {
    absl::StrAppend(&text, "budget.crashes ", FormatBucket(page.budget->crashes), "\nbudget.bytes ",
                    FormatBucket(page.budget->bytes), "\n");
  }
  if (page.schedule) absl::StrAppend(&text, "schedule ", FormatSchedule(*page.schedule), "\n");
  for (const auto& [name, count] : page.counts) absl::StrAppend(&text, "count.", name, " ", count, "\n");
  for (const auto& [name, words] : page.words) absl::StrAppend(&text, "word.", name, " ", words, "\n");
  return text;
}

AgentPage ParseAgentPage(absl::string_view text) {
  AgentPage page;
  std::optional<TokenBucket::State> crashes, bytes;
  for (const absl::string_view line : absl::StrSplit(text.substr(0, kMaxPageBytes), '\n')) {
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(line, absl::MaxSplits(' ', 1));
    ParseLine(parts.first, parts.second, &page, &crashes, &bytes);
  }
  if (crashes && bytes) page.budget = SendBudget::State{*crashes, *bytes};
  return page;
}

absl::StatusOr<AgentPage> ReadAgentPage(const std::string& path) {
  ASSIGN_OR_RETURN(const NamedFile file, OpenNamedFile(path));
  ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes,
                   ReadBytes(*file.bytes, 0, std::min(file.bytes->size(), kMaxPageBytes)));
  return ParseAgentPage(TextOf(ByteView(bytes)));
}

std::string AgentPagePath(const CollectorConfig& config) {
  return absl::StrCat(config.state_dir, "/agent.state");
}

AgentLedger::AgentLedger(std::string path, const CollectorConfig& config, DeviceTime time,
                         std::function<double()> random)
    : path_(std::move(path)),
      time_(std::move(time)),
      budget_(config.budget, time_.Now()),
      schedule_(config.schedule, time_.Now(), std::move(random)) {
  absl::StatusOr<AgentPage> page = ReadAgentPage(path_);
  if (!page.ok()) return;
  page_ = *std::move(page);
  if (page_.budget) budget_.Restore(*page_.budget);
  if (page_.schedule) schedule_.Restore(*page_.schedule);
}

void AgentLedger::Count(const std::string& name, uint64_t by) {
  const absl::MutexLock lock(&mutex_);
  if (page_.counts.size() < kMaxNames || page_.counts.count(name) > 0) page_.counts[name] += by;
}

void AgentLedger::Say(const std::string& name, const std::string& words) {
  const absl::MutexLock lock(&mutex_);
  page_.words[name] = EscapeForTerminal(words).substr(0, kMaxWords);
}

void AgentLedger::SayError(absl::string_view words) {
  Say("last_error", std::string(words));
  Say("last_error_at", absl::FormatTime(time_.wall->Now(), absl::UTCTimeZone()));
}

absl::Duration AgentLedger::UntilCrash() {
  const absl::MutexLock lock(&mutex_);
  return budget_.UntilCrash(time_.Now());
}

absl::Duration AgentLedger::UntilBytes() {
  const absl::MutexLock lock(&mutex_);
  return budget_.UntilBytes(time_.Now());
}

absl::Duration AgentLedger::Pace(uint64_t bytes) {
  const absl::MutexLock lock(&mutex_);
  return budget_.Pace(bytes, time_.Now());
}

void AgentLedger::BytesSent(uint64_t bytes) {
  const absl::MutexLock lock(&mutex_);
  budget_.BytesSent(bytes, time_.Now());
  page_.counts["bytes_sent"] += bytes;
}

void AgentLedger::CrashSent() {
  const absl::MutexLock lock(&mutex_);
  budget_.CrashSent(time_.Now());
  page_.words["last_success"] = absl::StrCat(absl::ToUnixSeconds(time_.wall->Now()));
}

absl::Duration AgentLedger::UntilDue() {
  const absl::MutexLock lock(&mutex_);
  return schedule_.UntilDue(time_.Now());
}

void AgentLedger::Progressed() {
  const absl::MutexLock lock(&mutex_);
  schedule_.Progressed();
}

void AgentLedger::RoundDone() {
  const absl::MutexLock lock(&mutex_);
  schedule_.RoundDone(time_.Now());
}

void AgentLedger::Failed(absl::Duration server_delay, bool not_before_next_boot) {
  const absl::MutexLock lock(&mutex_);
  schedule_.Failed(server_delay, not_before_next_boot, time_.Now());
}

AgentPage AgentLedger::PageLocked() {
  AgentPage page = page_;
  page.budget = budget_.state();
  page.schedule = schedule_.state();
  return page;
}

AgentPage AgentLedger::page() {
  const absl::MutexLock lock(&mutex_);
  return PageLocked();
}

absl::Status AgentLedger::Save(bool sync) {
  const absl::MutexLock lock(&mutex_);
  return ReplaceFile(path_, FormatAgentPage(PageLocked()), sync);
}

}  // namespace corefleet
