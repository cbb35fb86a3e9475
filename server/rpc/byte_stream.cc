#include "server/rpc/byte_stream.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace corefleet {
namespace {

constexpr uint64_t kPieceBytes = 256 * 1024;

}  // namespace

absl::StatusOr<ByteStream> ByteStream::Start(std::shared_ptr<const ByteSource> source, uint64_t offset,
                                             uint64_t length) {
  const uint64_t size = source->size();
  if (offset > size) {
    return absl::OutOfRangeError(
        absl::StrCat("offset ", offset, " is behind the end: there are ", size, " bytes"));
  }
  const uint64_t rest = size - offset;
  const uint64_t end = length == 0 || length > rest ? size : offset + length;
  return ByteStream(std::move(source), offset, end);
}

absl::StatusOr<bool> ByteStream::Next(v1::ReadArtifactResponse* response) {
  if (done_) return false;
  std::string* data = response->mutable_data();
  data->resize(std::min(kPieceBytes, end_ - next_));
  RETURN_IF_ERROR(
      source_->ReadAt(next_, absl::MakeSpan(reinterpret_cast<uint8_t*>(data->data()), data->size())));
  if (first_) response->set_total_size(source_->size());
  response->set_offset(next_);
  response->set_crc32c(Crc32c(BytesOf(*data)));
  digest_.Update(BytesOf(*data));
  first_ = false;
  next_ += data->size();
  done_ = next_ == end_;
  if (done_) {
    const Sha256Digest digest = digest_.Finish();
    response->set_sha256(std::string(digest.begin(), digest.end()));
  }
  return true;
}

}  // namespace corefleet
