#ifndef COREFLEET_PROTO_CONVERT_FACTS_TO_PROTO_H_
#define COREFLEET_PROTO_CONVERT_FACTS_TO_PROTO_H_

#include "core/crash/facts.h"
#include "core/printk/kernel_log.h"
#include "corefleet/v1/archive.pb.h"
#include "corefleet/v1/crash.pb.h"

namespace corefleet {

// All functions here are pure and total, and thread-safe.

// kSummary leaves out regions and defects, which is what lists carry.
enum class Detail { kSummary, kEverything };

// Fills what analysis knows into `crash`: state, kernel, taint, uptime, CPUs, panic, log summary, regions,
// defects, command line, series, analyzer version and where each fact came from. Leaves alone what only a
// server knows: id, device, times, note, raw and stored bytes. A fact that is not there leaves its field
// unset. Every text leaves as valid UTF-8.
void FactsToProto(const CrashFacts& facts, Detail detail, v1::Crash* crash);

v1::Crash::State StateToProto(CrashState state);
v1::Region RegionToProto(const RegionFacts& region);
v1::Defect DefectToProto(const Defect& defect);
v1::Ability AbilityToProto(const Ability& ability);

// Appends `record` to `answer`. Where its text is no UTF-8 the message's text is escaped, and raw_texts gets
// the bytes themselves; raw_texts stays empty as long as no record needs it, and else has one entry (perhaps
// empty) a record.
void AppendRecord(const LogRecord& record, v1::GetLogResponse* answer);
v1::LogRecord RecordToProto(const LogRecord& record);

// The way back: appends what `answer` carries to `log`, byte for byte as the kernel stored it. Only `records`
// is touched. What a strange server may send (fields out of range, fewer raw texts than records) is cut to
// what fits.
void AppendRecords(const v1::GetLogResponse& answer, KernelLog* log);

}  // namespace corefleet

#endif  // COREFLEET_PROTO_CONVERT_FACTS_TO_PROTO_H_
