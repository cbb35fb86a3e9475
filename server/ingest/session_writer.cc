#include "server/ingest/session_writer.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "core/digest/digest.h"

namespace corefleet {
namespace {

// A zstd frame of incompressible data is a little longer than the data: a header and a few bytes a block.
constexpr uint64_t kFrameOverhead = 1024;
// Zeros compress to nothing: bytes alone would not bound what is held.
constexpr size_t kMaxHeldChunks = 1024;
// When no more than this part of flush_bytes is lacking, a pack may grow by as much.
constexpr uint64_t kRest = 4;
// Longer than that nothing stays set aside: so much of a device's work a killed server loses, so long a
// device waits for its acknowledgement, and so long a segment is kept open.
constexpr absl::Duration kLongAside = absl::Seconds(10);

std::string Where(const ReceivedChunk& chunk) {
  return absl::StrCat("region ", chunk.region, " chunk ", chunk.chunk);
}

uint64_t RawBytesOf(const std::vector<PackEntry>& entries) {
  uint64_t bytes = 0;
  for (const PackEntry& entry : entries) bytes += entry.raw_size;
  return bytes;
}

}  // namespace

SessionWriter::SessionWriter(const Dependencies& deps, const IngestLimits& limits, Session session,
                             const std::vector<StoredPack>& packs)
    : deps_(deps),
      limits_(limits),
      session_(std::move(session)),
      ledger_(packs),
      pack_changes_(session_.pack_changes) {
  for (const StoredPack& pack : packs) stored_bytes_ += pack.ref.size;
  lacking_ = BytesIn(MissingOf(ledger_, session_.manifest, session_.terms.want), session_.manifest);
}

SessionWriter::~SessionWriter() {
  GiveBack();
  if (deps_.in_flight != nullptr) deps_.in_flight->Left(session_.id);
}

absl::Status SessionWriter::Add(ReceivedChunk chunk) {
  if (absl::Status status = CheckBounds(chunk); !status.ok()) return Reject(ChunkReject::kBounds, status);
  if (absl::Status status = CheckEncoding(chunk); !status.ok()) return Reject(ChunkReject::kEncoding, status);
  const ByteView payload = BytesOf(chunk.payload);
  if (Crc32c(payload) != chunk.crc32c) {
    return Reject(ChunkReject::kCrc, absl::DataLossError(absl::StrCat(Where(chunk), ": wrong crc32c")));
  }
  Sha256Digest digest;
  std::copy(chunk.sha256.begin(), chunk.sha256.end(), digest.begin());
  if (const Sha256Digest* known = ledger_.Find(chunk.region, chunk.chunk); known != nullptr) {
    if (*known != digest) {
      return Reject(ChunkReject::kConflict,
                    absl::AbortedError(absl::StrCat(Where(chunk), " is there with another digest")));
    }
    // Held already: the next Flush acknowledges it. Durable already: it need not wait for one.
    if (std::find(held_.begin(), held_.end(), std::make_pair(chunk.region, chunk.chunk)) == held_.end()) {
      AppendChunk(&acks_, chunk.region, chunk.chunk);
    }
    return absl::OkStatus();
  }
  const auto encoding = static_cast<ChunkEncoding>(chunk.encoding);
  if (absl::Status bad = CheckChunk(encoding, payload, chunk.raw_size, digest); !bad.ok()) {
    return Reject(ChunkReject::kContent,
                  absl::Status(bad.code(), absl::StrCat(Where(chunk), ": ", bad.message())));
  }
  Hold({.region = chunk.region,
        .chunk = chunk.chunk,
        .encoding = encoding,
        .raw_size = chunk.raw_size,
        .stored_size = static_cast<uint32_t>(payload.size()),
        .digest = digest},
       std::move(chunk.payload));
  return absl::OkStatus();
}

void SessionWriter::Hold(const PackEntry& entry, std::string stored) {
  builder_.Add(entry, std::move(stored));
  ledger_.Add(entry.region, entry.chunk, entry.digest);
  held_.emplace_back(entry.region, entry.chunk);
  memory_bytes_ += entry.stored_size;
  lacking_ -= std::min<uint64_t>(lacking_, entry.raw_size);
  deps_.budget->Take(entry.stored_size);
  deps_.metrics->ChunkReceived(entry.stored_size);
}

absl::Status SessionWriter::CheckBounds(const ReceivedChunk& chunk) const {
  if (chunk.region >= session_.manifest.regions.size()) {
    return absl::InvalidArgumentError(absl::StrCat("region ", chunk.region, ": the crash has ",
                                                   session_.manifest.regions.size(), " regions"));
  }
  const uint64_t size = session_.manifest.regions[chunk.region].size;
  if (chunk.chunk >= ChunkCount(size)) {
    return absl::InvalidArgumentError(
        absl::StrCat(Where(chunk), ": the region has ", ChunkCount(size), " chunks"));
  }
  if (chunk.raw_size != ChunkSize(size, chunk.chunk)) {
    return absl::InvalidArgumentError(absl::StrCat(Where(chunk), ": raw_size is ", chunk.raw_size,
                                                   " and not ", ChunkSize(size, chunk.chunk)));
  }
  return absl::OkStatus();
}

absl::Status SessionWriter::CheckEncoding(const ReceivedChunk& chunk) const {
  if (chunk.sha256.size() != Sha256Digest().size()) {
    return absl::InvalidArgumentError(
        absl::StrCat(Where(chunk), ": sha256 has ", chunk.sha256.size(), " bytes and not 32"));
  }
  if (chunk.encoding == static_cast<int>(ChunkEncoding::kRaw)) {
    if (chunk.payload.size() == chunk.raw_size) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(Where(chunk), ": a raw payload of ", chunk.payload.size(),
                                                   " bytes for ", chunk.raw_size));
  }
  if (chunk.encoding == static_cast<int>(ChunkEncoding::kZstd)) {
    if (chunk.payload.size() <= chunk.raw_size + kFrameOverhead) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(Where(chunk), ": a zstd frame of ", chunk.payload.size(),
                                                   " bytes for ", chunk.raw_size));
  }
  return absl::InvalidArgumentError(absl::StrCat(Where(chunk), ": unknown encoding ", chunk.encoding));
}

absl::Status SessionWriter::Reject(ChunkReject reason, absl::Status status) {
  deps_.metrics->ChunkRejected(reason);
  return status;
}

bool SessionWriter::full() const {
  if (overfull() || aside_for_long()) return true;
  return memory_bytes_ > 0 && memory_bytes_ >= deps_.budget->PartOf(pack_bytes(), memory_bytes_);
}

bool SessionWriter::overfull() const {
  return held_.size() >= kMaxHeldChunks || held_bytes() >= pack_bytes();
}

bool SessionWriter::aside_for_long() const {
  return !aside_.empty() && deps_.clock->Now() - aside_since_ >= kLongAside;
}

uint64_t SessionWriter::pack_bytes() const {
  // The rest of a crash waits for its end instead of costing a sync and a commit of its own.
  const uint64_t rest = limits_.flush_bytes / kRest;
  return limits_.flush_bytes + (lacking_ <= rest ? rest : 0);
}

absl::Status SessionWriter::MakeRoom() { return overfull() || aside_for_long() ? Flush() : SetAside(); }

absl::Status SessionWriter::Flush() {
  return FlushWith([this](absl::Span<const StoredPack> packs) { return AddPacks(packs); });
}

absl::StatusOr<bool> SessionWriter::FlushAndFinish(const CrashId& fresh) {
  if (held_.empty() || !session_.crash.empty() || !Whole()) {
    RETURN_IF_ERROR(Flush());
    return false;
  }
  bool finished = false;
  RETURN_IF_ERROR(FlushWith([&](absl::Span<const StoredPack> packs) {
    const absl::Status status =
        deps_.index->FinishWithPacks(session_.id, pack_changes_, packs, fresh, BytesWith(packs));
    finished = status.ok();
    return absl::IsFailedPrecondition(status) ? AddPacks(packs) : status;
  }));
  return finished;
}

bool SessionWriter::Whole() const {
  return MissingOf(ledger_, session_.manifest, session_.terms.want).empty() &&
         ledger_.CheckRoots(session_.manifest).ok();
}

CrashBytes SessionWriter::BytesWith(absl::Span<const StoredPack> last) const {
  CrashBytes bytes = BytesOfCrash(session_.manifest, ledger_);
  bytes.stored = stored_bytes_;
  for (const StoredPack& pack : last) bytes.stored += pack.ref.size;
  return bytes;
}

absl::Status SessionWriter::SetAside() {
  if (builder_.empty()) return absl::OkStatus();
  PackInPieces pack = builder_.BuildInPieces(session_.id.value());
  auto written = deps_.store->Write(pack.pieces());
  const uint64_t bytes = memory_bytes_;
  GiveBack();
  if (!written.ok()) {
    Forget(pack.entries);
    held_.resize(held_.size() - pack.entries.size());
    return written.status();
  }
  const absl::Time now = deps_.clock->Now();
  if (aside_.empty()) aside_since_ = now;
  aside_bytes_ += bytes;
  if (deps_.in_flight != nullptr) deps_.in_flight->Brought(session_.id, RawBytesOf(pack.entries), now);
  aside_.push_back({*std::move(written), std::move(pack.entries)});
  return absl::OkStatus();
}

absl::Status SessionWriter::FlushWith(Record record) {
  if (held_.empty()) return absl::OkStatus();
  const absl::Time start = deps_.clock->Now();
  RETURN_IF_ERROR(SetAside());
  const absl::Status status = Store(record, start);
  if (status.ok()) {
    for (const auto& [region, chunk] : held_) AppendChunk(&acks_, region, chunk);
  } else {
    for (const Aside& aside : aside_) Forget(aside.entries);
  }
  aside_.clear();
  aside_bytes_ = 0;
  held_.clear();
  return status;
}

absl::Status SessionWriter::Store(Record record, absl::Time start) {
  std::vector<StoredPack> packs;
  uint64_t bytes = 0;
  for (const Aside& aside : aside_) {
    // Durable first: a row must never point at bytes that a power cut can take.
    RETURN_IF_ERROR(aside.written->Sync());
    packs.push_back({.ref = aside.written->ref(), .entries = aside.entries});
    bytes += aside.written->ref().size;
  }
  RETURN_IF_ERROR(record(packs));
  stored_bytes_ += bytes;
  const absl::Time end = deps_.clock->Now();
  deps_.metrics->PacksWritten(packs.size(), bytes, end - start);
  if (deps_.in_flight != nullptr) deps_.in_flight->Took(ServerPart::kStore, end - start, end);
  return absl::OkStatus();
}

absl::Status SessionWriter::AddPacks(absl::Span<const StoredPack> packs) {
  const absl::Time now = deps_.clock->Now();
  const absl::Status added = deps_.index->AddPacks(session_.id, packs, now, now + limits_.session_ttl);
  if (absl::IsFailedPrecondition(added)) {
    return absl::AbortedError("the session was finished by another stream");
  }
  if (added.ok()) pack_changes_ += packs.size();
  return added;
}

void SessionWriter::Forget(const std::vector<PackEntry>& entries) {
  for (const PackEntry& entry : entries) {
    ledger_.Remove(entry.region, entry.chunk);
    lacking_ += entry.raw_size;
  }
}

void SessionWriter::GiveBack() {
  deps_.budget->Give(memory_bytes_);
  memory_bytes_ = 0;
}

}  // namespace corefleet
