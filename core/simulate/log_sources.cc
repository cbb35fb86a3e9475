#include "core/simulate/log_sources.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "core/pstore/ramoops_writer.h"
#include "core/pstore/records_writer.h"

namespace corefleet {
namespace {

// printk's kmsg_bytes: pstore keeps so much of the log's end.
constexpr size_t kKeptBytes = 10240;
constexpr size_t kEfiPart = 1024;
constexpr size_t kErstPart = 7680;
constexpr size_t kZoneBytes = 65536;
constexpr size_t kParityBytes = 16;
constexpr uint64_t kNanoseconds = 1'000'000'000;

std::string Stamp(const LogRecord& record) {
  return absl::StrFormat("[%5d.%06d] ", record.ts_nsec / kNanoseconds, record.ts_nsec % kNanoseconds / 1000);
}

// Each line of a record gets the record's own prefix.
std::string Lines(const LogRecord& record, bool with_level) {
  std::string text;
  const std::string prefix =
      with_level ? absl::StrCat("<", record.level + 8 * record.facility, ">", Stamp(record)) : Stamp(record);
  for (const absl::string_view line : absl::StrSplit(record.text, '\n'))
    absl::StrAppend(&text, prefix, line, "\n");
  return text;
}

// The end of the log, at most `room` bytes of whole records.
std::string EndOf(const std::vector<LogRecord>& log, size_t room, bool with_level,
                  std::vector<LogRecord>* readable) {
  std::string text;
  size_t first = log.size();
  while (first > 0) {
    const std::string lines = Lines(log[first - 1], with_level);
    if (text.size() + lines.size() > room) break;
    text = lines + text;
    --first;
  }
  readable->assign(log.begin() + static_cast<ptrdiff_t>(first), log.end());
  return text;
}

// panic() dumps the log before it prints its last line.
std::vector<LogRecord> AtDump(const std::vector<LogRecord>& log) {
  std::vector<LogRecord> records = log;
  if (!records.empty() && absl::StartsWith(records.back().text, "---[ end Kernel panic")) records.pop_back();
  return records;
}

SimulatedFile FileOf(const PstoreFileBytes& file) {
  return {file.name, std::vector<uint8_t>(file.bytes.begin(), file.bytes.end())};
}

std::vector<SimulatedFile> WriteDump(const PstoreDump& dump) {
  std::vector<SimulatedFile> files;
  for (const PstoreFileBytes& file : WritePstoreDump(dump)) files.push_back(FileOf(file));
  return files;
}

}  // namespace

std::vector<SimulatedFile> WriteEfiRecords(const std::vector<LogRecord>& log, uint64_t seconds,
                                           std::vector<LogRecord>* readable) {
  PstoreDump dump{.backend = "efi_pstore", .seconds = seconds, .part_bytes = kEfiPart};
  dump.text = EndOf(AtDump(log), kKeptBytes, true, readable);
  return WriteDump(dump);
}

std::vector<SimulatedFile> WriteErstRecords(const std::vector<LogRecord>& log, uint64_t seconds,
                                            std::vector<LogRecord>* readable) {
  PstoreDump dump{.backend = "erst", .first_id = seconds << 32, .part_bytes = kErstPart};
  dump.text = EndOf(AtDump(log), kKeptBytes, true, readable);
  return WriteDump(dump);
}

std::vector<SimulatedFile> WriteRamoopsRecords(const std::vector<LogRecord>& log, bool panicked,
                                               std::vector<LogRecord>* readable) {
  if (panicked) {
    PstoreDump dump{.backend = "ramoops"};
    dump.text = EndOf(AtDump(log), kKeptBytes, true, readable);
    return WriteDump(dump);
  }
  const std::string console = EndOf(log, kZoneBytes / 2, false, readable);
  return {FileOf({"console-ramoops-0", console})};
}

std::vector<SimulatedFile> WriteRamoopsArea(const std::vector<LogRecord>& log, bool panicked,
                                            std::vector<LogRecord>* readable) {
  std::vector<RamoopsZoneToWrite> zones(3, {.size = kZoneBytes});
  // The console's zone reaches further back than the dump, and on to the last line.
  zones[2].content = EndOf(log, kZoneBytes / 2, false, readable);
  if (panicked) {
    std::vector<LogRecord> in_dump;
    const std::string record =
        absl::StrCat("Panic#1 Part1\n", EndOf(AtDump(log), kKeptBytes, true, &in_dump));
    const uint64_t boot = log.back().ts_nsec / kNanoseconds;
    zones[0].content = RamoopsDumpContent(1'700'000'000 + boot, 0, record, RecordCodec::kDeflate);
  }
  const std::string area = WriteRamoops(zones, kParityBytes);
  return {{"ramoops.bin", std::vector<uint8_t>(area.begin(), area.end())}};
}

}  // namespace corefleet
