#ifndef COREFLEET_CORE_KDUMP_READER_CHILD_DUMP_OPENER_H_
#define COREFLEET_CORE_KDUMP_READER_CHILD_DUMP_OPENER_H_

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "core/kdump/dumped_memory.h"

namespace corefleet {

// Opens compressed dumps with libkdumpfile, each in a process of its own (docs/decisions, "libkdumpfile"): a
// dump that kills its reader, or that it cannot get done with, costs that dump and nothing else. Copies the
// dump into a scratch folder first, because the library wants a file. Thread-safe; what it opened may outlive
// it.
class ChildDumpOpener final : public DumpOpener {
 public:
  struct Options {
    std::string scratch_folder;
    // This same program, whose main() calls MaybeRunKdumpReader.
    std::string program = "/proc/self/exe";
    uint64_t max_bytes = uint64_t{64} << 30;      // of one dump, all its parts together
    uint64_t min_free_bytes = uint64_t{1} << 30;  // that a copy must leave in the scratch folder
    int max_open = 16;                            // dumps at a time
    int timeout_ms = 20'000;                      // of one answer of a reader
  };
  explicit ChildDumpOpener(Options options) : options_(std::move(options)) {}

  // Codes: DumpOpener's. UNAVAILABLE also when max_open dumps are open.
  absl::StatusOr<std::shared_ptr<const DumpedMemory>> Open(
      const std::vector<std::shared_ptr<const ByteSource>>& parts) const override;

 private:
  const Options options_;
  const std::shared_ptr<std::atomic<int>> open_ = std::make_shared<std::atomic<int>>(0);
};

}  // namespace corefleet

#endif  // COREFLEET_CORE_KDUMP_READER_CHILD_DUMP_OPENER_H_
