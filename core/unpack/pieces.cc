#include "core/unpack/pieces.h"

#include <algorithm>
#include <utility>

#include "base/status_macros.h"

namespace corefleet {
namespace {

class Window final : public ByteSource {
 public:
  Window(std::shared_ptr<const ByteSource> file, uint64_t offset, uint64_t size)
      : file_(std::move(file)), offset_(offset), size_(size) {}
  uint64_t size() const override { return size_; }
  absl::Status ReadAt(uint64_t offset, absl::Span<uint8_t> out) const override {
    RETURN_IF_ERROR(CheckRange(offset, out.size(), size_));
    return file_->ReadAt(offset_ + offset, out);
  }

 private:
  const std::shared_ptr<const ByteSource> file_;
  const uint64_t offset_;
  const uint64_t size_;
};

}  // namespace

std::shared_ptr<const ByteSource> WindowOf(std::shared_ptr<const ByteSource> file, uint64_t offset,
                                           uint64_t size) {
  const uint64_t start = std::min(offset, file->size());
  const uint64_t length = std::min(size, file->size() - start);
  if (start == 0 && length == file->size()) return file;
  return std::make_shared<Window>(std::move(file), start, length);
}

absl::string_view SourceName(Format format) {
  switch (format) {
    case Format::kUnknown:
      return "opaque";
    case Format::kAddressTable:
    case Format::kAssembled:
      return "meminspect";
    case Format::kRawDump:
      return "rawdump";
    case Format::kQaic:
      return "qaic";
    case Format::kCoprocessor:
      return "coprocessor";
    case Format::kKinfo:
      return "kinfo";
    case Format::kPstoreRecord:
      return "pstore";
    case Format::kRamoops:
      return "ramoops";
    case Format::kVmcore:
      return "vmcore";
    case Format::kCompressedDump:
      return "kdump";
    case Format::kLogText:
      return "log";
  }
  return "opaque";
}

}  // namespace corefleet
