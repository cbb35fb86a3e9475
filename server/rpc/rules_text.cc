#include "server/rpc/rules_text.h"

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>

#include <limits>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "corefleet/v1/rules.pb.h"

namespace corefleet {
namespace {

using google::protobuf::TextFormat;

constexpr uint32_t kMaxKillSwitchSeconds = 7 * 24 * 3600;

// Keeps the first thing that the parser did not like.
class FirstError final : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, google::protobuf::io::ColumnNumber column, const std::string& message) override {
    if (text_.empty()) text_ = absl::StrCat(line + 1, ":", column + 1, ": ", message);
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

std::optional<absl::Duration> SecondsOrNone(uint32_t seconds) {
  if (seconds == 0) return std::nullopt;
  return absl::Seconds(seconds);
}

template <typename Repeated>
std::vector<std::string> Strings(const Repeated& repeated) {
  return {repeated.begin(), repeated.end()};
}

RuleMatch FromProto(const v1::Match& match) {
  RuleMatch out{.device = Strings(match.device()),
                .build_id = Strings(match.build_id()),
                .kernel_release = Strings(match.kernel_release()),
                .panic = Strings(match.panic()),
                .os_version = Strings(match.os_version()),
                .source = Strings(match.source()),
                .min_bytes = match.min_bytes()};
  if (match.max_bytes() > 0) out.max_bytes = match.max_bytes();
  return out;
}

void SetLogOnly(const v1::LogOnly& log_only, AdmissionRule* out) {
  out->refuse_whole = log_only.refuse_whole();
  out->ask_again = SecondsOrNone(log_only.ask_again_seconds());
}

void SetRefuse(const v1::Refuse& refuse, AdmissionRule* out) {
  out->retry_after = SecondsOrNone(refuse.retry_after_seconds());
  out->message = refuse.message();
}

absl::Status SetAction(const v1::Rule& rule, AdmissionRule* out) {
  switch (rule.action_case()) {
    case v1::Rule::kAccept:
      return absl::OkStatus();
    case v1::Rule::kSample:
      out->action = RuleAction::kSample;
      out->one_in = rule.sample().one_in();
      return absl::OkStatus();
    case v1::Rule::kLogOnly:
      out->action = RuleAction::kLogOnly;
      SetLogOnly(rule.log_only(), out);
      return absl::OkStatus();
    case v1::Rule::kRefuse:
      out->action = RuleAction::kRefuse;
      SetRefuse(rule.refuse(), out);
      return absl::OkStatus();
    case v1::Rule::kQuota:
      out->action = RuleAction::kQuota;
      out->full_per_day = rule.quota().full_per_day();
      out->then_refuse = rule.quota().has_then_refuse();
      SetLogOnly(rule.quota().then_log_only(), out);
      SetRefuse(rule.quota().then_refuse(), out);
      return absl::OkStatus();
    case v1::Rule::ACTION_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError("the rule has no action: accept, sample, log_only, refuse or quota");
}

absl::StatusOr<AdmissionRule> FromProto(const v1::Rule& rule, std::set<std::string>* names) {
  AdmissionRule out{.name = rule.name(), .match = FromProto(rule.match())};
  if (absl::Status status = SetAction(rule, &out); !status.ok()) return status;
  if (absl::Status status = Validate(out); !status.ok()) return status;
  if (!names->insert(out.name).second) {
    return absl::InvalidArgumentError("another rule before it has the same name");
  }
  return out;
}

absl::Status AtRule(int index, const TextFormat::ParseInfoTree& places, const std::string& name,
                    const absl::Status& status) {
  const auto place = places.GetLocation(v1::AdmissionRules::descriptor()->FindFieldByName("rule"), index);
  return absl::InvalidArgumentError(
      absl::StrCat(place.line + 1, ": rule \"", name, "\": ", status.message()));
}

absl::StatusOr<KillSwitch> KillSwitchOf(const v1::AdmissionRules& rules) {
  KillSwitch kill_switch{.on = rules.kill_switch()};
  if (rules.kill_switch_delay_seconds() > kMaxKillSwitchSeconds) {
    return absl::InvalidArgumentError("1: kill_switch_delay_seconds is longer than a week");
  }
  if (const auto delay = SecondsOrNone(rules.kill_switch_delay_seconds())) kill_switch.delay = *delay;
  if (!rules.kill_switch_message().empty()) kill_switch.message = rules.kill_switch_message();
  return kill_switch;
}

}  // namespace

absl::StatusOr<AdmissionRules> ParseRules(absl::string_view text) {
  FirstError error;
  TextFormat::ParseInfoTree places;
  TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  parser.WriteLocationsTo(&places);
  parser.SetRecursionLimit(16);
  v1::AdmissionRules parsed;
  if (!parser.ParseFromString(std::string(text), &parsed)) {
    return absl::InvalidArgumentError(error.text().empty() ? "1: this is no text" : error.text());
  }
  if (parsed.rule_size() > static_cast<int>(kMaxRules)) {
    return absl::InvalidArgumentError(absl::StrCat("1: more than ", kMaxRules, " rules"));
  }
  AdmissionRules rules;
  const auto kill_switch = KillSwitchOf(parsed);
  if (!kill_switch.ok()) return kill_switch.status();
  rules.kill_switch = *kill_switch;
  std::set<std::string> names;
  for (int i = 0; i < parsed.rule_size(); ++i) {
    auto rule = FromProto(parsed.rule(i), &names);
    if (!rule.ok()) return AtRule(i, places, parsed.rule(i).name(), rule.status());
    rules.rules.push_back(*std::move(rule));
  }
  return rules;
}

std::string DescribeRules(const AdmissionRules& rules) {
  std::string text;
  if (rules.kill_switch.on) {
    absl::StrAppend(&text, "kill switch: ON, devices stay away for ",
                    absl::FormatDuration(rules.kill_switch.delay), " (\"", rules.kill_switch.message,
                    "\")\n");
  } else {
    text = "kill switch: off\n";
  }
  for (size_t i = 0; i < rules.rules.size(); ++i) {
    absl::StrAppend(&text, i + 1, ". ", Describe(rules.rules[i]), "\n");
  }
  absl::StrAppend(&text, "every other crash -> accept\n");
  return text;
}

}  // namespace corefleet
