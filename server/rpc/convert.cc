#include "server/rpc/convert.h"

#include <google/protobuf/timestamp.pb.h>

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "core/bytes/escape.h"
#include "core/taint/taint.h"

namespace corefleet {
namespace {

constexpr size_t kMaxBuildFilter = 256;
// google.protobuf.Timestamp: years 1 to 9999.
constexpr int64_t kFirstSecond = -62135596800;
constexpr int64_t kLastSecond = 253402300799;

void SetTime(absl::Time time, google::protobuf::Timestamp* out) {
  const int64_t seconds = absl::ToUnixSeconds(time);
  out->set_seconds(seconds);
  out->set_nanos(absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(seconds)));
}

absl::StatusOr<absl::Time> TimeOf(const google::protobuf::Timestamp& time, absl::string_view field) {
  if (time.seconds() < kFirstSecond || time.seconds() > kLastSecond || time.nanos() < 0 ||
      time.nanos() > 999'999'999) {
    return absl::InvalidArgumentError(absl::StrCat(field, " is no time"));
  }
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

absl::StatusOr<uint64_t> TaintMaskOf(const std::string& letters) {
  uint64_t mask = 0;
  for (const char letter : letters) {
    uint64_t bit = 0;
    for (uint32_t i = 0; i < kKnownTaintBits; ++i) {
      if (DescribeTaintBit(i).letter == letter) bit = uint64_t{1} << i;
    }
    if (bit == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("taint: no kernel has the letter ", Utf8OrHex({&letter, 1})));
    }
    mask |= bit;
  }
  return mask;
}

absl::StatusOr<ManifestRegion> FromProto(const v1::ManifestRegion& region, int index) {
  ManifestRegion out{.kind = static_cast<RegionKind>(region.kind()),
                     .file_name = region.file_name(),
                     .name = region.name(),
                     .size = region.size()};
  // The domain's kind is a byte: a number that does not fit must not become another one.
  if (region.kind() < 0 || region.kind() > 255) out.kind = RegionKind{0};
  if (region.has_id()) out.id = region.id();
  if (region.has_paddr()) out.paddr = region.paddr();
  if (region.has_table_size()) out.table_size = region.table_size();
  if (region.root().size() != out.root.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("region ", index, ": root has ", region.root().size(), " bytes and not 32"));
  }
  std::copy(region.root().begin(), region.root().end(), out.root.begin());
  return out;
}

void Note(v1::Crash* out, const char* field, Provenance from) {
  (*out->mutable_sources())[field] = std::string(ProvenanceName(from));
}

std::string TextFact(const MaybeFact<std::string>& fact, const char* field, v1::Crash* out) {
  if (!fact) return "";
  Note(out, field, fact->from);
  return Utf8OrHex(fact->value);
}

void KernelToProto(const CrashFacts& facts, v1::Crash* out) {
  v1::Kernel* kernel = out->mutable_kernel();
  kernel->set_release(TextFact(facts.release, "kernel.release", out));
  kernel->set_version(TextFact(facts.version, "kernel.version", out));
  kernel->set_build_id(TextFact(facts.build_id, "kernel.build_id", out));
  kernel->set_arch(TextFact(facts.arch, "kernel.arch", out));
  kernel->set_git_commit(TextFact(facts.git_commit, "kernel.git_commit", out));
  kernel->set_config_sha256(TextFact(facts.config_sha256, "kernel.config_sha256", out));
  kernel->set_banner(TextFact(facts.banner, "kernel.banner", out));
  if (facts.page_size) {
    kernel->set_page_size(facts.page_size->value);
    Note(out, "kernel.page_size", facts.page_size->from);
  }
  if (facts.kaslr_offset) {
    kernel->set_kaslr_offset(facts.kaslr_offset->value);
    Note(out, "kernel.kaslr_offset", facts.kaslr_offset->from);
  }
}

void TaintToProto(const TaintFacts& facts, v1::Crash* out) {
  v1::Taint* taint = out->mutable_taint();
  if (facts.before_mask) {
    taint->set_before_mask(facts.before_mask->value);
    Note(out, "taint.before_mask", facts.before_mask->from);
  }
  if (!facts.mask) return;
  taint->set_known(true);
  taint->set_mask(facts.mask->value);
  taint->set_letters(Utf8OrHex(facts.letters));
  Note(out, "taint.mask", facts.mask->from);
  const std::vector<TaintBit> bits = DescribeTaint(facts.mask->value);
  for (size_t i = 0; i < bits.size(); ++i) {
    v1::TaintFlag* flag = taint->add_flags();
    flag->set_bit(bits[i].bit);
    // The image's own letter, where there is one for each bit.
    const bool own = facts.letters.size() == bits.size();
    flag->set_letter(Utf8OrHex(std::string(1, own ? facts.letters[i] : bits[i].letter)));
    flag->set_name(bits[i].name);
    flag->set_meaning(bits[i].meaning);
  }
}

void CpusToProto(const CpuFacts& facts, v1::Crash* out) {
  const auto set = [&](const MaybeFact<std::vector<uint32_t>>& fact, const char* field, auto* numbers) {
    if (!fact) return;
    Note(out, field, fact->from);
    numbers->Add(fact->value.begin(), fact->value.end());
  };
  v1::Cpus* cpus = out->mutable_cpus();
  set(facts.possible, "cpus.possible", cpus->mutable_possible());
  set(facts.present, "cpus.present", cpus->mutable_present());
  set(facts.online, "cpus.online", cpus->mutable_online());
  set(facts.active, "cpus.active", cpus->mutable_active());
}

void LogToProto(const LogFacts& facts, v1::LogSummary* out) {
  out->set_records(facts.records);
  out->set_text_lost(facts.text_lost);
  out->set_lost(facts.lost);
  out->set_first_seq(facts.first_seq);
  out->set_last_seq(facts.last_seq);
  out->set_last_seconds(static_cast<double>(facts.last_ts_nsec) / 1e9);
  out->set_method(Utf8OrHex(facts.method));
}

void RegionToProto(const RegionFacts& facts, v1::Region* out) {
  out->set_name(Utf8OrHex(facts.name));
  if (facts.id) out->set_id(*facts.id);
  if (facts.paddr) out->set_paddr(*facts.paddr);
  if (facts.vaddr) out->set_vaddr(*facts.vaddr);
  out->set_size(facts.size);
  out->set_state(static_cast<v1::Region::State>(static_cast<int>(facts.state) + 1));
  out->set_sha256(facts.sha256);
  out->set_file_name(Utf8OrHex(facts.file_name));
  out->set_received_bytes(facts.received);
}

void FactsToProto(const CrashFacts& facts, Detail detail, v1::Crash* out) {
  KernelToProto(facts, out);
  TaintToProto(facts.taint, out);
  CpusToProto(facts.cpus, out);
  LogToProto(facts.log, out->mutable_log());
  if (facts.uptime_seconds) {
    out->set_uptime_seconds(facts.uptime_seconds->value);
    Note(out, "uptime_seconds", facts.uptime_seconds->from);
  }
  out->set_panic(TextFact(facts.panic_reason, "panic", out));
  out->set_command_line(TextFact(facts.command_line, "command_line", out));
  out->set_series(Utf8OrHex(facts.series));
  out->set_analyzer_version(facts.analyzer_version);
  if (detail == Detail::kSummary) return;
  for (const RegionFacts& region : facts.regions) RegionToProto(region, out->add_regions());
  for (const Defect& defect : facts.defects) {
    v1::Defect* added = out->add_defects();
    added->set_code(std::string(DefectCodeName(defect.code)));
    added->set_region(Utf8OrHex(defect.region));
    added->set_detail(Utf8OrHex(defect.detail));
  }
}

const char* TextStateName(TextState state) {
  switch (state) {
    case TextState::kWhole:
      return "";
    case TextState::kTruncated:
      return "truncated";
    case TextState::kLost:
      return "lost";
    case TextState::kIncomplete:
      return "incomplete";
    case TextState::kCarved:
      return "carved";
  }
  return "";
}

}  // namespace

absl::StatusOr<Manifest> FromProto(const v1::BeginCrashRequest& request) {
  // Before anything of that length is made.
  if (request.regions_size() > static_cast<int>(kMaxRegions)) {
    return absl::InvalidArgumentError(
        absl::StrCat(request.regions_size(), " regions are more than ", kMaxRegions));
  }
  Manifest manifest;
  for (int i = 0; i < request.regions_size(); ++i) {
    ASSIGN_OR_RETURN(ManifestRegion region, FromProto(request.regions(i), i));
    manifest.regions.push_back(std::move(region));
  }
  return manifest;
}

ReceivedChunk FromProto(const v1::Chunk& chunk) {
  return {.region = chunk.region(),
          .chunk = chunk.chunk(),
          .encoding = static_cast<int>(chunk.encoding()),
          .raw_size = chunk.raw_size(),
          .crc32c = chunk.crc32c(),
          .sha256 = BytesOf(chunk.sha256()),
          .payload = BytesOf(chunk.payload())};
}

absl::StatusOr<CrashFilter> FromProto(const v1::CrashFilter& filter) {
  CrashFilter out;
  if (filter.build().size() > kMaxBuildFilter) return absl::InvalidArgumentError("build is too long");
  out.build = filter.build();
  ASSIGN_OR_RETURN(out.taint_all, TaintMaskOf(filter.taint()));
  out.untainted = filter.untainted();
  if (out.untainted && out.taint_all != 0) {
    return absl::InvalidArgumentError("taint and untainted together fit no crash");
  }
  if (!filter.device().empty()) {
    ASSIGN_OR_RETURN(out.device, ParseDeviceId(filter.device()));
  }
  if (!v1::Crash::State_IsValid(filter.state())) {
    return absl::InvalidArgumentError(absl::StrCat("state: there is no ", static_cast<int>(filter.state())));
  }
  if (filter.state() != v1::Crash::STATE_UNSPECIFIED) {
    out.state = static_cast<CrashState>(static_cast<int>(filter.state()) - 1);
  }
  if (filter.has_since()) {
    ASSIGN_OR_RETURN(out.since, TimeOf(filter.since(), "since"));
  }
  if (filter.has_until()) {
    ASSIGN_OR_RETURN(out.until, TimeOf(filter.until(), "until"));
  }
  return out;
}

void ToProto(const ChunkRange& range, v1::ChunkRange* out) {
  out->set_region(range.region);
  out->set_first(range.first);
  out->set_count(range.count);
}

void ToProto(const SessionStatus& status, const IngestLimits& limits, v1::BeginCrashResponse* out) {
  out->set_state(!status.crash.empty() ? v1::BeginCrashResponse::COMPLETE
                 : status.created      ? v1::BeginCrashResponse::NEW
                                       : v1::BeginCrashResponse::RESUMING);
  out->set_session(status.session.value());
  if (!status.crash.empty()) out->set_crash(status.crash.ToString());
  for (const ChunkRange& range : status.missing) ToProto(range, out->add_missing());
  out->set_chunk_bytes(kChunkBytes);
  out->set_max_inflight_bytes(limits.inflight_bytes);
  SetTime(status.expires_at, out->mutable_expires_at());
}

void ToProto(const SessionStatus& status, size_t max_ranges, v1::GetSessionResponse* out) {
  out->set_state(status.crash.empty() ? v1::BeginCrashResponse::RESUMING : v1::BeginCrashResponse::COMPLETE);
  if (!status.crash.empty()) out->set_crash(status.crash.ToString());
  for (size_t i = 0; i < std::min(max_ranges, status.missing.size()); ++i) {
    ToProto(status.missing[i], out->add_missing());
  }
  SetTime(status.expires_at, out->mutable_expires_at());
}

void ToProto(const StoredCrash& crash, Detail detail, v1::Crash* out) {
  out->set_id(crash.id.ToString());
  out->set_device(Utf8OrHex(crash.device.value()));
  out->set_state(static_cast<v1::Crash::State>(static_cast<int>(crash.state) + 1));
  SetTime(crash.received_at, out->mutable_received_at());
  out->set_raw_bytes(crash.raw_bytes);
  out->set_stored_bytes(crash.stored_bytes);
  out->set_note(Utf8OrHex(crash.note));
  if (crash.facts) FactsToProto(*crash.facts, detail, out);
}

bool ToProto(const LogRecord& record, v1::LogRecord* out) {
  out->set_seq(record.seq);
  out->set_ts_nsec(record.ts_nsec);
  out->set_level(record.level);
  out->set_facility(record.facility);
  out->set_flags(record.flags);
  out->set_caller(CallerName(record.caller_id));
  out->set_subsystem(Utf8OrHex(record.subsystem));
  out->set_device(Utf8OrHex(record.device));
  std::string text = Utf8OrHex(record.text);
  const bool escaped = text != record.text;
  out->set_text(std::move(text));
  out->set_text_state(TextStateName(record.text_state));
  return escaped;
}

}  // namespace corefleet
