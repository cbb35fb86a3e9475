#include <algorithm>
#include <utility>
#include <vector>

#include "cli/archive_connection.h"
#include "cli/json.h"
#include "cli/verb.h"
#include "core/printk/kernel_log.h"
#include "proto/convert/facts_to_proto.h"

namespace corefleet {
namespace {

constexpr int64_t kAllLevels = 7;

void PrintJson(const std::vector<v1::GetLogResponse>& answers, int64_t level, const Surroundings& where) {
  for (const v1::GetLogResponse& answer : answers) {
    for (const v1::LogRecord& record : answer.records()) {
      if (record.level() <= level) *where.out << JsonLine(record);
    }
  }
}

// Records that were left out on purpose are no gap, so each is rendered alone.
std::string RenderChosen(KernelLog log, int64_t level, bool raw) {
  std::string out;
  for (LogRecord& record : log.records) {
    if (record.level > level) continue;
    record.seq = 0;
    KernelLog one;
    one.records.push_back(std::move(record));
    out += raw ? RenderRaw(one) : RenderText(one);
  }
  return out;
}

int Run(const Arguments& arguments, const Surroundings& where) {
  const absl::StatusOr<int64_t> level = arguments.GetNumber("level", kAllLevels, 0, kAllLevels);
  if (!level.ok()) return Fail(where, level.status());
  absl::StatusOr<ArchiveConnection> archive = ArchiveConnection::To(where);
  if (!archive.ok()) return Fail(where, archive.status());
  const absl::StatusOr<std::vector<v1::GetLogResponse>> answers = archive->GetLog(arguments.operands()[0]);
  if (!answers.ok()) return Fail(where, answers.status());
  if (where.json) {
    PrintJson(*answers, *level, where);
    return kDone;
  }
  KernelLog log;
  for (const v1::GetLogResponse& answer : *answers) AppendRecords(answer, &log);
  const bool raw = arguments.Has("raw");
  if (*level < kAllLevels) {
    *where.out << RenderChosen(std::move(log), *level, raw);
  } else {
    *where.out << (raw ? RenderRaw(log) : RenderText(log));
  }
  return kDone;
}

}  // namespace

Verb LogVerb() {
  return {.name = "log",
          .operands = "ID",
          .min_operands = 1,
          .max_operands = 1,
          .summary = "what the kernel said last, rebuilt from its memory",
          .details =
              "Bytes that a terminal would act upon are printed as \\xNN, and gaps are marked\n"
              "<17 records lost>. --raw gives the bytes as the kernel printed them; --json one\n"
              "record a line, with its level, caller and device.\n\n"
              "  corefleet log @latest | tail\n"
              "  corefleet log @latest --level 3      errors and worse",
          .options = {{"raw", 0, "", "every byte as it was, gaps unmarked"},
                      {"level", 'l', "N", "only levels 0 (emergency) to N (7: debug, everything)"}},
          .run = Run};
}

}  // namespace corefleet
