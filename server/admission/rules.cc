#include "server/admission/rules.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "server/admission/glob.h"

namespace corefleet {
namespace {

constexpr size_t kMaxName = 64;
constexpr size_t kMaxPattern = 256;
constexpr size_t kMaxPatterns = 64;
constexpr size_t kMaxMessage = 256;
constexpr uint32_t kMaxOneIn = 1'000'000;
constexpr uint32_t kMaxPerDay = 1'000'000;
constexpr absl::Duration kMaxDelay = absl::Hours(24 * 7);

template <typename FitsOne>
bool AnyFits(const std::vector<std::string>& patterns, FitsOne fits) {
  return patterns.empty() || std::any_of(patterns.begin(), patterns.end(), fits);
}

bool AnyGlob(const std::vector<std::string>& globs, absl::string_view text) {
  return AnyFits(globs, [&](const std::string& glob) { return GlobFits(glob, text); });
}

absl::Status CheckPatterns(absl::string_view field, const std::vector<std::string>& patterns) {
  if (patterns.size() > kMaxPatterns) {
    return absl::InvalidArgumentError(absl::StrCat(field, " has more than ", kMaxPatterns, " entries"));
  }
  for (const std::string& pattern : patterns) {
    if (pattern.empty()) return absl::InvalidArgumentError(absl::StrCat(field, " is empty"));
    if (pattern.size() > kMaxPattern) {
      return absl::InvalidArgumentError(absl::StrCat(field, " is longer than ", kMaxPattern, " bytes"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckMatch(const RuleMatch& match) {
  RETURN_IF_ERROR(CheckPatterns("device", match.device));
  RETURN_IF_ERROR(CheckPatterns("build_id", match.build_id));
  RETURN_IF_ERROR(CheckPatterns("kernel_release", match.kernel_release));
  RETURN_IF_ERROR(CheckPatterns("panic", match.panic));
  RETURN_IF_ERROR(CheckPatterns("os_version", match.os_version));
  RETURN_IF_ERROR(CheckPatterns("source", match.source));
  for (const std::string& prefix : match.build_id) {
    const auto hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
    if (!std::all_of(prefix.begin(), prefix.end(), hex)) {
      return absl::InvalidArgumentError(
          absl::StrCat("build_id \"", prefix, "\" is no beginning of a build id (lower-case hex)"));
    }
  }
  if (match.min_bytes > match.max_bytes) {
    return absl::InvalidArgumentError("min_bytes is larger than max_bytes: no crash fits");
  }
  return absl::OkStatus();
}

absl::Status CheckName(const std::string& name) {
  const auto allowed = [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.';
  };
  if (name.empty())
    return absl::InvalidArgumentError("a rule has no name; refusals name the rule that decided");
  if (name.size() > kMaxName || !std::all_of(name.begin(), name.end(), allowed)) {
    return absl::InvalidArgumentError(absl::StrCat("the name is none of 1 to ", kMaxName,
                                                   " letters, digits, dots, dashes and underscores"));
  }
  return absl::OkStatus();
}

absl::Status CheckDelay(absl::string_view field, const std::optional<absl::Duration>& delay) {
  if (!delay || (*delay > absl::ZeroDuration() && *delay <= kMaxDelay)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(field, " is not between a second and a week"));
}

std::string LogOnlyWords(const AdmissionRule& rule) {
  return absl::StrCat("log only", rule.ask_again ? ", ask again after " : "",
                      rule.ask_again ? absl::FormatDuration(*rule.ask_again) : "",
                      rule.refuse_whole ? ", what cannot be split is refused" : "");
}

std::string RefuseWords(const AdmissionRule& rule) {
  return rule.retry_after ? absl::StrCat("refuse for ", absl::FormatDuration(*rule.retry_after)) : "refuse";
}

std::string ActionWords(const AdmissionRule& rule) {
  switch (rule.action) {
    case RuleAction::kAccept:
      return "accept";
    case RuleAction::kSample:
      return absl::StrCat("take 1 in ", rule.one_in);
    case RuleAction::kLogOnly:
      return LogOnlyWords(rule);
    case RuleAction::kRefuse:
      return RefuseWords(rule);
    case RuleAction::kQuota:
      return absl::StrCat(rule.full_per_day, " a day of each build and panic, then ",
                          rule.then_refuse ? RefuseWords(rule) : LogOnlyWords(rule));
  }
  return "";
}

void AppendPatterns(absl::string_view field, const std::vector<std::string>& patterns,
                    std::vector<std::string>* out) {
  if (!patterns.empty()) out->push_back(absl::StrCat(field, " ", absl::StrJoin(patterns, " or ")));
}

std::string MatchWords(const RuleMatch& match) {
  std::vector<std::string> words;
  AppendPatterns("device", match.device, &words);
  AppendPatterns("build_id", match.build_id, &words);
  AppendPatterns("kernel_release", match.kernel_release, &words);
  AppendPatterns("panic", match.panic, &words);
  AppendPatterns("os_version", match.os_version, &words);
  AppendPatterns("source", match.source, &words);
  if (match.min_bytes > 0) words.push_back(absl::StrCat(match.min_bytes, " bytes at least"));
  if (match.max_bytes != RuleMatch().max_bytes)
    words.push_back(absl::StrCat(match.max_bytes, " bytes at most"));
  return words.empty() ? "everything" : absl::StrJoin(words, " and ");
}

}  // namespace

bool Fits(const RuleMatch& match, const OfferedCrash& crash) {
  const auto starts = [&](const std::string& prefix) {
    return absl::StartsWith(crash.hints->build_id, prefix);
  };
  const auto contains = [&](const std::string& part) { return absl::StrContains(crash.hints->panic, part); };
  return crash.bytes >= match.min_bytes && crash.bytes <= match.max_bytes &&
         AnyGlob(match.device, crash.device) && AnyFits(match.build_id, starts) &&
         AnyGlob(match.kernel_release, crash.hints->kernel_release) && AnyFits(match.panic, contains) &&
         AnyGlob(match.os_version, crash.hints->os_version) && AnyGlob(match.source, crash.hints->source);
}

absl::Status Validate(const AdmissionRule& rule) {
  RETURN_IF_ERROR(CheckName(rule.name));
  RETURN_IF_ERROR(CheckMatch(rule.match));
  if (rule.one_in < 1 || rule.one_in > kMaxOneIn) {
    return absl::InvalidArgumentError(absl::StrCat("one_in is not 1 to ", kMaxOneIn));
  }
  if (rule.full_per_day > kMaxPerDay) {
    return absl::InvalidArgumentError(absl::StrCat("full_per_day is more than ", kMaxPerDay));
  }
  if (rule.message.size() > kMaxMessage) {
    return absl::InvalidArgumentError(absl::StrCat("the message is longer than ", kMaxMessage, " bytes"));
  }
  RETURN_IF_ERROR(CheckDelay("ask_again_seconds", rule.ask_again));
  return CheckDelay("retry_after_seconds", rule.retry_after);
}

std::string Describe(const AdmissionRule& rule) {
  return absl::StrCat(rule.name, ": ", MatchWords(rule.match), " -> ", ActionWords(rule));
}

}  // namespace corefleet
