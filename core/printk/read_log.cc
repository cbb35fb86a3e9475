#include "core/printk/read_log.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/printk/log_buf.h"
#include "core/printk/log_text.h"
#include "core/printk/ring_log.h"
#include "core/printk/text_log.h"

namespace corefleet {
namespace {

void AddDefect(DefectCode code, std::string detail, KernelLog* log) {
  log->defects.push_back({code, "", std::move(detail)});
}

void DescribeLogBuf(const LogBufRecords& found, KernelLog* log) {
  if (found.walked_all) {
    AddDefect(DefectCode::kLogDamaged, "the log buffer's indices are wrong; all of it was searched", log);
  }
  if (found.stretches > 0) {
    AddDefect(DefectCode::kLogDamaged,
              absl::StrCat(found.skipped, " bytes in ", found.stretches,
                           " places of the log buffer are no records, or not in the image"),
              log);
  }
  if (found.went_round || found.stretches > 0) {
    AddDefect(DefectCode::kLogGap,
              absl::StrCat(found.went_round ? "records before the first were overwritten, uncounted; " : "",
                           "at least ", found.stretches, " lost after it"),
              log);
  }
  if (log->facts.text_lost > 0) {
    AddDefect(
        DefectCode::kLogTextLost,
        absl::StrCat(log->facts.text_lost, " of ", log->facts.records, " records have no text in the image"),
        log);
  }
}

// The log of a kernel from 3.5 to 5.9. nullopt when there is none.
std::optional<KernelLog> ReadLogBufLog(const CoreImage& image) {
  const std::optional<LogBuf> buffer = FindLogBuf(image, image.vmcoreinfo);
  if (!buffer) return {};
  LogBufRecords found = ReadLogBuf(*buffer);
  KernelLog log;
  log.records = std::move(found.records);
  log.facts = FactsOfRecords(log.records);
  log.facts.method = log.records.empty() ? "" : "log_buf";
  DescribeLogBuf(found, &log);
  return log;
}

// The log of a kernel before 3.5: text in a buffer.
std::optional<KernelLog> ReadByteLogLog(const CoreImage& image) {
  const std::optional<ByteLog> found = ReadByteLog(image, image.vmcoreinfo);
  if (!found) return {};
  KernelLog log = ParseLogText(found->text);
  if (!log.records.empty()) log.facts.method = "log_buf";
  if (found->missing > 0) {
    AddDefect(DefectCode::kLogTextLost,
              absl::StrCat(found->missing, " bytes of the log buffer are not in the image"), &log);
  }
  if (found->went_round) {
    AddDefect(DefectCode::kLogGap, "lines before the first were overwritten, uncounted", &log);
  }
  return log;
}

// Of the memory's logs, the one that this kernel has.
std::optional<KernelLog> ReadMemoryLog(const CoreImage& image) {
  if (image.vmcoreinfo.Symbol("prb")) return ReadRingLog(image);
  if (std::optional<KernelLog> log = ReadLogBufLog(image)) return log;
  if (std::optional<KernelLog> log = ReadByteLogLog(image)) return log;
  return ReadRingLog(image);
}

}  // namespace

KernelLog ReadLog(const CoreImage& image) {
  std::optional<KernelLog> log = ReadMemoryLog(image);
  if (log && !log->records.empty()) return *std::move(log);
  KernelLog text = ReadTextLog(image.texts);
  if (!text.records.empty()) return text;
  if (log) return *std::move(log);
  AddDefect(DefectCode::kLogMissing, "no kernel log is in the image", &text);
  return text;
}

}  // namespace corefleet
