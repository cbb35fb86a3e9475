#include "server/opened/opened_crash.h"

#include <utility>

#include "base/status_macros.h"
#include "core/printk/read_log.h"
#include "storage/stored_regions.h"

namespace corefleet {
namespace {

class LatchedSource final : public ByteSource {
 public:
  LatchedSource(std::shared_ptr<const ByteSource> bytes, std::shared_ptr<ReadLatch> latch)
      : bytes_(std::move(bytes)), latch_(std::move(latch)) {}
  uint64_t size() const override { return bytes_->size(); }
  absl::Status ReadAt(uint64_t offset, absl::Span<uint8_t> out) const override {
    absl::Status status = bytes_->ReadAt(offset, out);
    if (!status.ok()) latch_->Note(status);
    return status;
  }

 private:
  const std::shared_ptr<const ByteSource> bytes_;
  const std::shared_ptr<ReadLatch> latch_;
};

// An opener that is busy must not make a crash look like one whose dump cannot be read.
class LatchedOpener final : public DumpOpener {
 public:
  LatchedOpener(const DumpOpener* opener, ReadLatch* latch) : opener_(opener), latch_(latch) {}
  absl::StatusOr<std::shared_ptr<const DumpedMemory>> Open(
      const std::vector<std::shared_ptr<const ByteSource>>& parts) const override {
    auto memory = opener_->Open(parts);
    if (absl::IsUnavailable(memory.status())) latch_->Note(memory.status());
    return memory;
  }

 private:
  const DumpOpener* const opener_;
  ReadLatch* const latch_;
};

}  // namespace

absl::Status ReadLatch::status() const {
  absl::MutexLock lock(&mutex_);
  return status_;
}

void ReadLatch::Note(const absl::Status& status) {
  // An offset behind the end is a question of core's, not the store's failure.
  if (status.ok() || absl::IsOutOfRange(status)) return;
  absl::MutexLock lock(&mutex_);
  if (status_.ok()) status_ = status;
}

RegionSet Latched(RegionSet set, const std::shared_ptr<ReadLatch>& latch) {
  for (Region& region : set.regions) {
    region.bytes = std::make_shared<LatchedSource>(std::move(region.bytes), latch);
  }
  return set;
}

absl::StatusOr<std::shared_ptr<const OpenedCrash>> OpenedCrash::Open(const CrashId& id, CrashIndex* index,
                                                                     PackStore* store,
                                                                     const DumpOpener* opener) {
  ASSIGN_OR_RETURN(Manifest manifest, index->CrashManifest(id));
  ASSIGN_OR_RETURN(const std::vector<StoredPack> packs, index->CrashPacks(id));
  ASSIGN_OR_RETURN(RegionSet set, OpenStoredRegions(manifest, packs, store));
  auto latch = std::make_shared<ReadLatch>();
  RegionSet latched = Latched(std::move(set), latch);
  const LatchedOpener latched_opener(opener, latch.get());
  auto crash = std::make_shared<const OpenedCrash>(std::move(manifest), std::move(latched),
                                                   opener == nullptr ? nullptr : &latched_opener, latch);
  RETURN_IF_ERROR(crash->read_failure());
  return crash;
}

OpenedCrash::OpenedCrash(Manifest manifest, RegionSet received, const DumpOpener* opener,
                         std::shared_ptr<const ReadLatch> latch)
    : manifest_(std::move(manifest)),
      received_(std::move(received)),
      latch_(std::move(latch)),
      rebuilt_(Rebuild(received_, opener)) {}

absl::StatusOr<std::shared_ptr<const KernelLog>> OpenedCrash::Log() const {
  absl::MutexLock lock(&log_mutex_);
  if (log_ != nullptr) return log_;
  auto log = std::make_shared<const KernelLog>(ReadLog(image()));
  RETURN_IF_ERROR(read_failure());
  log_ = log;
  return log;
}

}  // namespace corefleet
