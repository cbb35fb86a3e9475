#include "core/export/kdump_file.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "base/status_macros.h"
#include "core/build/banner.h"
#include "core/elf/elf_header.h"
#include "core/export/core_file.h"
#include "core/export/piecewise_source.h"
#include "core/kdump/disk_dump_header.h"
#include "core/kdump/disk_dump_writer.h"
#include "core/kdump/elf_dump.h"

namespace corefleet {
namespace {

constexpr uint64_t kDefaultPage = 4096;
// Both bitmaps have a bit for every page below the highest; readers keep them in memory.
constexpr uint64_t kMaxFrames = uint64_t{1} << 29;

// Pages that follow each other, in memory and in the file.
struct Run {
  uint64_t first_frame = 0;
  uint64_t count = 0;
  uint64_t first_index = 0;  // of its first page among all pages of the file

  uint64_t end_frame() const { return first_frame + count; }
};

// The runs of pages that a dump has. Ascending, disjoint.
struct Pages {
  uint64_t size = kDefaultPage;
  std::vector<Run> runs;

  uint64_t count() const { return runs.empty() ? 0 : runs.back().first_index + runs.back().count; }
  uint64_t end_frame() const { return runs.empty() ? 0 : runs.back().end_frame(); }
};

Pages PagesOf(const CoreImage& image) {
  Pages pages;
  uint64_t page = 0;
  if (absl::SimpleAtoi(image.vmcoreinfo.Text("PAGESIZE").value_or(""), &page) &&
      (page == 4096 || page == 16384 || page == 65536)) {
    pages.size = page;
  }
  for (const CoreImage::Extent& extent : image.physical_extents()) {
    uint64_t first = extent.first / pages.size;
    const uint64_t end = extent.last / pages.size + 1;
    if (!pages.runs.empty()) first = std::max(first, pages.end_frame());
    if (first >= end) continue;
    if (!pages.runs.empty() && pages.end_frame() == first) {
      pages.runs.back().count += end - first;
    } else {
      pages.runs.push_back({first, end - first, pages.count()});
    }
  }
  return pages;
}

// A bitmap with a bit for each page: those of the runs are set.
class BitmapSource final : public ByteSource {
 public:
  BitmapSource(std::shared_ptr<const Pages> pages, uint64_t size) : pages_(std::move(pages)), size_(size) {}
  uint64_t size() const override { return size_; }

  absl::Status ReadAt(uint64_t offset, absl::Span<uint8_t> out) const override {
    RETURN_IF_ERROR(CheckRange(offset, out.size(), size_));
    std::fill(out.begin(), out.end(), 0);
    const uint64_t first = offset * 8, end = first + out.size() * 8;
    auto run = std::partition_point(pages_->runs.begin(), pages_->runs.end(),
                                    [first](const Run& r) { return r.end_frame() <= first; });
    for (; run != pages_->runs.end() && run->first_frame < end; ++run) {
      const uint64_t to = std::min(run->end_frame(), end);
      for (uint64_t frame = std::max(run->first_frame, first); frame < to; ++frame) {
        out[(frame - first) / 8] |= static_cast<uint8_t>(1 << (frame % 8));
      }
    }
    return absl::OkStatus();
  }

 private:
  const std::shared_ptr<const Pages> pages_;
  const uint64_t size_;
};

// A descriptor for each page: the pages lie one behind the other from `data_offset` on.
class DescriptorSource final : public ByteSource {
 public:
  DescriptorSource(uint64_t count, uint64_t page_size, uint64_t data_offset)
      : count_(count), page_size_(page_size), data_offset_(data_offset) {}
  uint64_t size() const override { return count_ * kPageDescBytes; }

  absl::Status ReadAt(uint64_t offset, absl::Span<uint8_t> out) const override {
    RETURN_IF_ERROR(CheckRange(offset, out.size(), size()));
    std::vector<uint8_t> descriptor;
    while (!out.empty()) {
      const uint64_t index = offset / kPageDescBytes, within = offset % kPageDescBytes;
      descriptor.clear();
      AppendPageDesc(data_offset_ + index * page_size_, static_cast<uint32_t>(page_size_), 0, &descriptor);
      const size_t n = std::min<uint64_t>(out.size(), kPageDescBytes - within);
      std::copy_n(descriptor.begin() + static_cast<ptrdiff_t>(within), n, out.begin());
      out.remove_prefix(n);
      offset += n;
    }
    return absl::OkStatus();
  }

 private:
  const uint64_t count_;
  const uint64_t page_size_;
  const uint64_t data_offset_;
};

// The pages themselves; what of a page is in no segment is zeros.
class PageSource final : public ByteSource {
 public:
  PageSource(const CoreImage& image, std::shared_ptr<const Pages> pages)
      : image_(image), pages_(std::move(pages)) {}
  uint64_t size() const override { return pages_->count() * pages_->size; }

  absl::Status ReadAt(uint64_t offset, absl::Span<uint8_t> out) const override {
    RETURN_IF_ERROR(CheckRange(offset, out.size(), size()));
    while (!out.empty()) {
      const uint64_t index = offset / pages_->size;
      const auto run = std::partition_point(pages_->runs.begin(), pages_->runs.end(), [index](const Run& r) {
        return r.first_index + r.count <= index;
      });
      const uint64_t to_run_end = (run->first_index + run->count) * pages_->size - offset;
      const uint64_t paddr =
          (run->first_frame + (index - run->first_index)) * pages_->size + offset % pages_->size;
      const size_t n = std::min<uint64_t>(out.size(), to_run_end);
      RETURN_IF_ERROR(ReadWithZeros(paddr, out.first(n)));
      out.remove_prefix(n);
      offset += n;
    }
    return absl::OkStatus();
  }

 private:
  absl::Status ReadWithZeros(uint64_t paddr, absl::Span<uint8_t> out) const {
    std::fill(out.begin(), out.end(), 0);
    const uint64_t last = paddr + (out.size() - 1);
    const auto& extents = image_.physical_extents();
    auto extent = std::partition_point(extents.begin(), extents.end(),
                                       [paddr](const CoreImage::Extent& e) { return e.last < paddr; });
    for (; extent != extents.end() && extent->first <= last; ++extent) {
      const uint64_t from = std::max(extent->first, paddr), to = std::min(extent->last, last);
      RETURN_IF_ERROR(image_.ReadPhysical(from, out.subspan(from - paddr, to - from + 1)));
    }
    return absl::OkStatus();
  }

  const CoreImage image_;
  const std::shared_ptr<const Pages> pages_;
};

// uname's word, by which readers tell the architecture.
absl::string_view MachineWord(uint16_t machine) {
  switch (machine) {
    case kElfMachineX86_64:
      return "x86_64";
    case kElfMachineAarch64:
      return "aarch64";
    case 243:
      return "riscv64";
    default:
      return "";
  }
}

DiskDumpHeader NamesOf(const CoreImage& image) {
  DiskDumpHeader header;
  header.machine_name = std::string(MachineWord(image.e_machine));
  header.release = std::string(image.vmcoreinfo.Text("OSRELEASE").value_or(""));
  const std::optional<uint64_t> symbol = image.vmcoreinfo.Symbol("init_uts_ns");
  std::vector<uint8_t> bytes(kUtsNameBytes);
  if (symbol && image
                    .ReadVirtual(*symbol + image.vmcoreinfo.Offset("uts_namespace.name").value_or(0),
                                 absl::MakeSpan(bytes))
                    .ok()) {
    if (const auto name = ParseUtsName(bytes)) {
      header.kernel_version = name->version;
      if (header.release.empty()) header.release = name->release;
    }
  }
  uint64_t seconds = 0;
  if (absl::SimpleAtoi(image.vmcoreinfo.Text("CRASHTIME").value_or(""), &seconds))
    header.crash_seconds = seconds;
  return header;
}

uint64_t Up(uint64_t value, uint64_t unit) { return (value + unit - 1) / unit * unit; }

}  // namespace

absl::StatusOr<std::shared_ptr<const ByteSource>> MakeKdumpFile(const CoreImage& image) {
  if (image.dump_file != nullptr && !image.dump_is_elf) return image.dump_file;
  if (image.memory != nullptr && image.dump_file == nullptr) {
    return absl::FailedPreconditionError("the dump came in several parts; take `raw`, which has them");
  }
  if (MachineWord(image.e_machine).empty()) {
    return absl::FailedPreconditionError(
        "the machine is not known, or of none that readers of this format know");
  }
  const auto pages = std::make_shared<const Pages>(PagesOf(image));
  if (pages->runs.empty()) return absl::NotFoundError("no region of this crash has a known physical address");
  if (pages->end_frame() > kMaxFrames) {
    return absl::FailedPreconditionError(
        "a page lies too high in memory for this format's bitmaps; take `core`");
  }
  ASSIGN_OR_RETURN(const std::vector<uint8_t> notes,
                   image.dump_file != nullptr ? ReadElfDumpNotes(*image.dump_file) : MakeNotes(image));
  DiskDumpHeader header = NamesOf(image);
  const uint64_t block = header.block_size = pages->size;
  const std::string& info = image.vmcoreinfo.text();
  const bool incomplete = image.dump_file != nullptr ? (image.e_flags & 1) != 0 : IsIncomplete(image);
  header.status = incomplete ? kDumpIncompleteStatus : 0;
  header.cpu_count = std::max<uint32_t>(1, image.prstatus_count);
  header.page_frames = pages->end_frame();
  header.vmcoreinfo_offset = 2 * block;
  header.vmcoreinfo_size = info.size();
  header.notes_offset = header.vmcoreinfo_offset + Up(info.size(), 4);
  header.notes_size = notes.size();
  header.sub_header_blocks = Up(header.notes_offset + notes.size(), block) / block - 1;
  const uint64_t bitmap = Up((header.page_frames + 7) / 8, block);
  header.bitmap_blocks = 2 * bitmap / block;

  auto file = std::make_shared<PiecewiseSource>();
  file->AppendBytes(MakeDiskDumpHeader(header, image.vmcoreinfo.Number("phys_base").value_or(0)));
  file->AppendBytes(std::vector<uint8_t>(info.begin(), info.end()));
  file->AppendZeros(header.notes_offset - file->size());
  file->AppendBytes(notes);
  file->AlignTo(block);
  const auto bits = std::make_shared<const BitmapSource>(pages, bitmap);
  for (int i = 0; i < 2; ++i) RETURN_IF_ERROR(file->AppendRange(bits, 0, bitmap));
  const uint64_t data_at = Up(file->size() + pages->count() * kPageDescBytes, block);
  const auto descriptors = std::make_shared<const DescriptorSource>(pages->count(), block, data_at);
  RETURN_IF_ERROR(file->AppendRange(descriptors, 0, descriptors->size()));
  file->AlignTo(block);
  const auto data = std::make_shared<const PageSource>(image, pages);
  RETURN_IF_ERROR(file->AppendRange(data, 0, data->size()));
  return file;
}

}  // namespace corefleet
