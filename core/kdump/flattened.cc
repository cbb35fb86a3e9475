#include "core/kdump/flattened.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "core/bytes/byte_reader.h"
#include "core/kdump/extent_map.h"

namespace corefleet {
namespace {

constexpr absl::string_view kSignature("makedumpfile\0\0\0\0", 16);
constexpr uint64_t kEndMark = UINT64_MAX;
// A file is hardly longer than its pieces together. What a hostile header claims beyond is not believed: who
// copies the file would write zeros without end.
constexpr uint64_t kMaxHoleBytes = uint64_t{1} << 30;

class UnflattenedSource final : public ByteSource {
 public:
  UnflattenedSource(std::shared_ptr<const ByteSource> stream, ExtentMap pieces)
      : stream_(std::move(stream)),
        pieces_(std::move(pieces)),
        size_(pieces_.extents().empty() ? 0 : pieces_.extents().back().end()) {}

  uint64_t size() const override { return size_; }

  absl::Status ReadAt(uint64_t offset, absl::Span<uint8_t> out) const override {
    RETURN_IF_ERROR(CheckRange(offset, out.size(), size_));
    const auto& all = pieces_.extents();
    auto piece = std::partition_point(all.begin(), all.end(),
                                      [offset](const ExtentMap::Extent& e) { return e.end() <= offset; });
    while (!out.empty()) {
      const bool hole = piece->start > offset;
      const size_t n = std::min<uint64_t>(out.size(), (hole ? piece->start : piece->end()) - offset);
      if (hole) {
        std::fill_n(out.begin(), n, 0);
      } else {
        RETURN_IF_ERROR(stream_->ReadAt(piece->at + (offset - piece->start), out.first(n)));
        ++piece;
      }
      out.remove_prefix(n);
      offset += n;
    }
    return absl::OkStatus();
  }

 private:
  const std::shared_ptr<const ByteSource> stream_;
  const ExtentMap pieces_;
  const uint64_t size_;
};

struct PieceHeader {
  uint64_t offset;
  uint64_t size;
  bool ends() const { return offset == kEndMark && size == kEndMark; }
};

PieceHeader ParsePieceHeader(ByteView bytes) {
  ByteReader reader(bytes, Endian::kBig);
  const uint64_t offset = reader.U64();
  return {offset, reader.U64()};
}

}  // namespace

bool LooksLikeFlattened(ByteView head) {
  return head.size() >= kSignature.size() && TextOf(head.first(kSignature.size())) == kSignature;
}

ByteView FirstFlattenedPiece(ByteView head) {
  uint64_t at = kFlattenedHeaderBytes;
  while (LooksLikeFlattened(head) && at < head.size() && head.size() - at > kFlattenedPieceHeaderBytes) {
    const PieceHeader piece = ParsePieceHeader(head.subspan(at, kFlattenedPieceHeaderBytes));
    at += kFlattenedPieceHeaderBytes;
    if (piece.offset == 0) return head.subspan(at, piece.size);
    if (piece.size >= head.size() - at) break;
    at += piece.size;
  }
  return {};
}

absl::StatusOr<Unflattened> Unflatten(std::shared_ptr<const ByteSource> stream) {
  std::array<uint8_t, 32> start;
  if (stream->size() < start.size()) return absl::InvalidArgumentError("shorter than the header of a stream");
  RETURN_IF_ERROR(stream->ReadAt(0, absl::MakeSpan(start)));
  if (!LooksLikeFlattened(start)) return absl::InvalidArgumentError("no flattened stream");
  const PieceHeader form = ParsePieceHeader(ByteView(start).subspan(kSignature.size()));
  if (form.offset != 1 || form.size != 1) {
    return absl::UnimplementedError(absl::StrCat("a flattened stream of type ", form.offset, " and version ",
                                                 form.size, "; 1 and 1 are read"));
  }
  const uint64_t limit = stream->size() + kMaxHoleBytes;
  Unflattened result;
  std::vector<ExtentMap::Extent> pieces;
  bool ended = false;
  for (uint64_t at = kFlattenedHeaderBytes; !ended && result.cut.empty();) {
    if (at > stream->size() || stream->size() - at < kFlattenedPieceHeaderBytes) {
      result.cut = absl::StrCat("the stream ends after ", stream->size(), " bytes, without its end mark");
      break;
    }
    std::array<uint8_t, kFlattenedPieceHeaderBytes> bytes;
    RETURN_IF_ERROR(stream->ReadAt(at, absl::MakeSpan(bytes)));
    const PieceHeader piece = ParsePieceHeader(bytes);
    const uint64_t data = at + kFlattenedPieceHeaderBytes;
    const uint64_t there = std::min(piece.size, stream->size() - data);
    if (piece.ends()) {
      ended = true;
    } else if (piece.offset > limit || piece.size > limit - piece.offset) {
      result.cut = absl::StrCat("no piece of a file begins at byte ", at, " of the stream");
    } else if (pieces.size() == kMaxFlattenedPieces) {
      result.cut = absl::StrCat("more than ", kMaxFlattenedPieces, " pieces; the rest was not read");
    } else {
      pieces.push_back({piece.offset, there, data});
      if (there < piece.size) {
        result.cut = absl::StrCat("the stream ends ", piece.size - there, " bytes before the end of a piece");
      }
    }
    at = data + there;
  }
  result.bytes = std::make_shared<UnflattenedSource>(std::move(stream), ExtentMap(std::move(pieces)));
  return result;
}

}  // namespace corefleet
