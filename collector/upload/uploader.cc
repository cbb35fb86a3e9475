#include "collector/upload/uploader.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "collector/upload/announcement.h"
#include "collector/upload/send_window.h"

namespace corefleet {
namespace {

// A region whose root the server never computes as we do is a fault that no repetition cures.
constexpr int kMaxRootMismatches = 3;
constexpr size_t kMaxChunksPerMessage = 256;

// Walks over the chunks of some ranges.
class ChunkCursor {
 public:
  explicit ChunkCursor(const std::vector<ChunkRange>& ranges) : ranges_(ranges) { SkipEmpty(); }
  bool done() const { return range_ == ranges_.size(); }
  uint32_t region() const { return ranges_[range_].region; }
  uint64_t chunk() const { return ranges_[range_].first + offset_; }
  void Advance() {
    ++offset_;
    SkipEmpty();
  }

 private:
  void SkipEmpty() {
    while (!done() && offset_ >= ranges_[range_].count) {
      ++range_;
      offset_ = 0;
    }
  }

  const std::vector<ChunkRange>& ranges_;
  size_t range_ = 0;
  uint64_t offset_ = 0;
};

// One crash on its way.
class Journey {
 public:
  Journey(const Uploader::Options& options, const Uploader::Dependencies& dependencies,
          Announcement announcement)
      : options_(options),
        deps_(dependencies),
        announcement_(std::move(announcement)),
        backoff_(options.retry, dependencies.clock, dependencies.random),
        total_bytes_(RawBytes(announcement_.manifest())) {}

  UploadResult Run() {
    while (!result_) {
      const absl::Status status = Attempt();
      if (!result_) Recover(status);
    }
    return *std::move(result_);
  }

 private:
  // One try to get to the end from wherever the server says we are. Not OK: it broke. Else result_ is set.
  absl::Status Attempt() {
    RETURN_IF_ERROR(LearnWhatIsMissing());
    if (progress_.complete) {
      // If we asked to finish before, its answer was lost on the way and the crash is ours.
      Stored(progress_.crash, /*before=*/!finish_tried_);
      return absl::OkStatus();
    }
    if (!progress_.missing.empty()) RETURN_IF_ERROR(SendMissing());
    if (result_) return absl::OkStatus();
    return Finish();
  }

  absl::Status LearnWhatIsMissing() {
    if (session_.empty()) {
      absl::StatusOr<BegunSession> begun =
          deps_.client->Begin(options_.device, announcement_.manifest(), options_.note);
      RETURN_IF_ERROR(Heard(begun.status()));
      session_ = begun->session;
      max_inflight_bytes_ = begun->max_inflight_bytes;
      progress_ = std::move(begun->progress);
    } else {
      absl::StatusOr<SessionProgress> progress = deps_.client->Progress(session_);
      RETURN_IF_ERROR(Heard(progress.status()));
      progress_ = *std::move(progress);
    }
    ShowMissing();
    return absl::OkStatus();
  }

  absl::Status SendMissing() {
    SendWindow window(max_inflight_bytes_, broken_before_);
    std::unique_ptr<ChunkStream> stream = deps_.client->PutChunks(session_);
    ChunkCursor cursor(progress_.missing);
    bool whole = true;
    while (whole && !cursor.done() && !result_) whole = SendMessage(&cursor, &window, stream.get());
    if (result_) return absl::OkStatus();  // The files changed; destroying the stream cuts it.
    if (whole) {
      stream->HalfClose();
      while (TakeAck(&window, stream.get())) {
      }
    }
    const absl::Status status = Heard(stream->Close());
    broken_before_ = broken_before_ || !status.ok() || !window.idle();
    if (status.ok() && !window.idle()) {
      return absl::UnavailableError("the server ended the stream before it acknowledged everything");
    }
    return status;
  }

  // False when the stream broke.
  bool SendMessage(ChunkCursor* cursor, SendWindow* window, ChunkStream* stream) {
    const std::vector<OutgoingChunk> chunks = ReadChunks(cursor, window->message_bytes());
    if (result_) return false;
    if (!stream->Send(chunks, window->Sending(chunks) || cursor->done())) return false;
    while (window->full() && !window->idle()) {
      if (!TakeAck(window, stream)) return false;
    }
    return true;
  }

  // At least one chunk, and as many as fit into `bytes`.
  std::vector<OutgoingChunk> ReadChunks(ChunkCursor* cursor, uint64_t bytes) {
    std::vector<OutgoingChunk> chunks;
    uint64_t taken = 0;
    while (!cursor->done() && chunks.size() < kMaxChunksPerMessage) {
      // Room for a whole chunk, so that what was read and encoded never has to wait for the next message.
      if (!chunks.empty() && taken + kChunkBytes > bytes) break;
      absl::StatusOr<OutgoingChunk> chunk = announcement_.Read(cursor->region(), cursor->chunk());
      if (!chunk.ok()) {
        CannotRead(chunk.status());
        break;
      }
      taken += WindowCost(*chunk);
      chunks.push_back(*std::move(chunk));
      cursor->Advance();
    }
    return chunks;
  }

  bool TakeAck(SendWindow* window, ChunkStream* stream) {
    std::vector<ChunkRange> durable;
    if (!stream->ReadAck(&durable)) return false;
    const uint64_t raw_bytes = window->Acknowledged(durable);
    if (raw_bytes > 0) backoff_.Progressed();
    durable_bytes_ = std::min(total_bytes_, durable_bytes_ + raw_bytes);
    Show();
    return true;
  }

  absl::Status Finish() {
    const bool tried_before = std::exchange(finish_tried_, true);
    const absl::StatusOr<StoredReceipt> receipt = deps_.client->Finish(session_);
    RETURN_IF_ERROR(Heard(receipt.status()).ok() ? absl::OkStatus() : FinishFailed(receipt.status()));
    Stored(receipt->crash, receipt->already_stored && !tried_before);
    return absl::OkStatus();
  }

  absl::Status FinishFailed(const absl::Status& status) {
    if (absl::IsDataLoss(status) && ++root_mismatches_ >= kMaxRootMismatches) {
      result_ = UploadResult{UploadOutcome::kRefused, "", std::string(status.message())};
    }
    return status;
  }

  // Decides what follows a break, and waits.
  void Recover(const absl::Status& status) {
    switch (RemedyFor(status.code())) {
      case Remedy::kGiveUp:
        result_ = UploadResult{UploadOutcome::kRefused, "", std::string(status.message())};
        return;
      case Remedy::kBeginAgain:
        session_ = SessionId();
        break;
      case Remedy::kResume:
        break;
    }
    if (deps_.on_retry) deps_.on_retry(status);
    if (backoff_.Wait()) return;
    result_ =
        UploadResult{UploadOutcome::kUnreachable, "",
                     backoff_.reached() ? absl::StrCat("the server stopped answering: ", status.message())
                                        : std::string(status.message())};
  }

  absl::Status Heard(const absl::Status& status) {
    if (status.ok() || !SoundsUnreached(status.code())) backoff_.Reached();
    return status;
  }

  void CannotRead(const absl::Status& status) {
    // OUT_OF_RANGE is the server asking for what there is not; everything else is the files' doing.
    const bool refused = absl::IsOutOfRange(status);
    result_ = UploadResult{refused ? UploadOutcome::kRefused : UploadOutcome::kChanged, "",
                           std::string(status.message())};
    // What was announced will never be complete. If the server cannot hear this, the session expires by
    // itself.
    deps_.client->Abandon(session_).IgnoreError();
  }

  void Stored(const std::string& crash, bool before) {
    durable_bytes_ = total_bytes_;
    Show();
    result_ = UploadResult{before ? UploadOutcome::kAlreadyStored : UploadOutcome::kStored, crash, ""};
  }

  void ShowMissing() {
    uint64_t missing = 0;
    const std::vector<ManifestRegion>& regions = announcement_.manifest().regions;
    for (const ChunkRange& range : progress_.missing) {
      if (range.region >= regions.size()) continue;
      const uint64_t count = std::min(range.count, ChunkCount(regions[range.region].size));
      missing += std::min(count * kChunkBytes, regions[range.region].size);
    }
    durable_bytes_ = total_bytes_ - std::min(total_bytes_, missing);
    Show();
  }

  void Show() {
    if (deps_.on_progress) deps_.on_progress({.durable_bytes = durable_bytes_, .total_bytes = total_bytes_});
  }

  const Uploader::Options& options_;
  const Uploader::Dependencies& deps_;
  Announcement announcement_;
  Backoff backoff_;
  const uint64_t total_bytes_;
  uint64_t durable_bytes_ = 0;

  SessionId session_;
  uint64_t max_inflight_bytes_ = 0;
  SessionProgress progress_;
  bool broken_before_ = false;
  bool finish_tried_ = false;
  int root_mismatches_ = 0;
  std::optional<UploadResult> result_;
};

}  // namespace

Uploader::Uploader(Options options, Dependencies dependencies)
    : options_(std::move(options)), dependencies_(std::move(dependencies)) {}

UploadResult Uploader::Upload(const RegionSet& set) {
  absl::StatusOr<Announcement> announcement = Announcement::Of(set);
  if (!announcement.ok()) {
    const bool changing = absl::IsUnavailable(announcement.status());
    return {changing ? UploadOutcome::kChanged : UploadOutcome::kRefused, "",
            std::string(announcement.status().message())};
  }
  return Journey(options_, dependencies_, *std::move(announcement)).Run();
}

absl::string_view OutcomeName(UploadOutcome outcome) {
  switch (outcome) {
    case UploadOutcome::kStored:
      return "STORED";
    case UploadOutcome::kAlreadyStored:
      return "ALREADY_STORED";
    default:
      return "REFUSED";
  }
}

}  // namespace corefleet
