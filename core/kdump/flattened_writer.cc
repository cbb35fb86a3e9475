#include "core/kdump/flattened_writer.h"

#include <algorithm>

#include "core/kdump/flattened.h"

namespace corefleet {
namespace {

void AppendBig(uint64_t value, std::vector<uint8_t>* out) {
  for (int shift = 56; shift >= 0; shift -= 8) out->push_back(static_cast<uint8_t>(value >> shift));
}

}  // namespace

FlattenedWriter::FlattenedWriter() {
  constexpr absl::string_view kSignature("makedumpfile\0\0\0\0", 16);
  stream_.assign(kSignature.begin(), kSignature.end());
  AppendBig(1, &stream_);  // type
  AppendBig(1, &stream_);  // version
  stream_.resize(kFlattenedHeaderBytes);
}

void FlattenedWriter::Append(uint64_t offset, ByteView bytes) {
  AppendBig(offset, &stream_);
  AppendBig(bytes.size(), &stream_);
  stream_.insert(stream_.end(), bytes.begin(), bytes.end());
}

std::vector<uint8_t> FlattenedWriter::Stream(bool ended) const {
  std::vector<uint8_t> stream = stream_;
  if (ended) stream.insert(stream.end(), kFlattenedPieceHeaderBytes, 0xff);
  return stream;
}

std::vector<uint8_t> Flatten(ByteView file, uint64_t piece_bytes) {
  FlattenedWriter writer;
  for (uint64_t at = 0; at < file.size(); at += piece_bytes) writer.Append(at, file.subspan(at, piece_bytes));
  writer.Append(0, file.subspan(0, piece_bytes));
  return writer.Stream();
}

}  // namespace corefleet
