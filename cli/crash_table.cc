#include "cli/crash_table.h"

#include "cli/text_table.h"

namespace corefleet {
namespace {

std::string OrDash(const std::string& text) { return text.empty() ? "-" : text; }

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
  return FormatTable(rows);
}

}  // namespace corefleet
