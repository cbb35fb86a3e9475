#include "storage/segment/faulty_file_system.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace corefleet {
namespace {

absl::Status NoPower() { return absl::UnavailableError("the power is gone"); }

uint64_t Below(uint64_t limit, std::mt19937_64* random) { return limit == 0 ? 0 : (*random)() % limit; }

}  // namespace

class FaultyFileSystem::Appender final : public AppendFile {
 public:
  Appender(FaultyFileSystem* system, std::shared_ptr<File> file) : system_(system), file_(std::move(file)) {}
  absl::Status Append(absl::Span<const ByteView> parts) override {
    return system_->Append(file_.get(), parts);
  }
  absl::Status Sync() override { return system_->Sync(file_.get()); }
  void Truncate(uint64_t size) override {
    absl::MutexLock lock(&system_->mutex_);
    if (size >= file_->cache.size() || !system_->Spend().ok()) return;
    system_->free_bytes_ += file_->cache.size() - size;
    system_->Record({.kind = Change::kTruncate, .offset = size}, file_.get());
  }

 private:
  FaultyFileSystem* const system_;
  const std::shared_ptr<File> file_;
};

class FaultyFileSystem::Reader final : public ReadFile {
 public:
  Reader(FaultyFileSystem* system, std::shared_ptr<File> file) : system_(system), file_(std::move(file)) {}
  absl::Status ReadAt(uint64_t offset, absl::Span<uint8_t> out) override {
    absl::MutexLock lock(&system_->mutex_);
    if (system_->dead_) return NoPower();
    const size_t size = file_->cache.size();
    if (offset > size || out.size() > size - offset) return absl::DataLossError("the file ends before");
    std::copy_n(file_->cache.begin() + static_cast<ptrdiff_t>(offset), out.size(), out.begin());
    return absl::OkStatus();
  }

 private:
  FaultyFileSystem* const system_;
  const std::shared_ptr<File> file_;
};

class FaultyFileSystem::Patcher final : public PatchFile {
 public:
  Patcher(FaultyFileSystem* system, std::shared_ptr<File> file) : system_(system), file_(std::move(file)) {}
  absl::Status WriteAt(uint64_t offset, ByteView bytes) override {
    absl::MutexLock lock(&system_->mutex_);
    if (absl::Status status = system_->Spend(); !status.ok()) return status;
    Change change{.kind = Change::kWrite, .offset = offset, .size = bytes.size()};
    change.bytes.assign(bytes.begin(), bytes.end());
    system_->Record(std::move(change), file_.get());
    return absl::OkStatus();
  }
  absl::Status Punch(uint64_t offset, uint64_t size) override {
    absl::MutexLock lock(&system_->mutex_);
    if (!system_->punching_) return absl::UnimplementedError("no holes on this file system");
    if (absl::Status status = system_->Spend(); !status.ok()) return status;
    system_->free_bytes_ += size;
    file_->holes += size;
    system_->Record({.kind = Change::kPunch, .offset = offset, .size = size}, file_.get());
    return absl::OkStatus();
  }
  absl::Status Sync() override { return system_->Sync(file_.get()); }

 private:
  FaultyFileSystem* const system_;
  const std::shared_ptr<File> file_;
};

absl::StatusOr<std::vector<FileSystem::Entry>> FaultyFileSystem::List(const std::string& dir) {
  absl::MutexLock lock(&mutex_);
  if (dead_) return absl::InternalError("the power is gone");
  std::vector<Entry> entries;
  for (const auto& [path, file] : files_) {
    if (!absl::StartsWith(path, dir + "/")) continue;
    const uint64_t size = file->cache.size();
    entries.push_back(
        {path.substr(dir.size() + 1), size, size - std::min(size, file->holes), file->changed_at});
  }
  return entries;
}

absl::StatusOr<FileSystem::Entry> FaultyFileSystem::Find(const std::string& path) {
  absl::MutexLock lock(&mutex_);
  if (dead_) return NoPower();
  const auto it = files_.find(path);
  if (it == files_.end()) return absl::NotFoundError(absl::StrCat("no file ", path));
  const File& file = *it->second;
  const uint64_t size = file.cache.size();
  return Entry{path.substr(path.rfind('/') + 1), size, size - std::min(size, file.holes), file.changed_at};
}

absl::StatusOr<std::unique_ptr<AppendFile>> FaultyFileSystem::Create(const std::string& path) {
  absl::MutexLock lock(&mutex_);
  if (absl::Status status = Spend(); !status.ok()) return status;
  const auto [it, created] = files_.emplace(path, std::make_shared<File>());
  if (!created) return absl::UnavailableError(absl::StrCat(path, " exists"));
  it->second->changed_at = now_;
  return std::unique_ptr<AppendFile>(std::make_unique<Appender>(this, it->second));
}

absl::StatusOr<std::unique_ptr<ReadFile>> FaultyFileSystem::OpenForReading(const std::string& path) {
  absl::MutexLock lock(&mutex_);
  if (dead_) return NoPower();
  const auto it = files_.find(path);
  if (it == files_.end()) return absl::NotFoundError(absl::StrCat("no file ", path));
  return std::unique_ptr<ReadFile>(std::make_unique<Reader>(this, it->second));
}

absl::StatusOr<std::unique_ptr<PatchFile>> FaultyFileSystem::OpenForPatching(const std::string& path) {
  absl::MutexLock lock(&mutex_);
  if (dead_) return NoPower();
  const auto it = files_.find(path);
  if (it == files_.end()) return absl::NotFoundError(absl::StrCat("no file ", path));
  return std::unique_ptr<PatchFile>(std::make_unique<Patcher>(this, it->second));
}

absl::Status FaultyFileSystem::SyncDirectory(const std::string& dir) {
  absl::MutexLock lock(&mutex_);
  if (absl::Status status = Spend(); !status.ok()) return status;
  if (std::exchange(fail_directory_sync_, false)) {
    ++faults_.failed_directory_syncs;
    return absl::UnavailableError("input/output error");
  }
  for (auto& [path, file] : files_) {
    if (absl::StartsWith(path, dir + "/")) file->name_synced = true;
  }
  for (auto it = removed_.begin(); it != removed_.end();) {
    it = absl::StartsWith(it->first, dir + "/") ? removed_.erase(it) : std::next(it);
  }
  return absl::OkStatus();
}

void FaultyFileSystem::DropCache(const std::string& path) {
  absl::MutexLock lock(&mutex_);
  uncached_.push_back(path);
}

std::vector<std::string> FaultyFileSystem::uncached() const {
  absl::MutexLock lock(&mutex_);
  return uncached_;
}

void FaultyFileSystem::Remove(const std::string& path) {
  absl::MutexLock lock(&mutex_);
  const auto it = files_.find(path);
  if (it == files_.end() || !Spend().ok()) return;
  const File& file = *it->second;
  free_bytes_ += file.cache.size() - std::min<uint64_t>(file.cache.size(), file.holes);
  if (file.name_synced) removed_[path] = it->second;
  files_.erase(it);
}

uint64_t FaultyFileSystem::FreeBytes(const std::string& dir) {
  absl::MutexLock lock(&mutex_);
  return free_bytes_;
}

void FaultyFileSystem::Apply(const Change& change, std::vector<uint8_t>* image) {
  if (change.kind == Change::kTruncate) {
    if (image->size() > change.offset) image->resize(change.offset);
    return;
  }
  const uint64_t end = change.offset + change.size;
  if (change.kind == Change::kAppend && image->size() < end) image->resize(end);
  const uint64_t from = std::min<uint64_t>(change.offset, image->size());
  const uint64_t count = std::min<uint64_t>(end, image->size()) - from;
  const auto at = image->begin() + static_cast<ptrdiff_t>(from);
  if (change.kind == Change::kPunch) {
    std::fill_n(at, count, uint8_t{0});
  } else {
    std::copy_n(change.bytes.begin(), count, at);
  }
}

void FaultyFileSystem::Record(Change change, File* file) {
  Apply(change, &file->cache);
  file->changed_at = now_;
  file->pending.push_back(std::move(change));
}

absl::Status FaultyFileSystem::Spend() {
  if (!dead_ && changes_left_ > 0 && --changes_left_ == 0) dead_ = true;
  return dead_ ? NoPower() : absl::OkStatus();
}

absl::Status FaultyFileSystem::AppendPart(ByteView part, File* file) {
  const size_t fits = std::min<uint64_t>(part.size(), free_bytes_);
  Change change{.kind = Change::kAppend, .offset = file->cache.size(), .size = fits};
  change.bytes.assign(part.begin(), part.begin() + static_cast<ptrdiff_t>(fits));
  free_bytes_ -= fits;
  Record(std::move(change), file);
  if (fits == part.size()) return absl::OkStatus();
  ++faults_.full;
  return absl::ResourceExhaustedError("no space left on device");
}

absl::Status FaultyFileSystem::Append(File* file, absl::Span<const ByteView> parts) {
  absl::MutexLock lock(&mutex_);
  if (dead_) return NoPower();
  if (!Spend().ok()) {
    // The change in whose middle the power goes.
    for (const ByteView part : parts) AppendPart(part, file).IgnoreError();
    return NoPower();
  }
  for (const ByteView part : parts) {
    if (absl::Status status = AppendPart(part, file); !status.ok()) return status;
  }
  ++appends_;
  return absl::OkStatus();
}

absl::Status FaultyFileSystem::Sync(File* file) {
  absl::MutexLock lock(&mutex_);
  if (absl::Status status = Spend(); !status.ok()) return status;
  ++syncs_;
  const auto covered = static_cast<ptrdiff_t>(file->pending.size());
  const int cuts = faults_.power_cuts;
  mutex_.Await(absl::Condition(
      +[](bool* hold) { return !*hold; }, &hold_syncs_));
  if (cuts != faults_.power_cuts || dead_) return NoPower();
  const auto end = file->pending.begin() + std::min<ptrdiff_t>(covered, file->pending.size());
  const bool fails = std::exchange(fail_sync_, false);
  if (!fails) {
    for (auto it = file->pending.begin(); it != end; ++it) Apply(*it, &file->platter);
  }
  // Also after a failure: Linux calls the pages clean.
  file->pending.erase(file->pending.begin(), end);
  if (!fails) return absl::OkStatus();
  ++faults_.failed_syncs;
  return absl::UnavailableError("input/output error");
}

void FaultyFileSystem::PowerIsBack() {
  for (auto& [path, file] : files_) {
    file->cache = file->platter;
    file->pending.clear();
    file->holes = std::min<uint64_t>(file->holes, file->cache.size());
    file->name_synced = true;
  }
  removed_.clear();
  dead_ = false;
  changes_left_ = 0;
  fail_sync_ = false;
  fail_directory_sync_ = false;
  ++faults_.power_cuts;
}

void FaultyFileSystem::CutPower(size_t torn) {
  absl::MutexLock lock(&mutex_);
  for (const auto& [path, file] : removed_) files_.emplace(path, file);
  for (auto it = files_.begin(); it != files_.end();) {
    File& file = *it->second;
    size_t left = torn;
    for (const Change& change : file.pending) {
      if (change.kind != Change::kAppend || left == 0) continue;
      Change kept = change;
      kept.size = std::min<uint64_t>(change.size, left);
      left -= kept.size;
      if (kept.size > 0 && (left == 0 || &change == &file.pending.back())) kept.bytes[kept.size - 1] ^= 0xff;
      Apply(kept, &file.platter);
    }
    it = file.name_synced ? std::next(it) : files_.erase(it);
  }
  PowerIsBack();
}

void FaultyFileSystem::CutPowerAtRandom(uint64_t seed) {
  absl::MutexLock lock(&mutex_);
  std::mt19937_64 random(seed);
  for (const auto& [path, file] : removed_) {
    if (Below(2, &random) == 0) files_.emplace(path, file);
  }
  for (auto it = files_.begin(); it != files_.end();) {
    File& file = *it->second;
    // Ordering is nobody's promise: a later change may be there without an earlier one.
    for (Change& change : file.pending) {
      const uint64_t fate = Below(4, &random);
      faults_.forgotten_changes += fate == 0;
      faults_.torn_changes += fate >= 2;
      if (fate == 0) continue;
      if (fate >= 2 && change.size > 1) change.size = 1 + Below(change.size, &random);
      if (fate == 3 && !change.bytes.empty() && change.size > 1) {
        change.bytes[Below(change.size, &random)] ^= static_cast<uint8_t>(1 + Below(255, &random));
      }
      Apply(change, &file.platter);
    }
    it = file.name_synced || Below(2, &random) == 0 ? std::next(it) : files_.erase(it);
  }
  PowerIsBack();
}

void FaultyFileSystem::LosePowerAfter(int changes) {
  absl::MutexLock lock(&mutex_);
  changes_left_ = changes;
}

bool FaultyFileSystem::dead() const {
  absl::MutexLock lock(&mutex_);
  return dead_;
}

void FaultyFileSystem::Resume() {
  absl::MutexLock lock(&mutex_);
  dead_ = false;
  changes_left_ = 0;
}

FaultyFileSystem::Faults FaultyFileSystem::faults() const {
  absl::MutexLock lock(&mutex_);
  return faults_;
}

void FaultyFileSystem::SetFreeBytes(uint64_t bytes) {
  absl::MutexLock lock(&mutex_);
  free_bytes_ = bytes;
}

void FaultyFileSystem::FailNextSync() {
  absl::MutexLock lock(&mutex_);
  fail_sync_ = true;
}

void FaultyFileSystem::FailNextDirectorySync() {
  absl::MutexLock lock(&mutex_);
  fail_directory_sync_ = true;
}

void FaultyFileSystem::HoldSyncs(bool hold) {
  absl::MutexLock lock(&mutex_);
  hold_syncs_ = hold;
}

void FaultyFileSystem::AwaitAppends(int count) {
  absl::MutexLock lock(&mutex_);
  const auto enough = [this, count]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return appends_ >= count; };
  mutex_.Await(absl::Condition(&enough));
}

void FaultyFileSystem::SetPunching(bool can) {
  absl::MutexLock lock(&mutex_);
  punching_ = can;
}

void FaultyFileSystem::SetNow(absl::Time now) {
  absl::MutexLock lock(&mutex_);
  now_ = now;
}

void FaultyFileSystem::Damage(const std::string& path, uint64_t offset) {
  absl::MutexLock lock(&mutex_);
  File& file = *files_.at(path);
  file.cache.at(offset) ^= 0x10;
  if (offset < file.platter.size()) file.platter[offset] ^= 0x10;
}

int FaultyFileSystem::syncs() const {
  absl::MutexLock lock(&mutex_);
  return syncs_;
}

size_t FaultyFileSystem::files() const {
  absl::MutexLock lock(&mutex_);
  return files_.size();
}

}  // namespace corefleet
