#include "storage/postgres/hints_json.h"

#include <nlohmann/json.hpp>

#include "storage/postgres/row_values.h"

namespace corefleet {
namespace {

using Json = nlohmann::json;

constexpr size_t kMaxHint = 256;
constexpr char kCaptured[] = "captured_us";
constexpr char kPriority[] = "priority";

struct TextField {
  const char* name;
  std::string CrashHints::*value;
};
constexpr TextField kTexts[] = {{"build_id", &CrashHints::build_id},
                                {"kernel_release", &CrashHints::kernel_release},
                                {"panic", &CrashHints::panic},
                                {"os_version", &CrashHints::os_version},
                                {"source", &CrashHints::source}};

}  // namespace

std::string EncodeHints(const CrashHints& hints) {
  if (hints == CrashHints()) return "";
  Json json = Json::object();
  for (const TextField& text : kTexts) {
    const std::string& value = hints.*text.value;
    if (!value.empty()) json[text.name] = ToText(value, kMaxHint);
  }
  if (hints.captured_at) json[kCaptured] = absl::ToUnixMicros(*hints.captured_at);
  if (hints.priority != 0) json[kPriority] = hints.priority;
  return json.dump();
}

CrashHints DecodeHints(absl::string_view text) {
  CrashHints hints;
  const Json json = Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return hints;
  for (const TextField& field : kTexts) {
    const auto found = json.find(field.name);
    if (found != json.end() && found->is_string()) hints.*field.value = found->get<std::string>();
  }
  if (const auto at = json.find(kCaptured); at != json.end() && at->is_number_integer()) {
    hints.captured_at = absl::FromUnixMicros(at->get<int64_t>());
  }
  if (const auto priority = json.find(kPriority); priority != json.end() && priority->is_number_unsigned()) {
    hints.priority = priority->get<uint32_t>();
  }
  return hints;
}

}  // namespace corefleet
