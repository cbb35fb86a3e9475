#include "cli/crash_table.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "cli/describe_crash.h"
#include "cli/text_table.h"

namespace corefleet {
namespace {

std::string OrDash(const std::string& text) { return text.empty() ? "-" : text; }

bool IsSample(const v1::Crash& crash) { return crash.terms().weight() > 1; }

// "12%", or "log 12%" where the log alone was wanted. What is not whole is never 100%.
std::string HereCell(const v1::Crash& crash) {
  if (!StoredInPart(crash)) return "all";
  const double share =
      100.0 * static_cast<double>(crash.here_bytes()) / static_cast<double>(crash.raw_bytes());
  return absl::StrCat(crash.terms().want() == v1::Terms::LOG_ONLY ? "log " : "",
                      std::min(99, static_cast<int>(share)), "%");
}

// A column that only some lists have, before the one that may be long.
template <typename Cell>
void InsertColumn(const std::string& heading, const std::vector<v1::Crash>& crashes, Cell cell,
                  std::vector<std::vector<std::string>>* rows) {
  rows->front().insert(rows->front().end() - 1, heading);
  for (size_t i = 0; i < crashes.size(); ++i) {
    std::vector<std::string>& row = (*rows)[i + 1];
    row.insert(row.end() - 1, cell(crashes[i]));
  }
}

}  // namespace

std::string TaintCell(const v1::Taint& taint) { return taint.known() ? OrDash(taint.letters()) : "?"; }

std::string ShortId(const std::string& id) { return id.substr(0, 12); }

std::string FormatCrashTable(const std::vector<v1::Crash>& crashes) {
  std::vector<std::vector<std::string>> rows = {
      {"TIME (UTC)", "ID", "DEVICE", "RELEASE", "TAINT", "STATE", "PANIC"}};
  for (const v1::Crash& crash : crashes) {
    rows.push_back({FormatTime(crash.received_at()), ShortId(crash.id()), OrDash(crash.device()),
                    OrDash(crash.kernel().release()), TaintCell(crash.taint()),
                    v1::Crash::State_Name(crash.state()), OrDash(crash.panic())});
  }
  if (std::any_of(crashes.begin(), crashes.end(), IsSample)) {
    InsertColumn(
        "WEIGHT", crashes, [](const v1::Crash& c) { return absl::StrCat(c.terms().weight()); }, &rows);
  }
  if (std::any_of(crashes.begin(), crashes.end(), StoredInPart))
    InsertColumn("HERE", crashes, HereCell, &rows);
  return FormatTable(rows);
}

}  // namespace corefleet
