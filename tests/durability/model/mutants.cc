#include "tests/durability/model/mutants.h"

#include <string>
#include <utility>
#include <vector>

#include "base/status_macros.h"

namespace corefleet {
namespace {

class MutantFile final : public AppendFile {
 public:
  MutantFile(Mutation mutation, std::unique_ptr<AppendFile> real)
      : mutation_(mutation), real_(std::move(real)) {}
  absl::Status Append(absl::Span<const ByteView> parts) override { return real_->Append(parts); }
  absl::Status Sync() override {
    if (mutation_ == Mutation::kAckBeforeSync) return absl::OkStatus();
    const absl::Status status = real_->Sync();
    return status.ok() || mutation_ != Mutation::kSyncAgain ? status : real_->Sync();
  }
  void Truncate(uint64_t size) override { real_->Truncate(size); }

 private:
  const Mutation mutation_;
  const std::unique_ptr<AppendFile> real_;
};

class MutantFileSystem final : public FileSystem {
 public:
  MutantFileSystem(Mutation mutation, FileSystem* real) : mutation_(mutation), real_(real) {}
  absl::StatusOr<std::vector<Entry>> List(const std::string& dir) override { return real_->List(dir); }
  absl::StatusOr<Entry> Find(const std::string& path) override { return real_->Find(path); }
  absl::StatusOr<std::unique_ptr<AppendFile>> Create(const std::string& path) override {
    ASSIGN_OR_RETURN(std::unique_ptr<AppendFile> file, real_->Create(path));
    return std::unique_ptr<AppendFile>(std::make_unique<MutantFile>(mutation_, std::move(file)));
  }
  absl::StatusOr<std::unique_ptr<ReadFile>> OpenForReading(const std::string& path) override {
    return real_->OpenForReading(path);
  }
  absl::StatusOr<std::unique_ptr<PatchFile>> OpenForPatching(const std::string& path) override {
    return real_->OpenForPatching(path);
  }
  absl::Status SyncDirectory(const std::string& dir) override {
    return mutation_ == Mutation::kNameNotSynced ? absl::OkStatus() : real_->SyncDirectory(dir);
  }
  void Remove(const std::string& path) override { real_->Remove(path); }
  uint64_t FreeBytes(const std::string& dir) override { return real_->FreeBytes(dir); }

 private:
  const Mutation mutation_;
  FileSystem* const real_;
};

constexpr Mutation kMutations[] = {Mutation::kAckBeforeSync, Mutation::kSyncAgain, Mutation::kNameNotSynced,
                                   Mutation::kBlindReconciler};

}  // namespace

absl::Span<const Mutation> Mutations() { return kMutations; }

const char* MutationName(Mutation mutation) {
  switch (mutation) {
    case Mutation::kNone:
      return "none";
    case Mutation::kAckBeforeSync:
      return "ack_before_sync";
    case Mutation::kSyncAgain:
      return "sync_again";
    case Mutation::kNameNotSynced:
      return "name_not_synced";
    case Mutation::kBlindReconciler:
      return "blind_reconciler";
  }
  return "none";
}

std::unique_ptr<FileSystem> Mutate(Mutation mutation, FileSystem* real) {
  return std::make_unique<MutantFileSystem>(mutation, real);
}

}  // namespace corefleet
