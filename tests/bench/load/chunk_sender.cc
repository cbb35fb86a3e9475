#include "tests/bench/load/chunk_sender.h"

#include <grpcpp/impl/codegen/proto_utils.h>

#include <algorithm>

namespace corefleet {
namespace {

constexpr uint64_t kMessageBytes = 256 << 10;
// A chunk that does not compress.
constexpr uint64_t kFirstMessageBytes = 64 << 10;
constexpr uint64_t kMaxWindowBytes = 8 << 20;
constexpr uint64_t kMinWindowBytes = 256 << 10;
// Of what a careful stream has brought over, the part that a message may put at risk, as in the collector.
constexpr uint64_t kRiskedPart = 16;

// Fields 1, 3 and 4 of PutChunksRequest.
constexpr char kSessionTag = 0x0a;
constexpr absl::string_view kFlush("\x18\x01", 2);
constexpr absl::string_view kFlushAndFinish("\x18\x01\x20\x01", 4);

grpc::Slice Constant(absl::string_view bytes) {
  return grpc::Slice(bytes.data(), bytes.size(), grpc::Slice::STATIC_SLICE);
}

// Session ids are 32 digits; one byte holds the length of anything below 128.
std::string SessionField(const std::string& session) {
  std::string field(1, kSessionTag);
  field += static_cast<char>(session.size());
  return field + session;
}

std::unique_ptr<grpc::ClientContext> MakeContext(const SendingHabits& habits, Clock* clock) {
  auto context = std::make_unique<grpc::ClientContext>();
  context->set_deadline(absl::ToChronoTime(clock->Now() + habits.stall_timeout));
  return context;
}

}  // namespace

ChunkProgress::ChunkProgress(const StampedCrash& crash)
    : crash_(crash), state_(crash.body->fields().size() + 1, kMissing) {}

size_t ChunkProgress::IndexOf(uint32_t region, uint64_t chunk) const {
  if (region > crash_.body->stamp_region()) return state_.size();
  return std::min<uint64_t>(crash_.body->first_field(region) + chunk, state_.size());
}

uint64_t ChunkProgress::SizeOf(size_t index) const {
  const std::vector<CrashBody::Field>& fields = crash_.body->fields();
  return index < fields.size() ? fields[index].size : crash_.stamp_field.size();
}

void ChunkProgress::SetMissing(const google::protobuf::RepeatedPtrField<v1::ChunkRange>& missing) {
  std::fill(state_.begin(), state_.end(), kDurable);
  durable_ = state_.size();
  for (const v1::ChunkRange& range : missing) {
    const size_t first = IndexOf(range.region(), range.first());
    const size_t end = std::min<uint64_t>(first + range.count(), state_.size());
    for (size_t i = first; i < end; ++i) {
      if (state_[i] == kDurable) --durable_;
      state_[i] = kMissing;
    }
  }
}

uint64_t ChunkProgress::Acknowledge(const v1::ChunkRange& range) {
  uint64_t bytes = 0;
  const size_t first = IndexOf(range.region(), range.first());
  const size_t end = std::min<uint64_t>(first + range.count(), state_.size());
  for (size_t i = first; i < end; ++i) {
    if (state_[i] == kDurable) continue;
    state_[i] = kDurable;
    ++durable_;
    bytes += SizeOf(i);
  }
  return bytes;
}

ChunkSender::ChunkSender(grpc::Channel* channel, const StampedCrash& crash, const std::string& session,
                         uint64_t max_inflight_bytes, const SendingHabits& habits, bool careful, Clock* clock,
                         OnAck on_ack)
    : crash_(crash),
      session_(session),
      window_bytes_(std::clamp(max_inflight_bytes, kMinWindowBytes, kMaxWindowBytes)),
      habits_(habits),
      careful_(careful),
      clock_(clock),
      on_ack_(std::move(on_ack)),
      context_(MakeContext(habits, clock)),
      stream_(grpc::internal::ClientReaderWriterFactory<grpc::ByteBuffer, grpc::ByteBuffer>::Create(
          channel,
          grpc::internal::RpcMethod("/corefleet.v1.CrashIngest/PutChunks",
                                    grpc::internal::RpcMethod::BIDI_STREAMING),
          context_.get())),
      began_(clock->Now()) {}

grpc::Status ChunkSender::Send(ChunkProgress* progress, v1::FinishCrashResponse* finished) {
  progress_ = progress;
  finished_ = finished;
  if (SendAll()) stream_->WritesDone();
  while (ReadAnswer()) {
  }
  return stream_->Finish();
}

bool ChunkSender::SendAll() {
  const size_t end = progress_->state_.size();
  while (next_ < end) {
    if (progress_->state_[next_] != ChunkProgress::kMissing) {
      ++next_;
      continue;
    }
    if (!SendMessage()) return false;
    if (Cut()) return false;
    while (next_ < end && MustWait()) {
      if (!ReadAnswer()) return false;
    }
  }
  return true;
}

bool ChunkSender::MustWait() const {
  // On a link that broke before, what one more break can cost stays a part of what this stream has brought
  // over.
  const uint64_t window =
      careful_ ? std::min(acknowledged_bytes_ / kRiskedPart, window_bytes_) : window_bytes_;
  return inflight_bytes_ > 0 && inflight_bytes_ + message_bytes() > window;
}

uint64_t ChunkSender::message_bytes() const {
  const uint64_t most = std::min(kMessageBytes, window_bytes_ / 4);
  if (careful_) return std::min(most, acknowledged_bytes_ / kRiskedPart);
  return std::min(most, std::max(second_bytes_, kFirstMessageBytes));
}

bool ChunkSender::SendMessage() {
  std::vector<grpc::Slice> slices;
  if (!named_session_) slices.emplace_back(SessionField(session_));
  named_session_ = true;
  const uint64_t bytes = Gather(&slices);
  inflight_bytes_ += bytes;
  unflushed_bytes_ += bytes;
  stream_bytes_ += bytes;
  progress_->sent_bytes += bytes;
  // As the agent's last message does, the one with the last chunks asks for them, and for the crash's end.
  if (next_ == progress_->state_.size()) {
    slices.push_back(Constant(habits_.finish_in_stream ? kFlushAndFinish : kFlush));
  } else if (careful_ || unflushed_bytes_ >= window_bytes_ / 2) {
    slices.push_back(Constant(kFlush));
    unflushed_bytes_ = 0;
  }
  if (!stream_->Write(grpc::ByteBuffer(slices.data(), slices.size()))) return false;
  KeepRate(bytes);
  // As the collector does: what the link carries in a second, and never more than it has carried so far.
  const double seconds = std::max(absl::ToDoubleSeconds(clock_->Now() - began_), 1.0);
  second_bytes_ = static_cast<uint64_t>(static_cast<double>(stream_bytes_) / seconds);
  return true;
}

uint64_t ChunkSender::Gather(std::vector<grpc::Slice>* slices) {
  const std::vector<CrashBody::Field>& fields = crash_.body->fields();
  const uint64_t most = message_bytes();
  uint64_t bytes = 0;
  uint64_t run_from = 0;  // the run of neighbours in the body that is not yet a slice
  uint64_t run_bytes = 0;
  const auto end_run = [&] {
    if (run_bytes > 0) slices->push_back(Constant(crash_.body->wire().substr(run_from, run_bytes)));
    run_bytes = 0;
  };
  for (; next_ < progress_->state_.size(); ++next_) {
    if (progress_->state_[next_] != ChunkProgress::kMissing) continue;
    const uint64_t size = progress_->SizeOf(next_);
    if (bytes > 0 && bytes + size > most) break;
    bytes += size;
    progress_->state_[next_] = ChunkProgress::kSent;
    if (next_ == fields.size()) {
      end_run();
      slices->emplace_back(crash_.stamp_field);
      continue;
    }
    if (run_bytes > 0 && run_from + run_bytes != fields[next_].offset) end_run();
    if (run_bytes == 0) run_from = fields[next_].offset;
    run_bytes += size;
  }
  end_run();
  return bytes;
}

bool ChunkSender::ReadAnswer() {
  grpc::ByteBuffer bytes;
  if (!stream_->Read(&bytes)) return false;
  v1::PutChunksResponse answer;
  if (!grpc::SerializationTraits<v1::PutChunksResponse>::Deserialize(&bytes, &answer).ok()) return false;
  for (const v1::ChunkRange& range : answer.durable()) {
    const uint64_t acknowledged = progress_->Acknowledge(range);
    inflight_bytes_ -= std::min(inflight_bytes_, acknowledged);
    acknowledged_bytes_ += acknowledged;
    if (on_ack_) on_ack_(range);
  }
  if (answer.has_finished()) *finished_ = answer.finished();
  return true;
}

void ChunkSender::KeepRate(uint64_t bytes) {
  if (habits_.bytes_per_second == 0) return;
  const absl::Duration should_take =
      absl::Seconds(static_cast<double>(stream_bytes_) / static_cast<double>(habits_.bytes_per_second));
  const absl::Duration left = began_ + should_take - clock_->Now();
  if (left > absl::ZeroDuration()) clock_->Sleep(left);
}

bool ChunkSender::Cut() {
  if (habits_.cut_after_bytes == 0 || stream_bytes_ < habits_.cut_after_bytes) return false;
  context_->TryCancel();
  return true;
}

}  // namespace corefleet
