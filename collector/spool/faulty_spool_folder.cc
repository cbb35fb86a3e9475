#include "collector/spool/faulty_spool_folder.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace corefleet {
namespace {

constexpr size_t kBlock = 512;

}  // namespace

class FaultyDisk::File final : public SpoolFile {
 public:
  File(FaultyDisk* disk, std::shared_ptr<Inode> inode) : disk_(disk), inode_(std::move(inode)) {}

  absl::Status WriteAt(uint64_t offset, ByteView bytes) override {
    bool half = false;
    const absl::Status status = disk_->Change(&half);
    if (!status.ok() && !half) return status;
    if (half) disk_->Write(inode_.get(), offset, bytes.first(bytes.size() / 2)).IgnoreError();
    return status.ok() ? disk_->Write(inode_.get(), offset, bytes) : status;
  }
  absl::Status Sync() override {
    RETURN_IF_ERROR(disk_->Change());
    inode_->synced = inode_->bytes;
    return absl::OkStatus();
  }
  absl::Status Truncate(uint64_t size) override {
    RETURN_IF_ERROR(disk_->Change());
    return disk_->Resize(inode_.get(), size);
  }

 private:
  FaultyDisk* const disk_;
  const std::shared_ptr<Inode> inode_;
};

class FaultyDisk::Reader final : public SpoolBytes {
 public:
  Reader(FaultyDisk* disk, std::shared_ptr<Inode> inode)
      : disk_(disk), inode_(std::move(inode)), size_(inode_->bytes.size()) {}

  uint64_t size() const override { return size_; }
  absl::Status ReadAt(uint64_t offset, absl::Span<uint8_t> out) const override {
    RETURN_IF_ERROR(disk_->Alive());
    const std::vector<uint8_t>& bytes = inode_->bytes;
    if (offset > bytes.size() || out.size() > bytes.size() - offset)
      return absl::DataLossError("the file ends before");
    std::copy_n(bytes.begin() + static_cast<ptrdiff_t>(offset), out.size(), out.begin());
    return absl::OkStatus();
  }

 private:
  FaultyDisk* const disk_;
  const std::shared_ptr<Inode> inode_;
  const uint64_t size_;
};

class FaultyDisk::Folder final : public SpoolFolder {
 public:
  explicit Folder(FaultyDisk* disk) : disk_(disk) {}

  absl::StatusOr<std::vector<Listed>> List() override {
    RETURN_IF_ERROR(disk_->Alive());
    std::vector<Listed> listed;
    for (const auto& [name, inode] : disk_->names_) listed.push_back({name, inode->bytes.size()});
    return listed;
  }
  absl::StatusOr<std::unique_ptr<SpoolFile>> Create(const std::string& name) override {
    RETURN_IF_ERROR(disk_->Change());
    if (disk_->names_.count(name) != 0) return absl::UnavailableError(absl::StrCat(name, " is there"));
    if (disk_->free_inodes_ == 0) return absl::ResourceExhaustedError("no inode left");
    --disk_->free_inodes_;
    disk_->SetNames(name, std::make_shared<Inode>());
    return Opened(name);
  }
  absl::StatusOr<std::unique_ptr<SpoolFile>> Change(const std::string& name) override {
    RETURN_IF_ERROR(disk_->Alive());
    if (disk_->names_.count(name) == 0) return absl::NotFoundError(absl::StrCat("no ", name));
    if (disk_->read_only_) return absl::FailedPreconditionError("read-only file system");
    return Opened(name);
  }
  absl::StatusOr<std::unique_ptr<SpoolBytes>> Read(const std::string& name) override {
    RETURN_IF_ERROR(disk_->Alive());
    if (disk_->names_.count(name) == 0) return absl::NotFoundError(absl::StrCat("no ", name));
    return std::unique_ptr<SpoolBytes>(std::make_unique<Reader>(disk_, disk_->names_[name]));
  }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    RETURN_IF_ERROR(disk_->Change());
    const auto it = disk_->names_.find(from);
    if (it == disk_->names_.end()) return absl::NotFoundError(absl::StrCat("no ", from));
    const std::shared_ptr<Inode> inode = it->second;
    if (disk_->names_.count(to) != 0) disk_->GiveBack(disk_->names_[to]);
    disk_->names_.erase(it);
    disk_->SetNames(to, inode);
    return absl::OkStatus();
  }
  absl::Status Remove(const std::string& name) override {
    RETURN_IF_ERROR(disk_->Change());
    const auto it = disk_->names_.find(name);
    if (it == disk_->names_.end()) return absl::OkStatus();
    disk_->GiveBack(it->second);
    disk_->SetNames(name, nullptr);
    return absl::OkStatus();
  }
  absl::Status SyncNames() override {
    RETURN_IF_ERROR(disk_->Change());
    disk_->synced_names_ = disk_->names_;
    disk_->unsynced_names_.clear();
    return absl::OkStatus();
  }
  absl::StatusOr<Room> FreeRoom() override {
    RETURN_IF_ERROR(disk_->Alive());
    return Room{.free_bytes = disk_->free_bytes_, .free_inodes = disk_->free_inodes_};
  }

 private:
  std::unique_ptr<SpoolFile> Opened(const std::string& name) {
    return std::make_unique<File>(disk_, disk_->names_[name]);
  }
  FaultyDisk* const disk_;
};

std::unique_ptr<SpoolFolder> FaultyDisk::Open() { return std::make_unique<Folder>(this); }

absl::Status FaultyDisk::Alive() const {
  return dead_ ? absl::UnavailableError("the process was killed") : absl::OkStatus();
}

absl::Status FaultyDisk::Change(bool* half) {
  RETURN_IF_ERROR(Alive());
  if (read_only_) return absl::FailedPreconditionError("read-only file system");
  ++changes_;
  const bool hit = changes_ == die_at_ || changes_ == fail_at_;
  if (half != nullptr) *half = hit;
  if (changes_ == die_at_) {
    dead_ = true;
    return Alive();
  }
  return changes_ == fail_at_ ? failure_ : absl::OkStatus();
}

absl::Status FaultyDisk::Resize(Inode* inode, uint64_t size) {
  const uint64_t before = inode->bytes.size();
  if (size > before && size - before > free_bytes_) return absl::ResourceExhaustedError("no space left");
  free_bytes_ = free_bytes_ + before - size;
  inode->bytes.resize(size);
  return absl::OkStatus();
}

absl::Status FaultyDisk::Write(Inode* inode, uint64_t offset, ByteView bytes) {
  absl::Status status;
  if (offset + bytes.size() > inode->bytes.size()) {
    // A full disk takes what it can.
    const uint64_t end = std::min<uint64_t>(offset + bytes.size(), inode->bytes.size() + free_bytes_);
    if (end < offset + bytes.size()) status = absl::ResourceExhaustedError("no space left");
    if (end > inode->bytes.size()) Resize(inode, end).IgnoreError();
    bytes = bytes.first(end > offset ? end - offset : 0);
  }
  std::copy(bytes.begin(), bytes.end(), inode->bytes.begin() + static_cast<ptrdiff_t>(offset));
  return status;
}

void FaultyDisk::SetNames(const std::string& name, std::shared_ptr<Inode> inode) {
  if (inode == nullptr) {
    names_.erase(name);
  } else {
    names_[name] = std::move(inode);
  }
  unsynced_names_.push_back(names_);
}

void FaultyDisk::GiveBack(const std::shared_ptr<Inode>& inode) {
  free_bytes_ += inode->bytes.size();
  ++free_inodes_;
}

void FaultyDisk::CutPower(const std::function<uint64_t(uint64_t)>& random) {
  const size_t kept = random(unsynced_names_.size() + 1);
  names_ = kept == 0 ? synced_names_ : unsynced_names_[kept - 1];
  for (auto& [name, inode] : names_) {
    std::vector<uint8_t> left = inode->synced;
    const uint64_t size = random(2) == 0 ? inode->synced.size() : inode->bytes.size();
    left.resize(size);
    for (size_t block = 0; block < size; block += kBlock) {
      const size_t end = std::min<size_t>({size, block + kBlock, inode->bytes.size()});
      if (random(2) == 0) continue;
      for (size_t i = block; i < end; ++i) left[i] = inode->bytes[i];
    }
    inode->bytes = inode->synced = left;
  }
  synced_names_ = names_;
  unsynced_names_.clear();
  Restart();
}

std::vector<uint8_t>* FaultyDisk::Bytes(const std::string& name) {
  const auto it = names_.find(name);
  return it == names_.end() ? nullptr : &it->second->bytes;
}

std::vector<std::string> FaultyDisk::Names() const {
  std::vector<std::string> names;
  for (const auto& [name, inode] : names_) names.push_back(name);
  return names;
}

}  // namespace corefleet
