#include "server/archive/page_token.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "core/digest/digest.h"

namespace corefleet {
namespace {

constexpr absl::string_view kVersion = "1";
constexpr size_t kHashDigits = 16;
constexpr size_t kIdDigits = 32;

std::string TimeText(const std::optional<absl::Time>& time) {
  return time ? absl::StrCat(absl::ToUnixNanos(*time)) : "-";
}

std::string FilterHash(const CrashFilter& filter) {
  const std::string text = absl::StrCat(
      filter.build.size(), ":", filter.build, " ", filter.taint_all, " ", filter.untainted ? 1 : 0, " ",
      filter.device ? absl::StrCat(filter.device->value().size(), ":", filter.device->value()) : "-", " ",
      filter.state ? absl::StrCat(static_cast<int>(*filter.state)) : "-", " ", TimeText(filter.since), " ",
      TimeText(filter.until));
  return HexOf(Sha256Of(BytesOf(text))).substr(0, kHashDigits);
}

}  // namespace

std::string MakePageToken(const CrashFilter& filter, const CrashId& before) {
  return absl::WebSafeBase64Escape(absl::StrCat(kVersion, FilterHash(filter), before.ToString()));
}

absl::StatusOr<CrashId> ParsePageToken(const CrashFilter& filter, absl::string_view token) {
  if (token.empty()) return CrashId();
  std::string text;
  if (token.size() > 128 || !absl::WebSafeBase64Unescape(token, &text) ||
      text.size() != kVersion.size() + kHashDigits + kIdDigits || text.compare(0, 1, "1") != 0) {
    return absl::InvalidArgumentError("page_token is not one that this server gave");
  }
  if (text.substr(kVersion.size(), kHashDigits) != FilterHash(filter)) {
    return absl::InvalidArgumentError("page_token is of a list with another filter");
  }
  auto id = CrashId::Parse(text.substr(kVersion.size() + kHashDigits));
  if (!id.ok()) return absl::InvalidArgumentError("page_token is not one that this server gave");
  return id;
}

}  // namespace corefleet
