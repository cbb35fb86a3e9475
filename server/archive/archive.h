#ifndef COREFLEET_SERVER_ARCHIVE_ARCHIVE_H_
#define COREFLEET_SERVER_ARCHIVE_ARCHIVE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/bytes/byte_source.h"
#include "core/crash/ids.h"
#include "core/export/artifact.h"
#include "core/kdump/dumped_memory.h"
#include "core/printk/kernel_log.h"
#include "server/archive/opened_crash_cache.h"
#include "storage/crash_index.h"
#include "storage/pack_store.h"

namespace corefleet {

struct ListedCrashes {
  std::vector<StoredCrash> crashes;  // newest first
  std::string next_page_token;       // empty at the end
};

// Gives engineers what is stored. `name` is a crash's id, a prefix of it that no other crash shares (four
// digits at least), or "@latest". Thread-safe; every method blocks. Every method may return
//   NOT_FOUND            no such crash
//   FAILED_PRECONDITION  several crashes share the prefix; the text lists them
//   INVALID_ARGUMENT     `name` cannot name a crash
//   UNAVAILABLE          the index or the store does not answer
//   DATA_LOSS            stored bytes are damaged
class Archive {
 public:
  // All must outlive the archive and every source that it gave. `opener` reads compressed dumps and may be
  // null.
  Archive(CrashIndex* index, PackStore* store, const DumpOpener* opener = nullptr)
      : index_(index), opened_(index, store, opener) {}

  absl::StatusOr<CrashId> Resolve(absl::string_view name);

  absl::StatusOr<StoredCrash> Get(absl::string_view name);

  // `page_size` is 1 to 1000, or 0 for 50.
  //   INVALID_ARGUMENT  a wrong page size, or a token that another filter's page gave
  absl::StatusOr<ListedCrashes> List(const CrashFilter& filter, int page_size, absl::string_view page_token);

  // The token of the page that goes on behind `last`, for a caller that cuts a page short.
  static std::string TokenAfter(const CrashFilter& filter, const CrashId& last);

  // Empty when the crash has no log.
  absl::StatusOr<std::shared_ptr<const KernelLog>> Log(absl::string_view name);

  // Codes: also MakeArtifact's.
  absl::StatusOr<std::shared_ptr<const ByteSource>> Artifact(absl::string_view name, ArtifactKind kind);

  // `region` as a person would say it: a file name as received, a region's name, its meminspect id, or name
  // and id.
  //   NOT_FOUND            no such region, or nothing was received for it
  //   FAILED_PRECONDITION  several fit; the text lists them
  absl::StatusOr<std::shared_ptr<const ByteSource>> Region(absl::string_view name, absl::string_view region);

  enum class Addresses { kVirtual, kPhysical };
  //   INVALID_ARGUMENT  `length` is not 1 to 1 MiB, or the range leaves 64 bits
  //   NOT_FOUND         a byte is not in the image; the text says how many are, from `address` on
  absl::StatusOr<std::vector<uint8_t>> ReadMemory(absl::string_view name, Addresses addresses,
                                                  uint64_t address, uint32_t length);

 private:
  absl::StatusOr<CrashId> Latest();
  absl::StatusOr<std::shared_ptr<const OpenedCrash>> Open(absl::string_view name);

  CrashIndex* const index_;
  OpenedCrashCache opened_;
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_ARCHIVE_ARCHIVE_H_
