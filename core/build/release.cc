#include "core/build/release.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace corefleet {
namespace {

constexpr absl::string_view kDebian = "Debian ";

bool IsDigits(absl::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return absl::ascii_isdigit(c); });
}

bool IsLowerHex(absl::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f'); });
}

// Length of the digits (1 to 9 of them) at the start of `text`; 0 when there are none.
size_t DigitsAtStart(absl::string_view text) {
  size_t length = 0;
  while (length < text.size() && length < 9 && absl::ascii_isdigit(text[length])) ++length;
  return length;
}

// Length of `\d+\.\d+(\.\d+)?(-rc\d+)?` at the start; 0 when it does not start so.
size_t BaseLength(absl::string_view release) {
  size_t length = DigitsAtStart(release);
  for (int part = 0; part < 2 && length > 0; ++part) {
    const size_t digits =
        absl::StartsWith(release.substr(length), ".") ? DigitsAtStart(release.substr(length + 1)) : 0;
    if (digits == 0 && part == 0) return 0;
    if (digits > 0) length += 1 + digits;
  }
  if (length > 0 && absl::StartsWith(release.substr(length), "-rc")) {
    const size_t digits = DigitsAtStart(release.substr(length + 3));
    if (digits > 0) length += 3 + digits;
  }
  return length;
}

bool IsCommit(absl::string_view word) {
  return absl::ConsumePrefix(&word, "g") && word.size() >= 7 && word.size() <= 40 && IsLowerHex(word);
}

bool IsDistance(absl::string_view word) { return word.size() >= 5 && word.size() <= 9 && IsDigits(word); }

// Takes out of `words` what the SCM part of the release says, wherever it stands.
void TakeScm(std::vector<absl::string_view>* words, Release* result) {
  const auto commit = std::find_if(words->rbegin(), words->rend(), IsCommit);
  if (commit == words->rend()) return;
  const auto at = std::prev(commit.base());
  result->git_commit = std::string(at->substr(1));
  const auto after = words->erase(at);
  if (after == words->begin() || !IsDistance(*std::prev(after))) return;
  uint64_t distance = 0;
  if (absl::SimpleAtoi(*std::prev(after), &distance)) result->distance = distance;
  words->erase(std::prev(after));
}

void TakeDirty(std::vector<absl::string_view>* words, Release* result) {
  const auto dirty = std::find(words->begin(), words->end(), "dirty");
  if (dirty == words->end()) return;
  result->dirty = true;
  const auto after = words->erase(dirty);
  if (after != words->begin() && *std::prev(after) == "maybe") words->erase(std::prev(after));
}

bool IsAndroid(absl::string_view word) { return absl::ConsumePrefix(&word, "android") && IsDigits(word); }
bool IsAndroidBuild(absl::string_view word) { return absl::ConsumePrefix(&word, "ab") && IsDigits(word); }

// "5.15" of "5.15.41".
absl::string_view TwoParts(absl::string_view base) {
  const size_t second = base.find('.', base.find('.') + 1);
  return base.substr(0, std::min(second, base.find('-')));
}

void TakeAndroid(std::vector<absl::string_view>* words, Release* result) {
  const auto android = std::find_if(words->begin(), words->end(), IsAndroid);
  if (android == words->end()) return;
  result->android = std::string(*android);
  auto after = words->erase(android);
  uint32_t generation = 0;
  if (after != words->end() && IsDigits(*after) && after->size() < 5 &&
      absl::SimpleAtoi(*after, &generation)) {
    result->kmi_generation = generation;
    result->kmi = absl::StrCat(TwoParts(result->base), "-", result->android, "-", generation);
    words->erase(after);
  }
  const auto build = std::find_if(words->begin(), words->end(), IsAndroidBuild);
  if (build == words->end()) return;
  result->android_build = std::string(build->substr(2));
  words->erase(build);
}

}  // namespace

Release ParseRelease(absl::string_view release) {
  Release result;
  const size_t base = BaseLength(release);
  result.base = std::string(release.substr(0, base));
  absl::string_view rest = release.substr(base);
  result.dirty = absl::ConsumeSuffix(&rest, "+");
  absl::ConsumePrefix(&rest, "-");
  std::vector<absl::string_view> words = absl::StrSplit(rest, '-');
  TakeDirty(&words, &result);
  TakeScm(&words, &result);
  TakeAndroid(&words, &result);
  result.local = absl::StrJoin(words, "-");
  return result;
}

bool HasGarbageBuildId(absl::string_view release, absl::string_view version) {
  struct Range {
    uint32_t major, minor, first, last;
  };
  constexpr Range kGarbage[] = {
      {5, 15, 168, UINT32_MAX}, {6, 1, 113, 118}, {6, 6, 55, 62}, {6, 10, 14, UINT32_MAX}, {6, 11, 3, 9}};
  const size_t debian = version.find(kDebian);
  const absl::string_view stable =
      debian == absl::string_view::npos ? release : version.substr(debian + kDebian.size());
  const std::string base(stable.substr(0, BaseLength(stable)));
  const std::vector<absl::string_view> parts = absl::StrSplit(base, '.');
  uint32_t numbers[3];
  if (parts.size() != 3) return false;
  for (size_t i = 0; i < 3; ++i) {
    if (!absl::SimpleAtoi(parts[i], &numbers[i])) return false;
  }
  return std::any_of(std::begin(kGarbage), std::end(kGarbage), [&](const Range& range) {
    return numbers[0] == range.major && numbers[1] == range.minor && numbers[2] >= range.first &&
           numbers[2] <= range.last;
  });
}

}  // namespace corefleet
