#include "storage/segment/faulty_file_system.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace corefleet {

class FaultyFileSystem::Appender final : public AppendFile {
 public:
  Appender(FaultyFileSystem* system, std::shared_ptr<File> file) : system_(system), file_(std::move(file)) {}
  absl::Status Append(absl::Span<const ByteView> parts) override {
    return system_->Append(file_.get(), parts);
  }
  absl::Status Sync() override { return system_->Sync(file_.get()); }
  void Truncate(uint64_t size) override {
    absl::MutexLock lock(&system_->mutex_);
    if (size < file_->bytes.size()) {
      system_->free_bytes_ += file_->bytes.size() - size;
      file_->bytes.resize(size);
    }
    file_->synced = std::min<size_t>(file_->synced, size);
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
    const size_t size = file_->bytes.size();
    if (offset > size || out.size() > size - offset) return absl::DataLossError("the file ends before");
    std::copy_n(file_->bytes.begin() + static_cast<ptrdiff_t>(offset), out.size(), out.begin());
    return absl::OkStatus();
  }

 private:
  FaultyFileSystem* const system_;
  const std::shared_ptr<File> file_;
};

absl::StatusOr<std::vector<FileSystem::Entry>> FaultyFileSystem::List(const std::string& dir) {
  absl::MutexLock lock(&mutex_);
  std::vector<Entry> entries;
  for (const auto& [path, file] : files_) {
    if (absl::StartsWith(path, dir + "/"))
      entries.push_back({path.substr(dir.size() + 1), file->bytes.size()});
  }
  return entries;
}

absl::StatusOr<std::unique_ptr<AppendFile>> FaultyFileSystem::Create(const std::string& path) {
  absl::MutexLock lock(&mutex_);
  const auto [it, created] = files_.emplace(path, std::make_shared<File>());
  if (!created) return absl::UnavailableError(absl::StrCat(path, " exists"));
  return std::unique_ptr<AppendFile>(std::make_unique<Appender>(this, it->second));
}

absl::StatusOr<std::unique_ptr<ReadFile>> FaultyFileSystem::OpenForReading(const std::string& path) {
  absl::MutexLock lock(&mutex_);
  const auto it = files_.find(path);
  if (it == files_.end()) return absl::NotFoundError(absl::StrCat("no file ", path));
  return std::unique_ptr<ReadFile>(std::make_unique<Reader>(this, it->second));
}

absl::Status FaultyFileSystem::SyncDirectory(const std::string& dir) {
  absl::MutexLock lock(&mutex_);
  if (std::exchange(fail_directory_sync_, false)) return absl::UnavailableError("input/output error");
  for (auto& [path, file] : files_) {
    if (absl::StartsWith(path, dir + "/")) file->name_synced = true;
  }
  return absl::OkStatus();
}

void FaultyFileSystem::Remove(const std::string& path) {
  absl::MutexLock lock(&mutex_);
  const auto it = files_.find(path);
  if (it == files_.end()) return;
  free_bytes_ += it->second->bytes.size();
  files_.erase(it);
}

uint64_t FaultyFileSystem::FreeBytes(const std::string& dir) {
  absl::MutexLock lock(&mutex_);
  return free_bytes_;
}

absl::Status FaultyFileSystem::Append(File* file, absl::Span<const ByteView> parts) {
  absl::MutexLock lock(&mutex_);
  for (const ByteView part : parts) {
    const size_t fits = std::min<uint64_t>(part.size(), free_bytes_);
    file->bytes.insert(file->bytes.end(), part.begin(), part.begin() + static_cast<ptrdiff_t>(fits));
    free_bytes_ -= fits;
    if (fits < part.size()) return absl::ResourceExhaustedError("no space left on device");
  }
  ++appends_;
  return absl::OkStatus();
}

absl::Status FaultyFileSystem::Sync(File* file) {
  absl::MutexLock lock(&mutex_);
  ++syncs_;
  const size_t size = file->bytes.size();
  mutex_.Await(absl::Condition(
      +[](bool* hold) { return !*hold; }, &hold_syncs_));
  if (std::exchange(fail_sync_, false)) {
    file->bytes.resize(file->synced);
    return absl::UnavailableError("input/output error");
  }
  file->synced = std::max(file->synced, size);
  return absl::OkStatus();
}

void FaultyFileSystem::CutPower(size_t torn) {
  absl::MutexLock lock(&mutex_);
  for (auto it = files_.begin(); it != files_.end();) {
    File& file = *it->second;
    const size_t kept = std::min(file.bytes.size(), file.synced + torn);
    if (kept > file.synced) file.bytes[kept - 1] ^= 0xff;
    file.bytes.resize(kept);
    it = file.name_synced ? std::next(it) : files_.erase(it);
  }
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

int FaultyFileSystem::syncs() const {
  absl::MutexLock lock(&mutex_);
  return syncs_;
}

size_t FaultyFileSystem::files() const {
  absl::MutexLock lock(&mutex_);
  return files_.size();
}

}  // namespace corefleet
