#include "core/kdump/reader/reader_main.h"

#include <libkdumpfile/kdumpfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/kdump/reader/confinement.h"
#include "core/kdump/reader/reader_protocol.h"

namespace corefleet {
namespace {

constexpr size_t kMaxMessage = 512;

bool Receive(absl::Span<uint8_t> out) {
  while (!out.empty()) {
    const ssize_t n = recv(kReaderSocket, out.data(), out.size(), 0);
    if (n <= 0) return false;
    out.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

bool Send(absl::Span<const uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = send(kReaderSocket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

template <typename Record>
absl::Span<const uint8_t> BytesOfRecord(const Record& record) {
  return {reinterpret_cast<const uint8_t*>(&record), sizeof(record)};
}

absl::StatusCode CodeOf(kdump_status status) {
  switch (status) {
    case KDUMP_OK:
      return absl::StatusCode::kOk;
    case KDUMP_ERR_NODATA:
    case KDUMP_ERR_ADDRXLAT:
      return absl::StatusCode::kNotFound;
    case KDUMP_ERR_NOTIMPL:
      return absl::StatusCode::kUnimplemented;
    case KDUMP_ERR_CORRUPT:
    case KDUMP_ERR_EOF:
    case KDUMP_ERR_INVALID:
    case KDUMP_ERR_NOKEY:
      return absl::StatusCode::kDataLoss;
    case KDUMP_ERR_SYSTEM:
    case KDUMP_ERR_BUSY:
      return absl::StatusCode::kInternal;
  }
  return absl::StatusCode::kInternal;
}

// Serves one dump.
class Reader {
 public:
  explicit Reader(kdump_ctx_t* dump) : dump_(dump), buffer_(kMaxReaderBytes) {}

  void Run(absl::Span<const int> files) {
    const kdump_status opened = kdump_open_fdset(dump_, static_cast<unsigned>(files.size()), files.data());
    // Without it libkdumpfile translates no kernel address; it may lack what it needs to, and reads all the
    // same.
    if (opened == KDUMP_OK && kdump_set_string_attr(dump_, "addrxlat.ostype", "linux") != KDUMP_OK) {
      kdump_clear_err(dump_);
    }
    if (opened == KDUMP_OK) CountInBlocksOf(files[0]);
    if (!Answer(opened, {}) || opened != KDUMP_OK) return;
    ReaderRequest request;
    while (Receive({reinterpret_cast<uint8_t*>(&request), sizeof(request)}) && Serve(request)) {
    }
  }

 private:
  // Quirk: libkdumpfile counts page frames in the kernel's pages, as VMCOREINFO gives them. QEMU's dumps of
  // arm64 count in the 64 KiB blocks that their header names, whatever the kernel's pages are; then every
  // frame would be another's.
  void CountInBlocksOf(int file) {
    constexpr size_t kBlockSizeAt = 428;  // of a 64-bit disk_dump_header (docs/formats/kdump.md)
    uint8_t head[kBlockSizeAt + 4];
    if (pread(file, head, sizeof(head), 0) != static_cast<ssize_t>(sizeof(head))) return;
    if (std::memcmp(head, "KDUMP   ", 8) != 0) return;
    uint32_t block = 0;
    for (int i = 3; i >= 0; --i) block = block << 8 | head[kBlockSizeAt + static_cast<size_t>(i)];
    kdump_num_t pages = 0;
    const bool known = kdump_get_number_attr(dump_, "arch.page_size", &pages) == KDUMP_OK;
    const bool sane = block >= 4096 && block <= 65536 && (block & (block - 1)) == 0;
    if (known && sane && pages != block) kdump_set_number_attr(dump_, "arch.page_size", block);
    kdump_clear_err(dump_);
  }

  bool Serve(const ReaderRequest& request) {
    const uint32_t size = std::min(request.size, kMaxReaderBytes);
    switch (request.op) {
      case ReaderOp::kPhysical:
        // Not KPHYSADDR: that is translated, and refused when the dump does not name its machine (QEMU's do
        // not).
        return AnswerRead(KDUMP_MACHPHYSADDR, request.address, size);
      case ReaderOp::kVirtual:
        return AnswerRead(KDUMP_KVADDR, request.address, size);
    }
    return false;
  }

  bool AnswerRead(kdump_addrspace_t space, uint64_t address, uint32_t size) {
    size_t length = size;
    kdump_status status = kdump_read(dump_, space, address, buffer_.data(), &length);
    if (status == KDUMP_OK && length != size) status = KDUMP_ERR_NODATA;
    return Answer(status, absl::MakeConstSpan(buffer_).first(size));
  }

  bool Answer(kdump_status status, absl::Span<const uint8_t> bytes) {
    absl::string_view message;
    if (status != KDUMP_OK) {
      const char* const text = kdump_get_err(dump_);
      message = absl::string_view(text != nullptr ? text : "").substr(0, kMaxMessage);
      bytes = {reinterpret_cast<const uint8_t*>(message.data()), message.size()};
    }
    const ReaderReply reply{static_cast<uint32_t>(CodeOf(status)), static_cast<uint32_t>(bytes.size())};
    const bool sent = Send(BytesOfRecord(reply)) && Send(bytes);
    kdump_clear_err(dump_);
    return sent;
  }

  kdump_ctx_t* const dump_;
  std::vector<uint8_t> buffer_;
};

int ServeDump(absl::string_view count_text) {
  int count = 0;
  if (!absl::SimpleAtoi(count_text, &count) || count < 1 || count > kMaxReaderFiles) return 2;
  if (!ConfineThisProcess().ok()) return 3;
  std::vector<int> files;
  for (int i = 0; i < count; ++i) files.push_back(kReaderFirstFile + i);
  kdump_ctx_t* const dump = kdump_new();
  if (dump == nullptr) return 4;
  Reader(dump).Run(files);
  return 0;
}

}  // namespace

void MaybeRunKdumpReader(int argc, char** argv) {
  if (argc != 3 || absl::string_view(argv[1]) != kReaderArgument) return;
  // Nothing of the program that this also is shall run at its end.
  _exit(ServeDump(argv[2]));
}

}  // namespace corefleet
