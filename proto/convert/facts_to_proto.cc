#include "proto/convert/facts_to_proto.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"
#include "core/bytes/escape.h"
#include "core/taint/taint.h"

namespace corefleet {
namespace {

// Copies facts into fields, and notes in `sources` where each was read.
class FactCopier {
 public:
  explicit FactCopier(v1::Crash* crash) : crash_(crash) {}

  template <typename T, typename Set>
  void Copy(const char* field, const MaybeFact<T>& fact, Set set) {
    if (!fact) return;
    set(fact->value);
    (*crash_->mutable_sources())[field] = std::string(ProvenanceName(fact->from));
  }

  void Text(const char* field, const MaybeFact<std::string>& fact, std::string* to) {
    Copy(field, fact, [&](const std::string& value) { *to = Utf8OrHex(value); });
  }

  void Numbers(const char* field, const MaybeFact<std::vector<uint32_t>>& fact,
               google::protobuf::RepeatedField<uint32_t>* to) {
    Copy(field, fact, [&](const std::vector<uint32_t>& value) { to->Assign(value.begin(), value.end()); });
  }

 private:
  v1::Crash* crash_;
};

void CopyKernel(const CrashFacts& facts, FactCopier* copier, v1::Kernel* kernel) {
  copier->Text("kernel.release", facts.release, kernel->mutable_release());
  copier->Text("kernel.version", facts.version, kernel->mutable_version());
  copier->Text("kernel.build_id", facts.build_id, kernel->mutable_build_id());
  copier->Text("kernel.arch", facts.arch, kernel->mutable_arch());
  copier->Text("kernel.git_commit", facts.git_commit, kernel->mutable_git_commit());
  copier->Text("kernel.config_sha256", facts.config_sha256, kernel->mutable_config_sha256());
  copier->Text("kernel.banner", facts.banner, kernel->mutable_banner());
  copier->Copy("kernel.page_size", facts.page_size, [&](uint64_t value) { kernel->set_page_size(value); });
  copier->Copy("kernel.kaslr_offset", facts.kaslr_offset,
               [&](uint64_t value) { kernel->set_kaslr_offset(value); });
}

// What the bits mean. Letters are the image's own where it has one for every bit: distributions have some of
// their own.
void AddTaintFlags(const TaintFacts& facts, v1::Taint* taint) {
  const std::vector<TaintBit> bits = DescribeTaint(facts.mask->value);
  for (size_t i = 0; i < bits.size(); ++i) {
    v1::TaintFlag* flag = taint->add_flags();
    flag->set_bit(bits[i].bit);
    const char letter = facts.letters.size() == bits.size() ? facts.letters[i] : bits[i].letter;
    flag->set_letter(Utf8OrHex({&letter, 1}));  // The image's own may be any byte.
    flag->set_name(bits[i].name);
    flag->set_meaning(bits[i].meaning);
  }
}

void CopyTaint(const TaintFacts& facts, FactCopier* copier, v1::Taint* taint) {
  copier->Copy("taint.mask", facts.mask, [&](uint64_t value) { taint->set_mask(value); });
  copier->Copy("taint.before_mask", facts.before_mask,
               [&](uint64_t value) { taint->set_before_mask(value); });
  taint->set_known(facts.mask.has_value());
  taint->set_letters(Utf8OrHex(facts.letters));
  if (facts.mask) AddTaintFlags(facts, taint);
}

void CopyCpus(const CpuFacts& facts, FactCopier* copier, v1::Cpus* cpus) {
  copier->Numbers("cpus.possible", facts.possible, cpus->mutable_possible());
  copier->Numbers("cpus.present", facts.present, cpus->mutable_present());
  copier->Numbers("cpus.online", facts.online, cpus->mutable_online());
  copier->Numbers("cpus.active", facts.active, cpus->mutable_active());
}

void CopyLog(const LogFacts& facts, v1::LogSummary* log) {
  log->set_records(facts.records);
  log->set_text_lost(facts.text_lost);
  log->set_lost(facts.lost);
  log->set_first_seq(facts.first_seq);
  log->set_last_seq(facts.last_seq);
  log->set_last_seconds(static_cast<double>(facts.last_ts_nsec) / 1e9);
  log->set_method(Utf8OrHex(facts.method));
}

constexpr std::pair<TextState, const char*> kTextStates[] = {{TextState::kWhole, ""},
                                                             {TextState::kTruncated, "truncated"},
                                                             {TextState::kLost, "lost"},
                                                             {TextState::kIncomplete, "incomplete"},
                                                             {TextState::kCarved, "carved"}};

const char* TextStateName(TextState state) {
  for (const auto& [value, name] : kTextStates) {
    if (value == state) return name;
  }
  return "";
}

TextState ParseTextState(absl::string_view text) {
  for (const auto& [value, name] : kTextStates) {
    if (text == name) return value;
  }
  return TextState::kIncomplete;  // A newer server's word: something is not whole.
}

// "C3" -> CPU 3, "T812" -> thread 812; anything else is thread 0.
uint32_t ParseCaller(absl::string_view caller) {
  constexpr uint32_t kIsCpu = 0x80000000;
  uint32_t number = 0;
  if (caller.size() < 2 || !absl::SimpleAtoi(caller.substr(1), &number)) return 0;
  return caller[0] == 'C' ? (number | kIsCpu) : number;
}

LogRecord RecordFromProto(const v1::LogRecord& from) {
  LogRecord record;
  record.seq = from.seq();
  record.ts_nsec = from.ts_nsec();
  record.level = static_cast<uint8_t>(std::min(from.level(), 7u));
  record.facility = static_cast<uint8_t>(std::min(from.facility(), 255u));
  record.flags = static_cast<uint8_t>(from.flags());
  record.caller_id = ParseCaller(from.caller());
  record.subsystem = from.subsystem();
  record.device = from.device();
  record.text = from.text();
  record.text_state = ParseTextState(from.text_state());
  return record;
}

}  // namespace

v1::Crash::State StateToProto(CrashState state) {
  // The stored numbers start at 0, proto's at 1: 0 is the unspecified value there.
  return static_cast<v1::Crash::State>(static_cast<int>(state) + 1);
}

v1::Region RegionToProto(const RegionFacts& region) {
  v1::Region out;
  out.set_name(Utf8OrHex(region.name));
  if (region.id) out.set_id(*region.id);
  if (region.paddr) out.set_paddr(*region.paddr);
  if (region.vaddr) out.set_vaddr(*region.vaddr);
  out.set_size(region.size);
  out.set_state(static_cast<v1::Region::State>(static_cast<int>(region.state) + 1));
  out.set_sha256(region.sha256);
  out.set_file_name(Utf8OrHex(region.file_name));
  out.set_received_bytes(region.received);
  return out;
}

v1::Defect DefectToProto(const Defect& defect) {
  v1::Defect out;
  out.set_code(std::string(DefectCodeName(defect.code)));
  out.set_region(Utf8OrHex(defect.region));
  out.set_detail(Utf8OrHex(defect.detail));
  return out;
}

v1::Ability AbilityToProto(const Ability& ability) {
  v1::Ability out;
  out.set_kind(std::string(AbilityName(ability.kind)));
  out.set_answer(std::string(AnswerName(ability.answer)));
  out.set_detail(Utf8OrHex(ability.detail));
  return out;
}

void FactsToProto(const CrashFacts& facts, Detail detail, v1::Crash* crash) {
  FactCopier copier(crash);
  crash->set_state(StateToProto(facts.state));
  crash->set_analyzer_version(facts.analyzer_version);
  CopyKernel(facts, &copier, crash->mutable_kernel());
  CopyTaint(facts.taint, &copier, crash->mutable_taint());
  CopyCpus(facts.cpus, &copier, crash->mutable_cpus());
  CopyLog(facts.log, crash->mutable_log());
  copier.Text("panic", facts.panic_reason, crash->mutable_panic());
  copier.Text("command_line", facts.command_line, crash->mutable_command_line());
  copier.Copy("uptime_seconds", facts.uptime_seconds,
              [&](double value) { crash->set_uptime_seconds(value); });
  crash->set_series(Utf8OrHex(facts.series));
  crash->set_source(facts.source);
  if (detail == Detail::kSummary) return;
  for (const RegionFacts& region : facts.regions) *crash->add_regions() = RegionToProto(region);
  for (const Defect& defect : facts.defects) *crash->add_defects() = DefectToProto(defect);
  for (const Ability& ability : facts.abilities) *crash->add_abilities() = AbilityToProto(ability);
}

v1::LogRecord RecordToProto(const LogRecord& record) {
  v1::LogRecord out;
  out.set_seq(record.seq);
  out.set_ts_nsec(record.ts_nsec);
  out.set_level(record.level);
  out.set_facility(record.facility);
  out.set_flags(record.flags);
  out.set_caller(CallerName(record.caller_id));
  out.set_subsystem(Utf8OrHex(record.subsystem));
  out.set_device(Utf8OrHex(record.device));
  out.set_text(Utf8OrHex(record.text));
  out.set_text_state(TextStateName(record.text_state));
  return out;
}

void AppendRecord(const LogRecord& record, v1::GetLogResponse* answer) {
  *answer->add_records() = RecordToProto(record);
  const bool escaped = answer->records().rbegin()->text() != record.text;
  if (!escaped && answer->raw_texts().empty()) return;
  // The first record that needs its bytes gives every record before it an empty entry, so that indexes agree.
  while (answer->raw_texts_size() < answer->records_size()) answer->add_raw_texts();
  if (escaped) *answer->mutable_raw_texts()->rbegin() = record.text;
}

void AppendRecords(const v1::GetLogResponse& answer, KernelLog* log) {
  for (int i = 0; i < answer.records_size(); ++i) {
    LogRecord record = RecordFromProto(answer.records(i));
    if (i < answer.raw_texts_size() && !answer.raw_texts(i).empty()) record.text = answer.raw_texts(i);
    log->records.push_back(std::move(record));
  }
}

}  // namespace corefleet
