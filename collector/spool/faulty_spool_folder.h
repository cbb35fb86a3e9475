#ifndef COREFLEET_COLLECTOR_SPOOL_FAULTY_SPOOL_FOLDER_H_
#define COREFLEET_COLLECTOR_SPOOL_FAULTY_SPOOL_FOLDER_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "collector/spool/spool_folder.h"

namespace corefleet {

// A disk in memory whose power can be cut, whose users can be killed, that can be full, read-only, or fail.
// It outlives the folders that are opened on it. For tests, one thread at a time.
class FaultyDisk {
 public:
  // What it holds, opened anew: what was killed is alive again.
  std::unique_ptr<SpoolFolder> Open();

  // From the `operation`-th change from now on (1 is the next one) everything fails, as for a process that
  // was killed: reads too. Of a write that it hits the first half is done.
  void DieAt(int operation) { die_at_ = changes_ + operation; }
  // The `operation`-th change from now on fails with `status`; a write does its first half.
  void FailAt(int operation, absl::Status status) {
    fail_at_ = changes_ + operation;
    failure_ = std::move(status);
  }
  bool dead() const { return dead_; }
  // Changes so far: creating, writing, cutting, syncing, renaming, removing.
  int changes() const { return changes_; }

  // What is left of it after a power cut: of every file what was synced, and of the rest whatever `random`
  // (any number below its argument) leaves, block by block; of the names that were not synced the first few
  // changes.
  void CutPower(const std::function<uint64_t(uint64_t)>& random);
  // The process is gone, the machine stays: nothing is lost but what was not written.
  void Restart() { dead_ = false, die_at_ = fail_at_ = 0; }

  void set_free_bytes(uint64_t bytes) { free_bytes_ = bytes; }
  void set_free_inodes(uint64_t inodes) { free_inodes_ = inodes; }
  void set_read_only(bool read_only) { read_only_ = read_only; }
  uint64_t free_bytes() const { return free_bytes_; }

  // The bytes of a file, to look at or to spoil. Null: there is none.
  std::vector<uint8_t>* Bytes(const std::string& name);
  std::vector<std::string> Names() const;

 private:
  class Folder;
  class File;
  class Reader;

  struct Inode {
    std::vector<uint8_t> bytes;
    std::vector<uint8_t> synced;
  };
  using Names_ = std::map<std::string, std::shared_ptr<Inode>>;

  // Counts a change. Not OK: it fails; `half` says that half of it shall be done.
  absl::Status Change(bool* half = nullptr);
  absl::Status Alive() const;
  absl::Status Write(Inode* inode, uint64_t offset, ByteView bytes);
  absl::Status Resize(Inode* inode, uint64_t size);
  void SetNames(const std::string& name, std::shared_ptr<Inode> inode);
  void GiveBack(const std::shared_ptr<Inode>& inode);

  Names_ names_;
  Names_ synced_names_;
  std::vector<Names_> unsynced_names_;  // as they were after each change since the last sync
  uint64_t free_bytes_ = uint64_t{1} << 30;
  uint64_t free_inodes_ = 100000;
  bool read_only_ = false;
  bool dead_ = false;
  int changes_ = 0;
  int die_at_ = 0;
  int fail_at_ = 0;
  absl::Status failure_;
};

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_SPOOL_FAULTY_SPOOL_FOLDER_H_
