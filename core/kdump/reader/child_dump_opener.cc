#include "core/kdump/reader/child_dump_opener.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "base/status_macros.h"
#include "core/kdump/reader/reader_process.h"
#include "core/kdump/reader/scratch_file.h"

namespace corefleet {
namespace {

// One of the places that an opener has.
class Place {
 public:
  static std::unique_ptr<Place> Take(std::shared_ptr<std::atomic<int>> taken, int limit) {
    std::unique_ptr<Place> place(new Place(std::move(taken)));
    return ++*place->taken_ > limit ? nullptr : std::move(place);
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() { --*taken_; }

 private:
  explicit Place(std::shared_ptr<std::atomic<int>> taken) : taken_(std::move(taken)) {}
  const std::shared_ptr<std::atomic<int>> taken_;
};

// The pages that were read last, and those that were found missing: page tables are walked, and holes are
// probed, in steps of eight bytes. One owner at a time.
class PageCache {
 public:
  struct Page {
    std::optional<ReaderOp> op;  // nullopt: no page yet
    uint64_t address = 0;
    absl::Status status;  // OK: `bytes` is the page
    std::vector<uint8_t> bytes;
  };

  // The page of `size` bytes at `address`, read now if it was not.
  const Page& Get(ReaderOp op, uint64_t address, size_t size, ReaderProcess* reader) {
    Page& page = pages_[(address / size + static_cast<uint32_t>(op)) % pages_.size()];
    if (page.op != op || page.address != address) {
      page.op = op;
      page.address = address;
      page.bytes.resize(size);
      page.status = reader->Read(op, address, absl::MakeSpan(page.bytes));
    }
    return page;
  }

 private:
  std::array<Page, 64> pages_;
};

class ChildMemory final : public DumpedMemory {
 public:
  ChildMemory(std::unique_ptr<ReaderProcess> reader, std::unique_ptr<Place> place)
      : place_(std::move(place)), reader_(std::move(reader)) {}

  absl::Status ReadPhysical(uint64_t paddr, absl::Span<uint8_t> out) const override {
    return Read(ReaderOp::kPhysical, paddr, out);
  }
  absl::Status ReadVirtual(uint64_t vaddr, absl::Span<uint8_t> out) const override {
    return Read(ReaderOp::kVirtual, vaddr, out);
  }
  uint64_t PhysicalRunFrom(uint64_t paddr, uint64_t want) const override {
    return RunFrom(ReaderOp::kPhysical, paddr, want);
  }
  uint64_t ReadableFrom(uint64_t vaddr, uint64_t want) const override {
    return RunFrom(ReaderOp::kVirtual, vaddr, want);
  }
  Endian endian() const override { return Endian::kLittle; }
  uint32_t word_size() const override { return 8; }

 private:
  // No page is smaller, and what is missing is missing by pages.
  static constexpr uint64_t kPage = 4096;

  absl::Status Read(ReaderOp op, uint64_t address, absl::Span<uint8_t> out) const {
    absl::MutexLock lock(&mutex_);
    while (!out.empty()) {
      const uint64_t in_page = address % kPage;
      size_t n = std::min<uint64_t>(out.size(), kPage - in_page);
      if (in_page == 0 && out.size() >= 2 * kPage) {
        n = std::min<size_t>(out.size() / kPage * kPage, kMaxReaderBytes);
        RETURN_IF_ERROR(reader_->Read(op, address, out.first(n)));
      } else {
        const PageCache::Page& page = cache_.Get(op, address - in_page, kPage, reader_.get());
        RETURN_IF_ERROR(page.status);
        std::copy_n(page.bytes.begin() + static_cast<ptrdiff_t>(in_page), n, out.begin());
      }
      out.remove_prefix(n);
      if (!out.empty() && address > UINT64_MAX - n)
        return absl::NotFoundError("the read leaves the address space");
      address += n;
    }
    return absl::OkStatus();
  }

  // By reading: what a dump lists may have been cut off it.
  uint64_t RunFrom(ReaderOp op, uint64_t address, uint64_t want) const {
    absl::MutexLock lock(&mutex_);
    uint64_t have = 0;
    while (have < want && have <= UINT64_MAX - address) {
      const uint64_t in_page = (address + have) % kPage;
      if (!cache_.Get(op, address + have - in_page, kPage, reader_.get()).status.ok()) break;
      have = want - have > kPage - in_page ? have + (kPage - in_page) : want;
    }
    return have;
  }

  const std::unique_ptr<Place> place_;
  mutable absl::Mutex mutex_;
  const std::unique_ptr<ReaderProcess> reader_ ABSL_PT_GUARDED_BY(mutex_);
  mutable PageCache cache_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

absl::StatusOr<std::shared_ptr<const DumpedMemory>> ChildDumpOpener::Open(
    const std::vector<std::shared_ptr<const ByteSource>>& parts) const {
  uint64_t size = 0;
  for (const auto& part : parts) size += std::min(part->size(), UINT64_MAX - size);
  if (size > options_.max_bytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat("a dump of ", size, " bytes; up to ", options_.max_bytes, " are read"));
  }
  std::unique_ptr<Place> place = Place::Take(open_, options_.max_open);
  if (place == nullptr) {
    return absl::UnavailableError(absl::StrCat(options_.max_open, " compressed dumps are being read"));
  }
  std::vector<ReaderFd> files;
  for (const auto& part : parts) {
    ASSIGN_OR_RETURN(ReaderFd file, CopyToScratch(*part, options_.scratch_folder, options_.min_free_bytes));
    files.push_back(std::move(file));
  }
  ASSIGN_OR_RETURN(std::unique_ptr<ReaderProcess> reader,
                   ReaderProcess::Start(options_.program, files, options_.timeout_ms));
  return std::make_shared<const ChildMemory>(std::move(reader), std::move(place));
}

}  // namespace corefleet
