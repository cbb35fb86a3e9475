// The half of DurableSpool that brings a crash in.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "collector/spool/durable_spool.h"
#include "core/bytes/escape.h"

namespace corefleet {
namespace {

// Room is made in steps of this: an entry's size is known only when it is encoded.
constexpr uint64_t kRoomStep = 1 << 20;

std::string PartName(SpoolId id) { return absl::StrFormat("%016x.part", id); }

// Everything of the regions but their roots.
Manifest AnnouncedOf(const RegionSet& set) {
  Manifest manifest;
  for (const Region& region : set.regions) {
    manifest.regions.push_back({.kind = region.kind,
                                .file_name = region.file_name,
                                .name = region.name,
                                .id = region.id,
                                .paddr = region.paddr,
                                .table_size = region.table_size,
                                .size = region.bytes->size()});
  }
  return manifest;
}

// What it takes at most when nothing can be compressed.
uint64_t WorstBytes(const Manifest& manifest) {
  uint64_t chunks = 0;
  for (const ManifestRegion& region : manifest.regions) chunks += ChunkCount(region.size);
  const uint64_t tables = chunks / kRowsPerTable + 1;
  return OnDisk(RawBytes(manifest) + Encode(manifest).size() + TableBytes(chunks) + 12 * tables + 8192);
}

}  // namespace

absl::StatusOr<PutResult> DurableSpool::Put(const RegionSet& regions, const SpoolTags& tags) {
  std::vector<uint8_t> raw(kChunkBytes);
  return Write(AnnouncedOf(regions), tags, [&](EntryWriter* writer, Incoming* incoming) -> absl::Status {
    for (const Region& region : regions.regions) {
      const uint64_t size = region.bytes->size();
      for (uint64_t chunk = 0; chunk < ChunkCount(size); ++chunk) {
        raw.resize(ChunkSize(size, chunk));
        RETURN_IF_ERROR(region.bytes->ReadAt(chunk * kChunkBytes, absl::MakeSpan(raw)));
        RETURN_IF_ERROR(AddChunk(writer, incoming, Sha256Of(ByteView(raw)), EncodeChunk(raw)));
      }
    }
    return absl::OkStatus();
  });
}

absl::StatusOr<PutResult> DurableSpool::PutEncoded(OutgoingCrash& crash, const SpoolTags& tags) {
  return Write(crash.manifest(), tags, [&](EntryWriter* writer, Incoming* incoming) -> absl::Status {
    const std::vector<ManifestRegion>& regions = crash.manifest().regions;
    for (uint32_t region = 0; region < regions.size(); ++region) {
      for (uint64_t chunk = 0; chunk < ChunkCount(regions[region].size); ++chunk) {
        ASSIGN_OR_RETURN(OutgoingChunk read, crash.Read(region, chunk));
        ASSIGN_OR_RETURN(const std::vector<uint8_t> raw,
                         DecodeChunk(read.encoded.encoding, BytesOf(read.encoded.bytes),
                                     ChunkSize(regions[region].size, chunk), read.sha256));
        // A frame can be made to be larger than what is in it.
        if (read.encoded.bytes.size() > raw.size()) read.encoded = EncodeChunk(raw);
        RETURN_IF_ERROR(AddChunk(writer, incoming, read.sha256, read.encoded));
      }
      if (writer->manifest().regions[region].root != regions[region].root)
        return absl::DataLossError(absl::StrCat("region ", region, " is not what it was announced to be"));
    }
    return absl::OkStatus();
  });
}

absl::StatusOr<PutResult> DurableSpool::Write(Manifest manifest, const SpoolTags& tags, Fill fill) {
  RETURN_IF_ERROR(Validate(manifest));
  const uint64_t raw_bytes = RawBytes(manifest);
  if (raw_bytes > limits_.max_crash_bytes) {
    return absl::OutOfRangeError(
        absl::StrCat(raw_bytes, " bytes; the spool takes crashes of up to ", limits_.max_crash_bytes));
  }
  absl::MutexLock put(&put_mutex_);
  Incoming incoming{.tags = CleanTags(tags), .worst = WorstBytes(manifest)};
  const absl::Status begun = Begin(&incoming);
  const absl::StatusOr<PutResult> result =
      begun.ok() ? WriteInto(&incoming, std::move(manifest), fill) : absl::StatusOr<PutResult>(begun);
  absl::MutexLock lock(&mutex_);
  reserved_bytes_ = 0;
  const bool published = result.ok() && result->outcome == PutOutcome::kSpooled;
  if (begun.ok() && !published) folder_->Remove(PartName(incoming.id)).IgnoreError();
  if (!begun.ok() || result.ok()) Noted(begun).IgnoreError();
  return result;
}

absl::Status DurableSpool::Begin(Incoming* incoming) {
  {
    absl::MutexLock lock(&mutex_);
    incoming->id = ledger_->page().next_id++;
  }
  RETURN_IF_ERROR(Reserve(incoming, OnDisk(1), /*files=*/1));
  ASSIGN_OR_RETURN(incoming->file, folder_->Create(PartName(incoming->id)));
  return absl::OkStatus();
}

absl::Status DurableSpool::Reserve(Incoming* incoming, uint64_t bytes, uint64_t files) {
  if (bytes <= incoming->reserved) return absl::OkStatus();
  const uint64_t wanted = OnDisk(std::max(bytes, std::min(bytes + kRoomStep, incoming->worst)));
  if (bytes + 2 * kLedgerSlotBytes > limits_.max_bytes) {
    return absl::OutOfRangeError(
        absl::StrCat("more than the ", limits_.max_bytes, " bytes that the spool may have"));
  }
  const uint64_t more =
      std::min(wanted, std::max(bytes, limits_.max_bytes - 2 * kLedgerSlotBytes)) - incoming->reserved;
  absl::MutexLock lock(&mutex_);
  const Waiting itself{.id = incoming->id,
                       .kind = KindOf(incoming->tags),
                       .priority = incoming->tags.clues.priority,
                       .open = true};
  RETURN_IF_ERROR(MakeRoom(&itself, Mercy::kNone, limits_, more, files));
  incoming->reserved += more;
  reserved_bytes_ = incoming->reserved;
  return absl::OkStatus();
}

absl::Status DurableSpool::AddChunk(EntryWriter* writer, Incoming* incoming, const Sha256Digest& digest,
                                    const EncodedChunk& chunk) {
  RETURN_IF_ERROR(Reserve(incoming, writer->bytes() + chunk.bytes.size() + writer->finish_bytes(), 0));
  return writer->Add(digest, chunk);
}

absl::StatusOr<PutResult> DurableSpool::WriteInto(Incoming* incoming, Manifest manifest, Fill fill) {
  EntryWriter writer(incoming->file.get(), std::move(manifest));
  RETURN_IF_ERROR(fill(&writer, incoming));
  const CrashUid uid = UidOf(writer.manifest());
  if (dependencies_.known && dependencies_.known(uid))
    return PutResult{.outcome = PutOutcome::kAlreadySent, .uid = uid};
  uint64_t put_at = 0;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [id, held] : entries_) {
      if (held.uid == uid && held.tags.device == incoming->tags.device)
        return PutResult{PutOutcome::kAlreadySpooled, id, uid};
    }
    put_at = static_cast<uint64_t>(absl::ToInt64Seconds(Up()));
  }
  RETURN_IF_ERROR(Reserve(incoming, writer.bytes() + writer.finish_bytes(), 0));
  RETURN_IF_ERROR(writer.Finish(incoming->tags, put_at));
  return Publish(*incoming, writer, put_at, uid);
}

absl::StatusOr<PutResult> DurableSpool::Publish(const Incoming& incoming, const EntryWriter& writer,
                                                uint64_t put_at, const CrashUid& uid) {
  absl::MutexLock lock(&mutex_);
  const std::string name = EntryName(incoming.id);
  RETURN_IF_ERROR(folder_->Rename(PartName(incoming.id), name));
  if (const absl::Status synced = folder_->SyncNames(); !synced.ok()) {
    // Should it come back all the same after a power cut, the next Put of this crash finds it.
    folder_->Remove(name).IgnoreError();
    return synced;
  }
  Held held{.tags = incoming.tags, .uid = uid, .put_at = put_at};
  held.state.clues = incoming.tags.clues;
  held.raw_bytes = RawBytes(writer.manifest());
  held.regions = static_cast<uint32_t>(writer.manifest().regions.size());
  held.file_bytes = held.footer_end = held.state_end = writer.bytes();
  entries_.emplace(incoming.id, std::move(held));
  return PutResult{PutOutcome::kSpooled, incoming.id, uid};
}

}  // namespace corefleet
