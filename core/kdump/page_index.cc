#include "core/kdump/page_index.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/bytes/byte_reader.h"

namespace corefleet {
namespace {

constexpr uint64_t kBlockBytes = 32 * 1024;
constexpr uint64_t kBlockFrames = kBlockBytes * 8;
constexpr uint64_t kMaxBitmapBytes = 64 << 20;

class WholePages final : public PhysicalMemory {
 public:
  WholePages(std::shared_ptr<const PhysicalMemory> memory, std::vector<PageIndex> parts, uint64_t page_size)
      : memory_(std::move(memory)), parts_(std::move(parts)), page_size_(page_size) {}

  absl::Status ReadPhysical(uint64_t paddr, absl::Span<uint8_t> out) const override {
    while (!out.empty()) {
      if (!HasWhole(paddr / page_size_)) {
        return absl::NotFoundError(
            absl::StrCat("physical address 0x", absl::Hex(paddr), " was not dumped whole"));
      }
      const size_t n = std::min<uint64_t>(out.size(), page_size_ - paddr % page_size_);
      absl::Status status = memory_->ReadPhysical(paddr, out.first(n));
      if (!status.ok()) return status;
      out.remove_prefix(n);
      if (!out.empty() && paddr > UINT64_MAX - n)
        return absl::NotFoundError("the read leaves the address space");
      paddr += n;
    }
    return absl::OkStatus();
  }

  uint64_t PhysicalRunFrom(uint64_t paddr, uint64_t want) const override {
    uint64_t have = 0;
    while (have < want && have <= UINT64_MAX - paddr && HasWhole((paddr + have) / page_size_)) {
      const uint64_t n = std::min(page_size_ - (paddr + have) % page_size_, want - have);
      const uint64_t run = memory_->PhysicalRunFrom(paddr + have, n);
      have += run;
      if (run < n) break;
    }
    return have;
  }

 private:
  bool HasWhole(uint64_t frame) const {
    return std::any_of(parts_.begin(), parts_.end(),
                       [frame](const PageIndex& part) { return part.HasWhole(frame); });
  }

  const std::shared_ptr<const PhysicalMemory> memory_;
  const std::vector<PageIndex> parts_;
  const uint64_t page_size_;
};

}  // namespace

PageIndex::PageIndex(std::shared_ptr<const ByteSource> file, const DiskDumpHeader& header)
    : file_(std::move(file)), header_(header) {
  const uint64_t half = header.bitmaps_size() / 2;
  bitmap_at_ = header.bitmaps_offset() + half;
  first_frame_ = header.split ? header.first_frame : 0;
  end_frame_ =
      std::min(header.split ? header.end_frame : header.page_frames, std::min(half, kMaxBitmapBytes) * 8);
  uint64_t count = 0;
  for (uint64_t frame = 0; frame < end_frame_; frame += kBlockFrames) {
    dumped_before_.push_back(count);
    const uint64_t bytes = std::min(kBlockBytes, (end_frame_ - frame + 7) / 8);
    const auto block = ReadBytes(*file_, bitmap_at_ + frame / 8, bytes);
    if (!block.ok()) {
      end_frame_ = frame;  // the bitmap itself is cut: nothing is known from here on
      break;
    }
    // Of a split dump only its own part's pages have descriptors in the file.
    for (uint64_t i = 0; i < bytes * 8; ++i) {
      const uint64_t at = frame + i;
      if (at >= first_frame_ && at < end_frame_) count += (*block)[i / 8] >> (i % 8) & 1;
    }
  }
}

bool PageIndex::HasWhole(uint64_t frame) const {
  if (!Covers(frame)) return false;
  const uint64_t block_start = frame / kBlockFrames * kBlockFrames;
  const auto block = ReadBytes(*file_, bitmap_at_ + block_start / 8, (frame - block_start) / 8 + 1);
  if (!block.ok() || (block->back() >> (frame % 8) & 1) == 0) return false;
  uint64_t rank = dumped_before_[frame / kBlockFrames];
  for (uint64_t at = std::max(block_start, first_frame_); at < frame; ++at) {
    rank += (*block)[(at - block_start) / 8] >> (at % 8) & 1;
  }
  std::array<uint8_t, kPageDescBytes> desc;
  if (!file_->ReadAt(header_.descriptors_offset() + rank * kPageDescBytes, absl::MakeSpan(desc)).ok())
    return false;
  ByteReader reader(desc, header_.endian);
  const uint64_t offset = reader.U64();
  const uint64_t size = reader.U32();
  return offset != 0 && offset <= file_->size() && size <= file_->size() - offset;
}

std::shared_ptr<const PhysicalMemory> OnlyWholePages(std::shared_ptr<const PhysicalMemory> memory,
                                                     std::vector<PageIndex> parts, uint64_t page_size) {
  return std::make_shared<WholePages>(std::move(memory), std::move(parts), page_size);
}

}  // namespace corefleet
