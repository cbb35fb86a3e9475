#include "cli/download.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "cli/archive_connection.h"
#include "core/digest/digest.h"

namespace corefleet {
namespace {

constexpr int kMaxBreaks = 5;

// One download over as many calls as it takes.
class Transfer {
 public:
  Transfer(const Download& download, uint64_t offset) : download_(download), offset_(offset) {}

  absl::Status Run() {
    for (int breaks = 0;;) {
      const uint64_t before = offset_;
      const absl::Status status = OneCall();
      if (!absl::IsUnavailable(status)) return status;
      breaks = offset_ > before ? 0 : breaks + 1;
      if (breaks >= kMaxBreaks) return status;
      download_.clock->Sleep(absl::Milliseconds(100) * (1 << breaks));
    }
  }

 private:
  absl::Status OneCall() {
    grpc::ClientContext context;
    const Download::Reader reader = download_.open(&context, offset_);
    Sha256 digest;
    std::string announced;
    absl::Status status;
    v1::ReadArtifactResponse piece;
    while (status.ok() && reader->Read(&piece)) {
      announced = piece.sha256();
      status = Take(piece, &digest);
    }
    if (!status.ok()) {
      context.TryCancel();
      while (reader->Read(&piece)) {
      }
      reader->Finish();
      return status;
    }
    RETURN_IF_ERROR(FromGrpc(reader->Finish()));
    return CheckEnd(announced, &digest);
  }

  absl::Status Take(const v1::ReadArtifactResponse& piece, Sha256* digest) {
    if (!total_) {
      total_ = piece.total_size();
      RETURN_IF_ERROR(download_.on_size(*total_));
    }
    const ByteView bytes = BytesOf(piece.data());
    if (bytes.empty()) return absl::OkStatus();
    if (piece.offset() != offset_) {
      return absl::DataLossError(
          absl::StrCat("the server sent bytes ", piece.offset(), " where ", offset_, " come next"));
    }
    if (Crc32c(bytes) != piece.crc32c()) {
      return absl::DataLossError(absl::StrCat("the bytes at ", offset_, " arrived damaged"));
    }
    digest->Update(bytes);
    RETURN_IF_ERROR(download_.write(bytes));
    offset_ += bytes.size();
    return absl::OkStatus();
  }

  absl::Status CheckEnd(const std::string& announced, Sha256* digest) {
    if (!total_) RETURN_IF_ERROR(download_.on_size(*(total_ = offset_)));
    if (offset_ != *total_) {
      return absl::UnavailableError(
          absl::StrCat("the server stopped at ", offset_, " of ", *total_, " bytes"));
    }
    const Sha256Digest ours = digest->Finish();
    if (!announced.empty() && BytesOf(announced) != ByteView(ours)) {
      return absl::DataLossError("the SHA-256 of what arrived is not what the server sent");
    }
    return absl::OkStatus();
  }

  const Download& download_;
  uint64_t offset_;
  std::optional<uint64_t> total_;
};

}  // namespace

absl::Status RunDownload(const Download& download, uint64_t offset) {
  return Transfer(download, offset).Run();
}

}  // namespace corefleet
