#include "server/rpc/convert.h"

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "core/bytes/escape.h"
#include "core/taint/taint.h"

namespace corefleet {
namespace {

constexpr size_t kMaxBuildFilter = 256;
constexpr size_t kMaxHint = 256;
constexpr int kMaxLosses = 32;
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

std::string Hint(const std::string& text) {
  // A character that the cut goes through is escaped with what is left of it.
  return Utf8OrHex(absl::string_view(text).substr(0, kMaxHint)).substr(0, kMaxHint);
}

CrashHints FromProto(const v1::CrashHints& hints) {
  CrashHints out{.build_id = Hint(hints.build_id()),
                 .kernel_release = Hint(hints.kernel_release()),
                 .panic = Hint(hints.panic()),
                 .os_version = Hint(hints.os_version()),
                 .source = Hint(hints.source()),
                 .priority = hints.priority()};
  if (hints.has_captured_at()) {
    const auto time = TimeOf(hints.captured_at(), "captured_at");
    if (time.ok()) out.captured_at = *time;
  }
  return out;
}

// A crash is not refused for what its device says about others.
DeviceAccount FromProto(const v1::DeviceAccount& account) {
  DeviceAccount out{.epoch = account.epoch(), .spooled = account.spooled()};
  for (int i = 0; i < std::min(account.lost_size(), kMaxLosses); ++i) {
    out.lost.push_back({account.lost(i).reason(), account.lost(i).count()});
  }
  return out;
}

absl::StatusOr<Manifest> ManifestOf(const v1::BeginCrashRequest& request) {
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

v1::Want ToProto(Want want) {
  switch (want) {
    case Want::kAll:
      return v1::WANT_ALL;
    case Want::kNone:
      return v1::WANT_NONE;
    case Want::kLogOnly:
      return v1::WANT_LOG_ONLY;
  }
  return v1::WANT_ALL;
}

v1::Terms TermsOf(const StoredCrash& crash) {
  v1::Terms terms;
  terms.set_want(crash.want == SessionWant::kLogOnly ? v1::Terms::LOG_ONLY : v1::Terms::ALL);
  terms.set_rule(Utf8OrHex(crash.rule));
  terms.set_weight(crash.weight);
  return terms;
}

v1::DeviceWord DeviceWordOf(const StoredCrash& crash) {
  v1::DeviceWord word;
  word.set_os_version(Utf8OrHex(crash.os_version));
  word.set_source(Utf8OrHex(crash.source));
  if (crash.captured_at) SetTime(*crash.captured_at, word.mutable_captured_at());
  return word;
}

void SetDuration(absl::Duration duration, google::protobuf::Duration* out) {
  const int64_t seconds = absl::ToInt64Seconds(duration);
  out->set_seconds(seconds);
  out->set_nanos(absl::ToInt64Nanoseconds(duration - absl::Seconds(seconds)));
}

}  // namespace

absl::StatusOr<CrashOffer> FromProto(const v1::BeginCrashRequest& request) {
  CrashOffer offer{.device = request.device(), .note = request.note()};
  ASSIGN_OR_RETURN(offer.manifest, ManifestOf(request));
  if (request.has_hints()) offer.hints = FromProto(request.hints());
  if (request.has_account()) offer.account = FromProto(request.account());
  return offer;
}

ReceivedChunk TakeFromProto(v1::Chunk* chunk) {
  return {.region = chunk->region(),
          .chunk = chunk->chunk(),
          .encoding = static_cast<int>(chunk->encoding()),
          .raw_size = chunk->raw_size(),
          .crc32c = chunk->crc32c(),
          .sha256 = BytesOf(chunk->sha256()),
          .payload = std::move(*chunk->mutable_payload())};
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

void ToProto(const FinishedCrash& crash, v1::FinishCrashResponse* out) {
  out->set_crash(crash.crash.ToString());
  out->set_already_stored(crash.already_stored);
}

void ToProto(const SessionStatus& status, const IngestLimits& limits, v1::BeginCrashResponse* out) {
  out->set_state(status.state == SessionState::kComplete ? v1::BeginCrashResponse::COMPLETE
                 : status.created                        ? v1::BeginCrashResponse::NEW
                                                         : v1::BeginCrashResponse::RESUMING);
  out->set_session(status.session.value());
  if (!status.crash.empty()) out->set_crash(status.crash.ToString());
  for (const ChunkRange& range : status.missing) ToProto(range, out->add_missing());
  out->set_chunk_bytes(kChunkBytes);
  out->set_max_inflight_bytes(limits.inflight_bytes);
  SetTime(status.expires_at, out->mutable_expires_at());
  out->set_want(ToProto(status.want));
  out->set_rule(Utf8OrHex(status.rule));
  out->set_weight(status.weight);
  if (status.ask_again) SetDuration(*status.ask_again, out->mutable_ask_again());
}

void ToProto(const SessionStatus& status, size_t max_ranges, v1::GetSessionResponse* out) {
  out->set_state(status.state == SessionState::kComplete ? v1::BeginCrashResponse::COMPLETE
                                                         : v1::BeginCrashResponse::RESUMING);
  if (!status.crash.empty()) out->set_crash(status.crash.ToString());
  for (size_t i = 0; i < std::min(max_ranges, status.missing.size()); ++i) {
    ToProto(status.missing[i], out->add_missing());
  }
  SetTime(status.expires_at, out->mutable_expires_at());
}

void ToProto(const StoredCrash& crash, Detail detail, v1::Crash* out) {
  out->set_id(crash.id.ToString());
  out->set_device(Utf8OrHex(crash.device.value()));
  SetTime(crash.received_at, out->mutable_received_at());
  out->set_raw_bytes(crash.raw_bytes);
  out->set_here_bytes(crash.here_bytes);
  out->set_stored_bytes(crash.stored_bytes);
  *out->mutable_terms() = TermsOf(crash);
  *out->mutable_device_word() = DeviceWordOf(crash);
  out->set_revision(crash.revision);
  out->set_note(Utf8OrHex(crash.note));
  if (crash.facts) FactsToProto(*crash.facts, detail, out);
  out->set_state(StateToProto(crash.state));
}

}  // namespace corefleet
