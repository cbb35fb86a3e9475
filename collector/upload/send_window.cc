#include "collector/upload/send_window.h"

#include <algorithm>

namespace corefleet {
namespace {

// Larger messages gain nothing on loopback and cost a device three copies of themselves.
constexpr uint64_t kMessageBytes = 256 << 10;
// One chunk that does not compress, or many that do.
constexpr uint64_t kFirstMessageBytes = 2 * kChunkBytes - 1;
// A server that states less than this would not let four whole chunks travel at once.
constexpr uint64_t kMinWindowBytes = 4 * kChunkBytes;
constexpr uint64_t kMinCost = 4096;
constexpr uint64_t kFirstFlushBytes = 128 << 10;
// Of what a careful stream has brought over, the part that a message may put at risk.
constexpr uint64_t kRiskedPart = 16;

}  // namespace

uint64_t WindowCost(const OutgoingChunk& chunk) {
  return std::max<uint64_t>(chunk.encoded.bytes.size(), kMinCost);
}

SendWindow::SendWindow(uint64_t servers_most, uint64_t own_most, bool careful)
    : max_inflight_bytes_(std::clamp(std::min(servers_most, own_most), kMinWindowBytes, kMaxWindowBytes)),
      careful_(careful) {}

uint64_t SendWindow::limit() const {
  // Two messages keep a link busy while an acknowledgement is on its way back. But a reset takes along what
  // the server's kernel holds and nobody has read: on a link that is cut every 64 KiB, two chunks at a time
  // from the start would never get one over.
  return careful_ ? std::min(2 * message_bytes(), max_inflight_bytes_) : max_inflight_bytes_;
}

uint64_t SendWindow::message_bytes() const {
  const uint64_t most = std::min(kMessageBytes, max_inflight_bytes_ / 4);
  if (careful_) return std::min(most, acknowledged_bytes_ / kRiskedPart);
  return std::min(most, std::max(second_bytes_, kFirstMessageBytes));
}

bool SendWindow::Sending(const std::vector<OutgoingChunk>& chunks) {
  const uint64_t before = sent_bytes_;
  for (const OutgoingChunk& chunk : chunks) {
    const uint64_t cost = WindowCost(chunk);
    if (!inflight_.try_emplace({chunk.region, chunk.chunk}, InFlight{cost, chunk.raw_size}).second) continue;
    inflight_bytes_ += cost;
    sent_bytes_ += cost;
    unflushed_bytes_ += cost;
  }
  largest_message_ = std::max(largest_message_, sent_bytes_ - before);
  const uint64_t early = std::max(sent_bytes_ / 2, kFirstFlushBytes);
  if (!careful_ && unflushed_bytes_ < std::min(early, max_inflight_bytes_ / 2)) return false;
  unflushed_bytes_ = 0;
  return true;
}

void SendWindow::Left(absl::Duration taken) {
  // Buffers on the way take the first bytes of any link at once: never more than was sent, so it doubles.
  const double seconds = std::max(absl::ToDoubleSeconds(taken), 1.0);
  second_bytes_ = static_cast<uint64_t>(static_cast<double>(sent_bytes_) / seconds);
}

uint64_t SendWindow::Acknowledged(const std::vector<ChunkRange>& durable) {
  uint64_t raw_bytes = 0;
  for (const ChunkRange& range : durable) {
    // A strange server may name any range: never more steps than there are chunks in flight and a few.
    for (uint64_t i = 0; i < range.count && !inflight_.empty(); ++i) {
      const auto entry = inflight_.find({range.region, range.first + i});
      if (entry == inflight_.end()) {
        if (i > kMaxWindowBytes / kMinCost) break;
        continue;
      }
      inflight_bytes_ -= entry->second.cost;
      acknowledged_bytes_ += entry->second.cost;
      raw_bytes += entry->second.raw_size;
      inflight_.erase(entry);
    }
  }
  return raw_bytes;
}

}  // namespace corefleet
