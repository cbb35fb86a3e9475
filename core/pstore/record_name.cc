#include "core/pstore/record_name.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"

namespace corefleet {
namespace {

using Type = PstoreName::Type;

struct TypeName {
  absl::string_view prefix;
  Type type;
};
constexpr TypeName kTypes[] = {
    {"dmesg-", Type::kDmesg},        {"console-", Type::kConsole},
    {"pmsg-", Type::kPmsg},          {"ftrace-", Type::kFtrace},
    {"mce-", Type::kOther},          {"rtas-", Type::kOther},
    {"powerpc-ofw-", Type::kOther},  {"powerpc-common-", Type::kOther},
    {"powerpc-opal-", Type::kOther},
};

constexpr absl::string_view kReasons[] = {"Panic",   "Oops",    "Emergency", "Shutdown",
                                          "Unknown", "Restart", "Halt",      "Poweroff"};

// The longest line that pstore can write: "Emergency#4294967295 Part4294967295\n".
constexpr size_t kMaxHeaderBytes = 40;

bool IsBackend(absl::string_view word) {
  return !word.empty() && word.size() <= 32 && std::all_of(word.begin(), word.end(), [](char c) {
    return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '_';
  });
}

// Takes decimal digits off the front of `text`.
std::optional<uint32_t> TakeNumber(absl::string_view* text) {
  const size_t digits = std::min(text->find_first_not_of("0123456789"), text->size());
  uint32_t value = 0;
  if (digits == 0 || !absl::SimpleAtoi(text->substr(0, digits), &value)) return std::nullopt;
  text->remove_prefix(digits);
  return value;
}

absl::string_view TakeReason(absl::string_view* text) {
  for (const absl::string_view reason : kReasons) {
    if (absl::ConsumePrefix(text, reason)) return reason;
  }
  return "";
}

}  // namespace

std::optional<PstoreName> ParsePstoreName(absl::string_view name) {
  PstoreName parsed;
  parsed.still_packed = absl::ConsumeSuffix(&name, ".enc.z");
  const auto type = std::find_if(std::begin(kTypes), std::end(kTypes),
                                 [&](const TypeName& one) { return absl::ConsumePrefix(&name, one.prefix); });
  if (type == std::end(kTypes)) return std::nullopt;
  parsed.type = type->type;
  const size_t dash = name.rfind('-');
  if (dash == absl::string_view::npos) {
    // Only ramoops had names without an id, and "dmesg-old" is anybody's.
    if (name != "ramoops") return std::nullopt;
  } else {
    uint64_t id = 0;
    const absl::string_view digits = name.substr(dash + 1);
    if (digits.empty() || !absl::ascii_isdigit(digits[0]) || !absl::SimpleAtoi(digits, &id))
      return std::nullopt;
    parsed.id = id;
    name = name.substr(0, dash);
  }
  if (!IsBackend(name)) return std::nullopt;
  parsed.backend = std::string(name == "efi_pstore" ? "efi" : name);
  return parsed;
}

std::optional<RecordHeader> ParseRecordHeader(absl::string_view text) {
  absl::string_view rest = text.substr(0, kMaxHeaderBytes);
  RecordHeader header;
  header.reason = std::string(TakeReason(&rest));
  if (header.reason.empty() || !absl::ConsumePrefix(&rest, "#")) return std::nullopt;
  const std::optional<uint32_t> count = TakeNumber(&rest);
  if (!count || !absl::ConsumePrefix(&rest, " Part")) return std::nullopt;
  const std::optional<uint32_t> part = TakeNumber(&rest);
  if (!part || !absl::ConsumePrefix(&rest, "\n")) return std::nullopt;
  header.count = *count;
  header.part = *part;
  header.size = std::min(text.size(), kMaxHeaderBytes) - rest.size();
  return header;
}

EfiRecordId SplitEfiId(uint64_t id) {
  return {.seconds = id / 100000,
          .part = static_cast<uint32_t>(id / 1000 % 100),
          .count = static_cast<uint32_t>(id % 1000)};
}

}  // namespace corefleet
