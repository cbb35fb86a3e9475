#include "collector/upload/uploader.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "collector/upload/announcement.h"
#include "collector/upload/chunk_cursor.h"
#include "collector/upload/connection_life.h"
#include "collector/upload/send_window.h"

namespace corefleet {
namespace {

// A region whose root the server never computes as we do is a fault that no repetition cures.
constexpr int kMaxRootMismatches = 3;
constexpr size_t kMaxChunksPerMessage = 256;

// One crash on its way.
class Journey {
 public:
  Journey(const Uploader::Options& options, const Uploader::Dependencies& dependencies, OutgoingCrash* crash)
      : options_(options),
        deps_(dependencies),
        crash_(crash),
        backoff_(options.retry, dependencies.clock, dependencies.random),
        total_bytes_(RawBytes(crash->manifest())) {}

  UploadResult Run() {
    while (!result_) {
      const absl::Status status = Attempt();
      if (!result_) Recover(status);
    }
    result_->want = want_;
    result_->rule = rule_;
    result_->weight = weight_;
    result_->progressed = progressed_;
    return *std::move(result_);
  }

 private:
  // One try to get to the end from wherever the server says we are. Not OK: it broke. Else result_ is set.
  absl::Status Attempt() {
    if (!MaySend(0)) return absl::OkStatus();
    RETURN_IF_ERROR(LearnWhatIsMissing());
    if (progress_.complete) {
      // If we asked to finish before, its answer was lost on the way and the crash is ours.
      Stored(progress_.crash, /*before=*/!finish_tried_);
      return absl::OkStatus();
    }
    if (!MaySend(0)) return absl::OkStatus();
    if (!progress_.missing.empty()) RETURN_IF_ERROR(SendMissing());
    if (result_) return absl::OkStatus();
    return Finish();
  }

  // False when the upload is to end here, with result_ set.
  bool MaySend(uint64_t bytes) {
    if (!deps_.may_send) return true;
    if (absl::Status verdict = deps_.may_send(bytes, want_); !verdict.ok()) {
      End(UploadOutcome::kStopped, std::move(verdict));
      return false;
    }
    return true;
  }

  void End(UploadOutcome outcome, absl::Status status) {
    const std::string reason(status.message());
    result_ = UploadResult{.outcome = outcome, .reason = reason, .status = std::move(status)};
  }

  absl::Status LearnWhatIsMissing() {
    if (session_.empty()) {
      absl::StatusOr<BegunSession> begun = deps_.client->Begin({.device = options_.device,
                                                                .manifest = crash_->manifest(),
                                                                .note = options_.note,
                                                                .clues = crash_->clues(),
                                                                .account = options_.account});
      RETURN_IF_ERROR(Heard(begun.status()));
      session_ = begun->session;
      max_inflight_bytes_ = begun->max_inflight_bytes;
      want_ = begun->want;
      rule_ = begun->rule;
      weight_ = begun->weight;
      ask_again_ = begun->ask_again;
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
    ChunkCursor cursor(progress_.missing);
    for (;;) {
      RETURN_IF_ERROR(SendOverOneConnection(&cursor));
      if (result_ || cursor.done()) return absl::OkStatus();
      // Ended on purpose, a little before this link would have broken.
      life_.EndedOnPurpose();
      deps_.client->Reconnect();
    }
  }

  absl::Status SendOverOneConnection(ChunkCursor* cursor) {
    SendWindow window(max_inflight_bytes_, options_.max_window_bytes, broken_before_);
    std::unique_ptr<ChunkStream> stream = deps_.client->PutChunks(session_);
    stream_began_ = deps_.clock->Now();
    bool whole = true;
    while (whole && !cursor->done() && !result_ && window.fits(life_.allowance())) {
      whole = SendMessage(cursor, &window, stream.get());
    }
    const bool stopped = result_ && result_->outcome == UploadOutcome::kStopped;
    if (result_ && !stopped) return absl::OkStatus();  // The files changed; destroying the stream cuts it.
    if (whole || stopped) {
      // Who was stopped, too, waits for what is on its way: it need not travel again.
      stream->HalfClose();
      while (TakeAck(&window, stream.get())) {
      }
    }
    const absl::Status status = Heard(stream->Close());
    if (stopped) return absl::OkStatus();
    if (const std::optional<StoredReceipt> receipt = stream->finished(); receipt && status.ok()) {
      Stored(receipt->crash, /*before=*/false);
      return absl::OkStatus();
    }
    if (status.ok() && window.idle()) return absl::OkStatus();
    broken_before_ = true;
    if (SoundsUnreached(status.code())) life_.Broke(window.acknowledged_bytes());
    return status.ok()
               ? absl::UnavailableError("the server ended the stream before it acknowledged everything")
               : status;
  }

  // False when the stream broke.
  bool SendMessage(ChunkCursor* cursor, SendWindow* window, ChunkStream* stream) {
    const std::vector<OutgoingChunk> chunks = ReadChunks(cursor, window->message_bytes());
    if (result_ || !MaySend(EncodedBytes(chunks))) return false;
    Ask ask = window->Sending(chunks) ? Ask::kFlush : Ask::kNothing;
    if (cursor->done()) {
      ask = Ask::kFinish;
      finish_tried_ = true;
    }
    if (!stream->Send(chunks, ask)) return false;
    window->Left(deps_.clock->Now() - stream_began_);
    while (window->full() && !window->idle()) {
      if (!TakeAck(window, stream)) return false;
    }
    return true;
  }

  static uint64_t EncodedBytes(const std::vector<OutgoingChunk>& chunks) {
    uint64_t bytes = 0;
    for (const OutgoingChunk& chunk : chunks) bytes += chunk.encoded.bytes.size();
    return bytes;
  }

  // At least one chunk, and as many as fit into `bytes`.
  std::vector<OutgoingChunk> ReadChunks(ChunkCursor* cursor, uint64_t bytes) {
    std::vector<OutgoingChunk> chunks;
    uint64_t taken = 0;
    while (!cursor->done() && chunks.size() < kMaxChunksPerMessage) {
      // Room for a whole chunk, so that what was read and encoded never has to wait for the next message.
      if (!chunks.empty() && taken + kChunkBytes > bytes) break;
      absl::StatusOr<OutgoingChunk> chunk = crash_->Read(cursor->region(), cursor->chunk());
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
    if (raw_bytes > 0) {
      backoff_.Progressed();
      progressed_ = true;
    }
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
      End(UploadOutcome::kRefused, status);
    }
    return status;
  }

  // Decides what follows a break, and waits.
  void Recover(const absl::Status& status) {
    switch (RemedyFor(status.code())) {
      case Remedy::kGiveUp:
        End(UploadOutcome::kRefused, status);
        return;
      case Remedy::kBeginAgain:
        session_ = SessionId();
        break;
      case Remedy::kResume:
        break;
    }
    if (deps_.on_retry) deps_.on_retry(status);
    const Refusal refusal = RefusalOf(status);
    const bool may_wait = !refusal.not_before_next_boot && (options_.retry.retry_begin || !session_.empty());
    if (may_wait && backoff_.Wait(refusal.wait)) return;
    End(UploadOutcome::kUnreachable, status);
    if (backoff_.reached())
      result_->reason = absl::StrCat("the server stopped answering: ", status.message());
    if (!refusal.reason.empty())
      result_->reason = absl::StrCat("not now (", refusal.reason, "): ", status.message());
  }

  absl::Status Heard(const absl::Status& status) {
    if (status.ok() || !SoundsUnreached(status.code())) backoff_.Reached();
    return status;
  }

  void CannotRead(const absl::Status& status) {
    // OUT_OF_RANGE is the server asking for what there is not; everything else is the files' doing.
    End(absl::IsOutOfRange(status) ? UploadOutcome::kRefused : UploadOutcome::kChanged, status);
    // What was announced will never be complete. If the server cannot hear this, the session expires by
    // itself.
    deps_.client->Abandon(session_).IgnoreError();
  }

  void Stored(const std::string& crash, bool before) {
    if (want_ == Want::kLogOnly) {
      result_ =
          UploadResult{.outcome = UploadOutcome::kStoredInPart, .crash = crash, .ask_again = ask_again_};
      return;
    }
    durable_bytes_ = total_bytes_;
    Show();
    result_ = UploadResult{.outcome = before ? UploadOutcome::kAlreadyStored : UploadOutcome::kStored,
                           .crash = crash};
  }

  void ShowMissing() {
    uint64_t missing = 0;
    const std::vector<ManifestRegion>& regions = crash_->manifest().regions;
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
  OutgoingCrash* crash_;
  Backoff backoff_;
  const uint64_t total_bytes_;
  uint64_t durable_bytes_ = 0;

  SessionId session_;
  uint64_t max_inflight_bytes_ = 0;
  SessionProgress progress_;
  Want want_ = Want::kAll;
  std::string rule_;
  uint32_t weight_ = 1;
  absl::Duration ask_again_ = absl::ZeroDuration();
  bool progressed_ = false;
  absl::Time stream_began_;
  bool broken_before_ = false;
  bool finish_tried_ = false;
  ConnectionLife life_;
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
    return {.outcome = changing ? UploadOutcome::kChanged : UploadOutcome::kRefused,
            .reason = std::string(announcement.status().message()),
            .status = announcement.status()};
  }
  return Upload(*announcement);
}

UploadResult Uploader::Upload(OutgoingCrash& crash) { return Journey(options_, dependencies_, &crash).Run(); }

absl::string_view OutcomeName(UploadOutcome outcome) {
  switch (outcome) {
    case UploadOutcome::kStored:
    case UploadOutcome::kStoredInPart:
      return "STORED";
    case UploadOutcome::kAlreadyStored:
      return "ALREADY_STORED";
    default:
      return "REFUSED";
  }
}

}  // namespace corefleet
