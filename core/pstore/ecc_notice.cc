#include "core/pstore/ecc_notice.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"

namespace corefleet {
namespace {

constexpr absl::string_view kStart = "\nECC: ";
constexpr size_t kMaxNoticeBytes = 80;

bool TakeNumber(absl::string_view* text, uint32_t* value) {
  const size_t digits = std::min(text->find_first_not_of("0123456789"), text->size());
  if (!absl::SimpleAtoi(text->substr(0, digits), value)) return false;
  text->remove_prefix(digits);
  return true;
}

}  // namespace

std::optional<EccNotice> TakeEccNotice(absl::string_view* record) {
  const absl::string_view tail = record->substr(record->size() - std::min(record->size(), kMaxNoticeBytes));
  const size_t start = tail.rfind(kStart);
  if (start == absl::string_view::npos) return std::nullopt;
  absl::string_view notice = tail.substr(start + kStart.size());
  EccNotice ecc;
  if (notice != "No errors detected\n") {
    if (!TakeNumber(&notice, &ecc.corrected_bytes) || !absl::ConsumePrefix(&notice, " Corrected bytes, ") ||
        !TakeNumber(&notice, &ecc.unrecoverable_blocks) || notice != " unrecoverable blocks\n")
      return std::nullopt;
  }
  record->remove_suffix(tail.size() - start);
  return ecc;
}

}  // namespace corefleet
