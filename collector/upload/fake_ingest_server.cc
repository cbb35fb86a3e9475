#include "collector/upload/fake_ingest_server.h"

#include <optional>

#include "core/bytes/byte_view.h"

namespace corefleet {
namespace {

constexpr char kSession[] = "0123456789abcdef0123456789abcdef";
constexpr char kCrash[] = "fedcba9876543210fedcba9876543210";

absl::Status Next(std::deque<absl::Status>* faults) {
  if (faults->empty()) return absl::OkStatus();
  absl::Status status = faults->front();
  faults->pop_front();
  return status;
}

}  // namespace

class FakeChunkStream final : public ChunkStream {
 public:
  explicit FakeChunkStream(FakeIngestServer* server) : server_(server) {
    if (!server->stream_faults.empty()) {
      fault_ = server->stream_faults.front();
      server->stream_faults.pop_front();
    } else if (server->cut_every > 0) {
      fault_ = FakeIngestServer::StreamFault{server->cut_every, absl::UnavailableError("cut")};
    }
  }

  bool Send(const std::vector<OutgoingChunk>& chunks, Ask ask) override {
    if (!status_.ok()) return false;
    ++server_->messages_received;
    for (const OutgoingChunk& chunk : chunks) {
      if (fault_ && fault_->chunks-- == 0) return Break(fault_->status);
      if (!Take(chunk)) return false;
    }
    if (ask != Ask::kNothing) MakeDurable();
    finish_asked_ = ask == Ask::kFinish;
    return true;
  }

  bool ReadAck(std::vector<ChunkRange>* durable) override {
    if (!status_.ok() || acks_.empty()) return false;
    durable->swap(acks_);
    acks_.clear();
    return true;
  }

  void HalfClose() override {
    if (!status_.ok()) return;
    if (fault_ && fault_->chunks == 0) {
      Break(fault_->status);
    } else {
      MakeDurable();
      FinishIfAsked();
    }
  }

  absl::Status Close() override { return status_; }
  std::optional<StoredReceipt> finished() const override { return receipt_; }

 private:
  bool Break(const absl::Status& status) {
    status_ = status;
    return false;
  }

  void FinishIfAsked() {
    if (!finish_asked_ || !server_->finishes_in_stream || !server_->finish_faults.empty()) return;
    const int calls = server_->finishes;
    if (absl::StatusOr<StoredReceipt> done = server_->Finish(SessionId(kSession)); done.ok())
      receipt_ = *done;
    server_->finishes = calls;
  }

  bool Take(const OutgoingChunk& chunk) {
    ++server_->chunks_received;
    absl::StatusOr<std::vector<uint8_t>> raw =
        DecodeChunk(chunk.encoded.encoding, BytesOf(chunk.encoded.bytes), chunk.raw_size, chunk.sha256);
    if (!raw.ok()) return Break(raw.status());
    inflight_bytes_ += chunk.encoded.bytes.size();
    if (inflight_bytes_ > server_->max_inflight_bytes + (1 << 20))
      return Break(absl::InvalidArgumentError("window"));
    held_[{chunk.region, chunk.chunk}] = *std::move(raw);
    return true;
  }

  void MakeDurable() {
    for (auto& [place, raw] : held_) {
      acks_.push_back({place.first, place.second, 1});
      server_->durable[place] = std::move(raw);
    }
    held_.clear();
    inflight_bytes_ = 0;
  }

  FakeIngestServer* server_;
  std::optional<FakeIngestServer::StreamFault> fault_;
  absl::Status status_;
  std::map<std::pair<uint32_t, uint64_t>, std::vector<uint8_t>> held_;
  std::vector<ChunkRange> acks_;
  uint64_t inflight_bytes_ = 0;
  bool finish_asked_ = false;
  std::optional<StoredReceipt> receipt_;
};

std::vector<ChunkRange> FakeIngestServer::Missing() const {
  std::vector<ChunkRange> missing;
  const uint32_t from = want == Want::kLogOnly ? manifest.regions.size() - 1 : 0;
  for (uint32_t region = from; region < manifest.regions.size(); ++region) {
    for (uint64_t chunk = 0; chunk < ChunkCount(manifest.regions[region].size); ++chunk) {
      if (durable.count({region, chunk})) continue;
      if (!missing.empty() && missing.back().region == region &&
          missing.back().first + missing.back().count == chunk) {
        ++missing.back().count;
      } else {
        missing.push_back({region, chunk, 1});
      }
    }
  }
  return missing;
}

absl::StatusOr<BegunSession> FakeIngestServer::Begin(const Introduction& crash) {
  ++begins;
  if (absl::Status fault = Next(&begin_faults); !fault.ok()) return fault;
  if (manifest != crash.manifest) {
    durable.clear();
    crash_stored = false;
  }
  manifest = crash.manifest;
  note = crash.note;
  clues = crash.clues;
  account = crash.account;
  session_open_ = true;
  // A crash that was stored in part is open again as soon as more of it is wanted.
  if (!Missing().empty()) crash_stored = false;
  return BegunSession{.session = SessionId(kSession),
                      .progress = {.complete = crash_stored,
                                   .crash = crash_stored ? kCrash : "",
                                   .missing = crash_stored ? std::vector<ChunkRange>{} : Missing()},
                      .max_inflight_bytes = max_inflight_bytes,
                      .want = crash_stored && want == Want::kAll ? Want::kNone : want,
                      .ask_again = ask_again};
}

absl::StatusOr<SessionProgress> FakeIngestServer::Progress(const SessionId& session) {
  const absl::Status fault = Next(&progress_faults);
  if (absl::IsNotFound(fault)) {  // Expired, with everything it had.
    session_open_ = false;
    durable.clear();
  }
  if (!fault.ok()) return fault;
  if (!session_open_ || session.value() != kSession) return absl::NotFoundError("no such session");
  return SessionProgress{.complete = crash_stored,
                         .crash = crash_stored ? kCrash : "",
                         .missing = crash_stored ? std::vector<ChunkRange>{} : Missing()};
}

std::unique_ptr<ChunkStream> FakeIngestServer::PutChunks(const SessionId& session) {
  return std::make_unique<FakeChunkStream>(this);
}

absl::StatusOr<StoredReceipt> FakeIngestServer::Finish(const SessionId& session) {
  ++finishes;
  const absl::Status fault = Next(&finish_faults);
  if (absl::IsDataLoss(fault)) durable.clear();
  if (!fault.ok()) return fault;
  if (!session_open_) return absl::NotFoundError("no such session");
  if (!Missing().empty()) return absl::FailedPreconditionError("chunks are missing");
  const bool before = std::exchange(crash_stored, true);
  if (lost_finish_answers-- > 0) return absl::UnavailableError("the answer was lost");
  return StoredReceipt{.crash = kCrash, .already_stored = before};
}

absl::Status FakeIngestServer::Abandon(const SessionId& session) {
  abandoned = true;
  session_open_ = false;
  return absl::OkStatus();
}

std::string FakeIngestServer::RegionBytes(uint32_t region) const {
  std::string bytes;
  for (const auto& [place, raw] : durable) {
    if (place.first == region) bytes.append(raw.begin(), raw.end());
  }
  return bytes;
}

}  // namespace corefleet
