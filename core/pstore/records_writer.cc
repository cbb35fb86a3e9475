#include "core/pstore/records_writer.h"

#include <lz4.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace corefleet {
namespace {

// 4.x kernels: a window of 4 KiB; raw deflate: the largest.
constexpr int kZlibWindow = 12;
constexpr int kRawWindow = -15;

std::string Deflate(absl::string_view record, int window_bits) {
  z_stream stream = {};
  if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY) != Z_OK)
    return "";
  std::string out(deflateBound(&stream, record.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(record.data()));
  stream.avail_in = static_cast<uInt>(record.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int result = deflate(&stream, Z_FINISH);
  out.resize(result == Z_STREAM_END ? stream.total_out : 0);
  deflateEnd(&stream);
  return out;
}

std::string Zstd(absl::string_view record) {
  std::string out(ZSTD_compressBound(record.size()), '\0');
  const size_t size = ZSTD_compress(out.data(), out.size(), record.data(), record.size(), 3);
  out.resize(ZSTD_isError(size) ? 0 : size);
  return out;
}

std::string Lz4(absl::string_view record) {
  std::string out(static_cast<size_t>(LZ4_compressBound(static_cast<int>(record.size()))), '\0');
  const int size = LZ4_compress_default(record.data(), out.data(), static_cast<int>(record.size()),
                                        static_cast<int>(out.size()));
  out.resize(static_cast<size_t>(std::max(size, 0)));
  return out;
}

// Takes whole lines, at most `bytes` of them and at least one, off the end of `text`.
absl::string_view TakeEnd(size_t bytes, absl::string_view* text) {
  size_t start = text->size() > bytes ? text->find('\n', text->size() - bytes - 1) + 1 : 0;
  if (start == text->size()) start = text->rfind('\n', text->size() - 2) + 1;  // npos + 1 is 0
  const absl::string_view end = text->substr(start);
  text->remove_suffix(end.size());
  return end;
}

std::string NameOf(const PstoreDump& dump, uint32_t part) {
  uint64_t id = dump.first_id;
  if (absl::StartsWith(dump.backend, "efi")) {
    id = (dump.seconds * 100 + part) * 1000 + dump.count;
  } else {
    id += part - 1;
  }
  return absl::StrCat("dmesg-", dump.backend, "-", id, dump.codec == RecordCodec::kPlain ? "" : ".enc.z");
}

}  // namespace

std::string CompressRecord(absl::string_view record, RecordCodec codec) {
  switch (codec) {
    case RecordCodec::kPlain:
      return std::string(record);
    case RecordCodec::kDeflate:
      return Deflate(record, kRawWindow);
    case RecordCodec::kZlib:
      return Deflate(record, kZlibWindow);
    case RecordCodec::kZstd:
      return Zstd(record);
    case RecordCodec::kLz4:
      return Lz4(record);
  }
  return "";
}

std::vector<PstoreFileBytes> WritePstoreDump(const PstoreDump& dump) {
  std::vector<PstoreFileBytes> files;
  absl::string_view rest = dump.text;
  do {
    const auto part = static_cast<uint32_t>(files.size() + 1);
    const size_t bytes = dump.part_bytes == 0 ? rest.size() : dump.part_bytes;
    const std::string record =
        absl::StrCat(dump.reason, "#", dump.count, " Part", part, "\n", TakeEnd(bytes, &rest));
    files.push_back({.name = NameOf(dump, part),
                     .bytes = absl::StrCat(CompressRecord(record, dump.codec), dump.ecc_notice)});
  } while (!rest.empty());
  return files;
}

}  // namespace corefleet
