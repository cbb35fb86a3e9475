#include "collector/agent_report.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "collector/config/units.h"
#include "collector/metrics/prometheus_text.h"
#include "core/bytes/escape.h"

namespace corefleet {
namespace {

constexpr size_t kMaxShown = 20;

// A JSON string of what may be any bytes.
std::string JsonString(const std::string& text) {
  return absl::StrCat("\"", absl::StrReplaceAll(EscapeForTerminal(text), {{"\\", "\\\\"}, {"\"", "\\\""}}),
                      "\"");
}

uint64_t CountOf(const AgentPage& page, const std::string& name) {
  const auto found = page.counts.find(name);
  return found == page.counts.end() ? 0 : found->second;
}

std::string WordsOf(const AgentPage& page, const std::string& name) {
  const auto found = page.words.find(name);
  return found == page.words.end() ? "" : found->second;
}

struct Left {
  double crashes = 0, bytes = 0;
  absl::Duration until_crash = absl::ZeroDuration();
};

Left BudgetLeft(const AgentReport& report) {
  SendBudget budget(report.config.budget, report.now);
  if (report.page.budget) budget.Restore(*report.page.budget);
  return {budget.crashes_left(report.now), budget.bytes_left(report.now), budget.UntilCrash(report.now)};
}

absl::Duration ServersWait(const AgentReport& report) {
  if (!report.page.schedule) return absl::ZeroDuration();
  const UploadSchedule::State& state = *report.page.schedule;
  if (state.not_in_this_boot && state.since.boot_id == report.now.boot_id) return absl::InfiniteDuration();
  return std::max(state.wait - TimePassed(state.since, report.now), absl::ZeroDuration());
}

absl::string_view PermissionName(Permission permission) {
  switch (permission) {
    case Permission::kSend:
      return "send";
    case Permission::kLogOnly:
      return "log_only";
    case Permission::kWait:
      return "wait";
    case Permission::kNoConsent:
      return "no_consent";
  }
  return "";
}

// "3m", never more precise than a person needs.
std::string Roughly(absl::Duration span) {
  if (span == absl::InfiniteDuration()) return "the next boot";
  if (span > absl::Hours(48)) return absl::StrCat(span / absl::Hours(24), "d");
  if (span > absl::Minutes(120)) return absl::StrCat(span / absl::Hours(1), "h");
  if (span > absl::Seconds(120)) return absl::StrCat(span / absl::Minutes(1), "m");
  return absl::StrCat(static_cast<int64_t>(std::ceil(absl::ToDoubleSeconds(span))), "s");
}

std::string Megabytes(double bytes) { return absl::StrCat(std::round(bytes / 1e4) / 100, " MB"); }

std::string SecondsOf(absl::Duration span) {
  return span == absl::InfiniteDuration()
             ? "null"
             : absl::StrCat(static_cast<int64_t>(std::ceil(absl::ToDoubleSeconds(span))));
}

std::string EntryText(const SpoolEntry& entry) {
  return absl::StrCat(
      "  ", entry.id, "  ", entry.uid.value().substr(0, 12), "  ", Roughly(entry.age), " old  ",
      Megabytes(static_cast<double>(entry.stored_bytes)), "  ", EscapeForTerminal(entry.tags.clues.source),
      "  ", EscapeForTerminal(entry.tags.clues.panic),
      entry.wait > absl::ZeroDuration() ? absl::StrCat("  (waits ", Roughly(entry.wait), ")") : "",
      entry.rest_only ? "  (the server has its log)" : "", "\n");
}

std::string EntryJson(const SpoolEntry& entry) {
  return absl::StrCat(
      "{\"entry\":", entry.id, ",\"uid\":", JsonString(entry.uid.value()),
      ",\"device\":", JsonString(entry.tags.device.value()),
      ",\"source\":", JsonString(entry.tags.clues.source), ",\"panic\":", JsonString(entry.tags.clues.panic),
      ",\"build_id\":", JsonString(entry.tags.clues.build_id), ",\"raw_bytes\":", entry.raw_bytes,
      ",\"stored_bytes\":", entry.stored_bytes, ",\"regions\":", entry.regions,
      ",\"age_seconds\":", SecondsOf(entry.age), ",\"wait_seconds\":", SecondsOf(entry.wait),
      ",\"log_sent\":", entry.rest_only ? "true" : "false", "}");
}

std::string CountsJson(const AgentPage& page, absl::string_view prefix) {
  std::vector<std::string> fields;
  for (const auto& [name, count] : page.counts) {
    absl::string_view rest = name;
    if (absl::ConsumePrefix(&rest, prefix))
      fields.push_back(absl::StrCat(JsonString(std::string(rest)), ":", count));
  }
  return absl::StrCat("{", absl::StrJoin(fields, ","), "}");
}

std::string LossesJson(const LossAccount& losses) {
  std::vector<std::string> fields;
  for (size_t i = 0; i < kLossReasons; ++i) {
    const auto reason = static_cast<LossReason>(i);
    if (losses.of(reason) > 0) {
      fields.push_back(absl::StrCat("\"", LossReasonName(reason), "\":", losses.of(reason)));
    }
  }
  return absl::StrCat("{", absl::StrJoin(fields, ","), "}");
}

}  // namespace

std::string WaitingFor(const AgentReport& report) {
  switch (PermissionFor(report.standing)) {
    case Permission::kNoConsent:
      return "consent";
    case Permission::kWait:
      return "metered_link";
    default:
      break;
  }
  if (report.entries.empty()) return "";
  if (BudgetLeft(report).until_crash > absl::ZeroDuration()) return "budget";
  if (ServersWait(report) > absl::ZeroDuration()) return "server";
  return WordsOf(report.page, "waiting_for");
}

std::string ReportText(const AgentReport& report) {
  const Left left = BudgetLeft(report);
  std::string text = absl::StrCat(
      "device     ", report.config.device.value(), "\nservers    ", absl::StrJoin(report.config.servers, " "),
      "\nspool      ", report.entries.size(), " crashes, ",
      Megabytes(static_cast<double>(report.spool.bytes)), " of ", FormatBytes(report.config.spool.max_bytes),
      report.spool.read_only ? ", READ-ONLY" : "", "\n");
  for (size_t i = 0; i < std::min(report.entries.size(), kMaxShown); ++i) {
    absl::StrAppend(&text, EntryText(report.entries[i]));
  }
  if (report.entries.size() > kMaxShown) {
    absl::StrAppend(&text, "  and ", report.entries.size() - kMaxShown, " more\n");
  }
  absl::StrAppend(&text, "lost       ", report.losses.total(), " ", LossesJson(report.losses),
                  "\nsent       ", CountsJson(report.page, "uploads."), ", ",
                  Megabytes(static_cast<double>(CountOf(report.page, "bytes_sent"))), "\nrefused    ",
                  CountsJson(report.page, "refused."), "\nbudget     ",
                  std::floor(std::max(left.crashes, 0.0)), " crashes, ", Megabytes(left.bytes),
                  " left today\nlink       ", PermissionName(PermissionFor(report.standing)), "\n");
  const std::string error = WordsOf(report.page, "last_error");
  if (!error.empty()) {
    absl::StrAppend(&text, "last error ", EscapeForTerminal(error), " (",
                    EscapeForTerminal(WordsOf(report.page, "last_error_at")), ")\n");
  }
  const std::string waiting = WaitingFor(report);
  if (!waiting.empty()) absl::StrAppend(&text, "waits for  ", EscapeForTerminal(waiting));
  if (!waiting.empty() && ServersWait(report) > absl::ZeroDuration()) {
    absl::StrAppend(&text, ", ", Roughly(ServersWait(report)));
  }
  if (!waiting.empty()) absl::StrAppend(&text, "\n");
  return text;
}

std::string ReportJson(const AgentReport& report) {
  const Left left = BudgetLeft(report);
  const std::string success = WordsOf(report.page, "last_success");
  int64_t success_at = 0;
  return absl::StrCat(
      "{\"device\":", JsonString(report.config.device.value()),
      ",\"spool\":{\"entries\":", report.entries.size(), ",\"bytes\":", report.spool.bytes,
      ",\"quarantined\":", report.spool.quarantined,
      ",\"read_only\":", report.spool.read_only ? "true" : "false", "},\"crashes\":[",
      absl::StrJoin(
          report.entries, ",",
          [](std::string* out, const SpoolEntry& entry) { absl::StrAppend(out, EntryJson(entry)); }),
      "],\"collected\":", CountOf(report.page, "collected"), ",\"lost\":", LossesJson(report.losses),
      ",\"uploads\":", CountsJson(report.page, "uploads."),
      ",\"refused\":", CountsJson(report.page, "refused."),
      ",\"bytes_sent\":", CountOf(report.page, "bytes_sent"),
      ",\"budget\":{\"crashes_left\":", static_cast<int64_t>(std::floor(left.crashes)),
      ",\"bytes_left\":", static_cast<int64_t>(left.bytes), "},\"permission\":\"",
      PermissionName(PermissionFor(report.standing)), "\",\"waiting_for\":", JsonString(WaitingFor(report)),
      ",\"server_wait_seconds\":", SecondsOf(ServersWait(report)),
      ",\"last_success\":", absl::SimpleAtoi(success, &success_at) ? absl::StrCat(success_at) : "null",
      ",\"last_error\":", JsonString(WordsOf(report.page, "last_error")),
      ",\"last_error_at\":", JsonString(WordsOf(report.page, "last_error_at")), "}\n");
}

std::string MetricsText(const SpoolStats& spool, const LossAccount& losses, const AgentPage& page,
                        uint64_t wakeups) {
  PrometheusText out;
  out.Metric("corefleet_collector_spool_crashes", "gauge", "Crashes that wait on the device.");
  out.Value(spool.entries);
  out.Metric("corefleet_collector_spool_bytes", "gauge", "Bytes of the spool's files.");
  out.Value(static_cast<double>(spool.bytes));
  out.Metric("corefleet_collector_spool_quarantined", "gauge",
             "Damaged files that are kept for a person to look at.");
  out.Value(spool.quarantined);
  out.Metric("corefleet_collector_spool_oldest_seconds", "gauge",
             "Age of the oldest crash, of the time the device was up.");
  out.Value(absl::ToDoubleSeconds(spool.oldest));
  out.Metric("corefleet_collector_spool_read_only", "gauge",
             "1 when the spool's file system takes no writes.");
  out.Value(spool.read_only ? 1 : 0);
  out.Metric("corefleet_collector_collected_total", "counter", "Crashes that got into the spool.");
  out.Value(static_cast<double>(CountOf(page, "collected")));
  out.Metric("corefleet_collector_lost_total", "counter", "Crashes that never left the device.");
  for (size_t i = 0; i < kLossReasons; ++i) {
    const auto reason = static_cast<LossReason>(i);
    out.Value("reason", LossReasonName(reason), static_cast<double>(losses.of(reason)));
  }
  out.Metric("corefleet_collector_uploads_total", "counter",
             "Attempts to upload a crash, by how they ended.");
  for (const char* outcome :
       {"stored", "already_stored", "stored_in_part", "refused", "failed", "stopped", "damaged"}) {
    out.Value("outcome", outcome, static_cast<double>(CountOf(page, absl::StrCat("uploads.", outcome))));
  }
  out.Metric("corefleet_collector_refused_total", "counter", "Crashes that the server refused for good.");
  for (const char* reason : {"rule", "sampled_out", "quota", "crash_too_large", "malformed"}) {
    out.Value("reason", reason, static_cast<double>(CountOf(page, absl::StrCat("refused.", reason))));
  }
  out.Metric("corefleet_collector_sent_bytes_total", "counter", "Bytes of chunks sent, encoded.");
  out.Value(static_cast<double>(CountOf(page, "bytes_sent")));
  int64_t success = 0;
  if (absl::SimpleAtoi(WordsOf(page, "last_success"), &success)) {
    out.Metric("corefleet_collector_last_success_timestamp_seconds", "gauge",
               "When a crash last reached a server.");
    out.Value(static_cast<double>(success));
  }
  if (page.budget) {
    out.Metric("corefleet_collector_budget_crashes", "gauge", "Crashes that may be sent today.");
    out.Value(page.budget->crashes.tokens);
    out.Metric("corefleet_collector_budget_bytes", "gauge", "Bytes that may be sent today.");
    out.Value(page.budget->bytes.tokens);
  }
  out.Metric("corefleet_collector_wakeups_total", "counter",
             "Times that the agent woke up since it started.");
  out.Value(static_cast<double>(wakeups));
  return out.text();
}

}  // namespace corefleet
