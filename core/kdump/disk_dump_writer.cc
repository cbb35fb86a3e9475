#include "core/kdump/disk_dump_writer.h"

#include <algorithm>

namespace corefleet {
namespace {

constexpr uint64_t kVersion = 6;
constexpr size_t kNameBytes = 65;
constexpr uint32_t kCompressions =
    kDumpCompressedZlib | kDumpCompressedLzo | kDumpCompressedSnappy | kDumpCompressedZstd;

template <typename Integer>
void Append(Integer value, std::vector<uint8_t>* out) {
  for (size_t i = 0; i < sizeof(value); ++i) out->push_back(static_cast<uint8_t>(value >> (8 * i)));
}

void AppendName(const std::string& name, std::vector<uint8_t>* out) {
  const size_t n = std::min(name.size(), kNameBytes - 1);
  out->insert(out->end(), name.begin(), name.begin() + n);
  out->resize(out->size() + (kNameBytes - n));
}

uint32_t Low32(uint64_t value) { return static_cast<uint32_t>(std::min<uint64_t>(value, UINT32_MAX)); }

// Zeros up to the next block.
void AlignTo(uint64_t block, std::vector<uint8_t>* out) {
  out->resize((out->size() + block - 1) / block * block);
}

void AppendBitmap(const DiskDumpContents& contents, uint64_t bytes, std::vector<uint8_t>* out) {
  const size_t start = out->size();
  out->resize(start + bytes);
  for (const auto& [frame, page] : contents.pages) (*out)[start + frame / 8] |= uint8_t(1 << (frame % 8));
}

void AppendPages(const DiskDumpContents& contents, std::vector<uint8_t>* file) {
  std::vector<uint8_t> descs, data;
  uint64_t count = 0;
  const auto is_here = [&](uint64_t frame) {
    return !contents.split || (frame >= contents.first_frame && frame < contents.end_frame);
  };
  for (const auto& [frame, page] : contents.pages) count += is_here(frame) ? 1 : 0;
  const uint64_t data_at = file->size() + count * kPageDescBytes;
  for (const auto& [frame, page] : contents.pages) {
    if (!is_here(frame)) continue;
    std::vector<uint8_t> packed;
    if (contents.compress) packed = contents.compress(page);
    const bool smaller = !packed.empty() && packed.size() < page.size();
    const std::vector<uint8_t>& stored = smaller ? packed : page;
    AppendPageDesc(data_at + data.size(), static_cast<uint32_t>(stored.size()),
                   smaller ? contents.status & kCompressions : 0, &descs);
    data.insert(data.end(), stored.begin(), stored.end());
  }
  file->insert(file->end(), descs.begin(), descs.end());
  file->insert(file->end(), data.begin(), data.end());
}

}  // namespace

std::vector<uint8_t> MakeDiskDumpHeader(const DiskDumpHeader& header, uint64_t phys_base) {
  std::vector<uint8_t> out;
  const absl::string_view signature = "KDUMP   ";
  out.assign(signature.begin(), signature.end());
  Append(uint32_t{kVersion}, &out);
  for (const std::string& name : {std::string("Linux"), header.node, header.release, header.kernel_version,
                                  header.machine_name, std::string()}) {
    AppendName(name, &out);
  }
  out.resize((out.size() + 7) / 8 * 8);  // struct timeval's alignment
  Append(header.crash_seconds, &out);
  Append(uint64_t{0}, &out);
  Append(header.status, &out);
  Append(Low32(header.block_size), &out);
  Append(Low32(header.sub_header_blocks), &out);
  Append(Low32(header.bitmap_blocks), &out);
  Append(Low32(header.page_frames), &out);
  for (int i = 0; i < 4; ++i) Append(uint32_t{0}, &out);  // RAM, device and written blocks, CPU that dumped
  Append(header.cpu_count, &out);
  out.resize(header.block_size);
  Append(phys_base, &out);
  Append(header.dump_level, &out);
  Append(uint32_t{header.split}, &out);
  for (const uint64_t value : {header.first_frame, header.end_frame, header.vmcoreinfo_offset,
                               header.vmcoreinfo_size, header.notes_offset, header.notes_size, uint64_t{0},
                               uint64_t{0}, header.first_frame, header.end_frame, header.page_frames}) {
    Append(value, &out);
  }
  out.resize(2 * header.block_size);
  return out;
}

void AppendPageDesc(uint64_t offset, uint32_t size, uint32_t flags, std::vector<uint8_t>* out) {
  Append(offset, out);
  Append(size, out);
  Append(flags, out);
  Append(uint64_t{0}, out);  // page flags, which nobody reads
}

std::vector<uint8_t> WriteDiskDump(const DiskDumpContents& contents) {
  DiskDumpHeader header;
  header.release = contents.release;
  header.kernel_version = contents.version;
  header.machine_name = contents.machine_name;
  header.node = "(none)";
  header.status = contents.status;
  header.block_size = contents.block_size;
  header.cpu_count = 1;
  header.split = contents.split;
  header.first_frame = contents.first_frame;
  header.end_frame = contents.end_frame;
  const uint64_t last = contents.pages.empty() ? 0 : contents.pages.rbegin()->first;
  header.page_frames = std::max(contents.page_frames, last + 1);
  // What follows the sub header's fields shares its blocks.
  header.vmcoreinfo_offset = 2 * header.block_size;
  header.vmcoreinfo_size = contents.vmcoreinfo.size();
  header.notes_offset = header.vmcoreinfo_offset + header.vmcoreinfo_size;
  header.notes_size = contents.notes.size();
  const uint64_t block = header.block_size;
  header.sub_header_blocks = 1 + (header.vmcoreinfo_size + header.notes_size + block - 1) / block;
  const uint64_t bitmap = ((header.page_frames + 7) / 8 + block - 1) / block * block;
  header.bitmap_blocks = 2 * bitmap / block;

  std::vector<uint8_t> file = MakeDiskDumpHeader(header, contents.phys_base);
  file.insert(file.end(), contents.vmcoreinfo.begin(), contents.vmcoreinfo.end());
  file.insert(file.end(), contents.notes.begin(), contents.notes.end());
  AlignTo(block, &file);
  AppendBitmap(contents, bitmap, &file);
  AppendBitmap(contents, bitmap, &file);
  AppendPages(contents, &file);
  return file;
}

}  // namespace corefleet
