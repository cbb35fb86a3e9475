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

std::string Where(const ReceivedChunk& chunk) {
  return absl::StrCat("region ", chunk.region, " chunk ", chunk.chunk);
}

uint64_t RawBytesOf(const PackInPieces& pack) {
  uint64_t bytes = 0;
  for (const PackEntry& entry : pack.entries) bytes += entry.raw_size;
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
  held_bytes_ += entry.stored_size;
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
  if (held_bytes_ == 0) return false;
  return overfull() || held_bytes_ >= deps_.budget->PartOf(pack_bytes(), held_bytes_);
}

bool SessionWriter::overfull() const { return held_.size() >= kMaxHeldChunks || held_bytes_ >= pack_bytes(); }

uint64_t SessionWriter::pack_bytes() const {
  // The rest of a crash waits for its end instead of costing a sync and a commit of its own.
  const uint64_t rest = limits_.flush_bytes / kRest;
  return limits_.flush_bytes + (lacking_ <= rest ? rest : 0);
}

absl::Status SessionWriter::Flush() {
  return FlushWith([this](const StoredPack& pack) { return AddPack(pack); });
}

absl::StatusOr<bool> SessionWriter::FlushAndFinish(const CrashId& fresh) {
  if (builder_.empty() || !session_.crash.empty() || !Whole()) {
    RETURN_IF_ERROR(Flush());
    return false;
  }
  bool finished = false;
  RETURN_IF_ERROR(FlushWith([&](const StoredPack& pack) {
    const absl::Status status =
        deps_.index->FinishWithPack(session_.id, pack_changes_, pack, fresh, BytesWith(pack.ref));
    finished = status.ok();
    return absl::IsFailedPrecondition(status) ? AddPack(pack) : status;
  }));
  return finished;
}

bool SessionWriter::Whole() const {
  return MissingOf(ledger_, session_.manifest, session_.terms.want).empty() &&
         ledger_.CheckRoots(session_.manifest).ok();
}

CrashBytes SessionWriter::BytesWith(const PackRef& last) const {
  CrashBytes bytes = BytesOfCrash(session_.manifest, ledger_);
  bytes.stored = stored_bytes_ + last.size;
  return bytes;
}

absl::Status SessionWriter::FlushWith(absl::FunctionRef<absl::Status(const StoredPack&)> record) {
  if (builder_.empty()) return absl::OkStatus();
  const PackInPieces pack = builder_.BuildInPieces(session_.id.value());
  const absl::Status status = Store(pack, record);
  GiveBack();
  if (status.ok()) {
    for (const auto& [region, chunk] : held_) AppendChunk(&acks_, region, chunk);
  } else {
    Forget(pack.entries);
  }
  held_.clear();
  return status;
}

absl::Status SessionWriter::Store(const PackInPieces& pack,
                                  absl::FunctionRef<absl::Status(const StoredPack&)> record) {
  const absl::Time start = deps_.clock->Now();
  // Durable first: a row must never point at bytes that a power cut can take.
  ASSIGN_OR_RETURN(const PackRef ref, deps_.store->PutPieces(pack.pieces()));
  RETURN_IF_ERROR(record({.ref = ref, .entries = pack.entries}));
  stored_bytes_ += ref.size;
  const absl::Time end = deps_.clock->Now();
  deps_.metrics->PackWritten(ref.size, end - start);
  if (deps_.in_flight != nullptr) {
    deps_.in_flight->Took(ServerPart::kStore, end - start, end);
    deps_.in_flight->Brought(session_.id, RawBytesOf(pack), end);
  }
  return absl::OkStatus();
}

absl::Status SessionWriter::AddPack(const StoredPack& pack) {
  const absl::Time now = deps_.clock->Now();
  const absl::Status added = deps_.index->AddPack(session_.id, pack, now, now + limits_.session_ttl);
  if (absl::IsFailedPrecondition(added)) {
    return absl::AbortedError("the session was finished by another stream");
  }
  if (added.ok()) ++pack_changes_;
  return added;
}

void SessionWriter::Forget(const std::vector<PackEntry>& entries) {
  for (const PackEntry& entry : entries) {
    ledger_.Remove(entry.region, entry.chunk);
    lacking_ += entry.raw_size;
  }
}

void SessionWriter::GiveBack() {
  deps_.budget->Give(held_bytes_);
  held_bytes_ = 0;
}

}  // namespace corefleet
