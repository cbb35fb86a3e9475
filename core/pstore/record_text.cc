#include "core/pstore/record_text.h"

#include "absl/strings/str_cat.h"
#include "core/pstore/record_name.h"

namespace corefleet {
namespace {

// More parts than this no dump has, so an archive of more headers is cut no further.
constexpr size_t kMaxParts = 1024;

void MarkMissing(uint32_t oldest, uint32_t newest, JoinedText* out) {
  const std::string what =
      oldest == newest ? absl::StrCat("part ", oldest) : absl::StrCat("parts ", oldest, " to ", newest);
  absl::StrAppend(&out->text, "<", what, " of this record ", oldest == newest ? "is" : "are", " missing>\n");
  out->plural = out->plural || oldest != newest || !out->missing.empty();
  absl::StrAppend(&out->missing, out->missing.empty() ? "" : ", ", what);
}

}  // namespace

JoinedText JoinTexts(const std::vector<RecordPart>& parts) {
  JoinedText out;
  uint32_t before = 0;
  for (const RecordPart& part : parts) {
    if (part.number != 0 && before > part.number + uint64_t{1})
      MarkMissing(before - 1, part.number + 1, &out);
    if (part.number != 0) before = part.number;
    absl::string_view text = part.text;
    if (const auto header = ParseRecordHeader(text)) text.remove_prefix(header->size);
    absl::StrAppend(&out.text, text);
    if (!out.text.empty() && out.text.back() != '\n') out.text.push_back('\n');
  }
  if (before > 1) MarkMissing(before - 1, 1, &out);
  return out;
}

std::vector<absl::string_view> SplitAtHeaders(absl::string_view content) {
  std::vector<absl::string_view> parts;
  size_t start = 0;
  for (size_t line = content.find('\n'); line != absl::string_view::npos && parts.size() < kMaxParts;
       line = content.find('\n', line + 1)) {
    if (!ParseRecordHeader(content.substr(line + 1))) continue;
    parts.push_back(content.substr(start, line + 1 - start));
    start = line + 1;
  }
  if (start < content.size()) parts.push_back(content.substr(start));
  return parts;
}

KernelText::Kind KindOfReason(absl::string_view reason) {
  if (reason == "Panic") return KernelText::Kind::kPanic;
  if (reason == "Oops") return KernelText::Kind::kOops;
  return KernelText::Kind::kOtherDump;
}

}  // namespace corefleet
