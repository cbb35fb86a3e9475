#include "server/opened/opened_crash.h"

#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "core/bytes/escape.h"
#include "core/printk/read_log.h"

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

std::string LabelOf(const Region& region) {
  if (region.name.empty()) return EscapeForTerminal(region.file_name);
  return absl::StrCat(EscapeForTerminal(region.name), region.id ? absl::StrCat(" ", *region.id) : "");
}

Defect NotSent(const Region& region, const UnsentRegion& unsent) {
  std::string detail = absl::StrCat(unsent.size - unsent.shown - unsent.behind_gap, " of its ", unsent.size,
                                    " bytes are not here");
  if (unsent.behind_gap > 0) absl::StrAppend(&detail, "; ", unsent.behind_gap, " more lie behind a gap");
  return {DefectCode::kNotSent, LabelOf(region), std::move(detail)};
}

// What was not sent comes first: much of what reassembly reports follows from it.
Rebuilt RebuildPart(const RegionSet& received, const std::vector<UnsentRegion>& unsent,
                    const DumpOpener* opener) {
  Rebuilt rebuilt = Rebuild(received, opener);
  std::vector<Defect> defects;
  for (const UnsentRegion& one : unsent) defects.push_back(NotSent(received.regions[one.region], one));
  rebuilt.image.defects.insert(rebuilt.image.defects.begin(), std::make_move_iterator(defects.begin()),
                               std::make_move_iterator(defects.end()));
  return rebuilt;
}

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
    if (region.bytes == nullptr) continue;
    region.bytes = std::make_shared<LatchedSource>(std::move(region.bytes), latch);
  }
  return set;
}

absl::StatusOr<std::shared_ptr<const OpenedCrash>> OpenedCrash::Open(const CrashId& id, CrashIndex* index,
                                                                     PackStore* store,
                                                                     const DumpOpener* opener,
                                                                     uint64_t cache_bytes) {
  ASSIGN_OR_RETURN(CrashContents contents, index->Contents(id));
  ASSIGN_OR_RETURN(StoredRegions regions, OpenStoredRegions(contents, store, cache_bytes));
  auto latch = std::make_shared<ReadLatch>();
  regions.set = Latched(std::move(regions.set), latch);
  const LatchedOpener latched_opener(opener, latch.get());
  auto crash =
      std::make_shared<const OpenedCrash>(std::move(contents.manifest), std::move(regions), contents.revision,
                                          opener == nullptr ? nullptr : &latched_opener, latch);
  RETURN_IF_ERROR(crash->read_failure());
  return crash;
}

OpenedCrash::OpenedCrash(Manifest manifest, StoredRegions received, uint32_t revision,
                         const DumpOpener* opener, std::shared_ptr<const ReadLatch> latch)
    : manifest_(std::move(manifest)),
      revision_(revision),
      whole_(received.unsent.empty()),
      received_(std::move(received.set)),
      latch_(std::move(latch)),
      rebuilt_(RebuildPart(received_, received.unsent, opener)) {}

absl::StatusOr<std::shared_ptr<const KernelLog>> OpenedCrash::Log() const {
  absl::MutexLock lock(&log_mutex_);
  if (log_ != nullptr) return log_;
  auto log = std::make_shared<const KernelLog>(ReadLog(image()));
  RETURN_IF_ERROR(read_failure());
  log_ = log;
  return log;
}

}  // namespace corefleet
