#include "core/kdump/disk_dump_header.h"

#include <algorithm>
#include <bit>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "core/elf/elf_notes.h"

namespace corefleet {
namespace {

constexpr size_t kSignatureBytes = 8;
constexpr size_t kNameBytes = 65;
// Through nr_cpus, as a 64-bit makedumpfile lays it out.
constexpr size_t kHeaderBytes = 464;
constexpr size_t kSubHeaderBytes = 104;
constexpr uint32_t kLastVersion = 6;
constexpr uint64_t kMaxVmcoreinfoBytes = 64 * 1024;
constexpr uint64_t kMaxNoteBytes = 16 << 20;
constexpr size_t kMaxNotes = 65536;
constexpr uint64_t kMaxBitmapBytes = 64 << 20;
// A block number must not leave 64 bits as an offset, nor be more than any machine has.
constexpr uint64_t kMaxBlocks = uint64_t{1} << 40;
constexpr uint64_t kLastDescriptors = 4096;

std::string Name(ByteReader* reader) {
  const absl::string_view bytes = TextOf(reader->Bytes(kNameBytes));
  return std::string(bytes.substr(0, bytes.find('\0')));
}

bool IsBlockSize(uint64_t size) { return size >= 1024 && size <= 65536 && std::has_single_bit(size); }

// The common part; false when the block size, whose place depends on the word size, is none.
bool ParseMain(ByteView bytes, DiskDumpHeader* header) {
  ByteReader reader(bytes, header->endian);
  reader.Skip(kSignatureBytes);
  header->version = reader.U32();
  Name(&reader);  // "Linux"
  header->node = Name(&reader);
  header->release = Name(&reader);
  header->kernel_version = Name(&reader);
  header->machine_name = Name(&reader);
  Name(&reader);  // domain
  // struct timeval, aligned to a word.
  const size_t word = header->wide ? 8 : 4;
  reader.Skip((word - reader.offset() % word) % word);
  header->crash_seconds = header->wide ? reader.U64() : reader.U32();
  reader.Skip(word);
  header->status = reader.U32();
  header->block_size = reader.U32();
  header->sub_header_blocks = reader.U32();
  header->bitmap_blocks = reader.U32();
  header->page_frames = reader.U32();
  reader.Skip(4 * 4);  // RAM, device and written blocks, CPU that dumped
  header->cpu_count = reader.U32();
  return reader.ok() && IsBlockSize(header->block_size);
}

// Fields came one version after the other, so a reader stops where the version does.
void ParseSub(ByteView bytes, DiskDumpHeader* header) {
  ByteReader reader(bytes, header->endian);
  reader.Skip(8);  // phys_base
  header->dump_level = reader.U32();
  if (header->version >= 2) {
    header->split = reader.U32() != 0;
    header->first_frame = reader.U64();
    header->end_frame = reader.U64();
  }
  if (header->version >= 3) {
    header->vmcoreinfo_offset = reader.U64();
    header->vmcoreinfo_size = reader.U64();
  }
  if (header->version >= 4) {
    header->notes_offset = reader.U64();
    header->notes_size = reader.U64();
  }
  if (header->version >= 6) {
    reader.Skip(16);  // erase info, of version 5
    header->first_frame = reader.U64();
    header->end_frame = reader.U64();
    header->page_frames = reader.U64();
  }
}

std::vector<uint8_t> Window(const ByteSource& file, uint64_t offset, uint64_t size) {
  if (offset >= file.size()) return {};
  return ReadBytes(file, offset, std::min(size, file.size() - offset)).value_or(std::vector<uint8_t>());
}

// How many of the first `limit` bits of the second bitmap, the one of dumped pages, are set; nullopt when not
// all of it can be read.
std::optional<uint64_t> CountDumped(const ByteSource& file, const DiskDumpHeader& header) {
  const uint64_t half = header.bitmaps_size() / 2;
  const uint64_t from = header.split ? header.first_frame : 0;
  const uint64_t to = std::min(header.split ? header.end_frame : header.page_frames, half * 8);
  const uint64_t bytes = (to + 7) / 8;
  if (bytes > kMaxBitmapBytes) return std::nullopt;
  const std::vector<uint8_t> bitmap = Window(file, header.bitmaps_offset() + half, bytes);
  if (bitmap.size() != bytes) return std::nullopt;
  uint64_t count = 0;
  for (uint64_t frame = from; frame < to; ++frame) {
    if (frame % 8 == 0 && to - frame >= 8) {
      count += std::popcount(bitmap[frame / 8]);
      frame += 7;
    } else {
      count += bitmap[frame / 8] >> (frame % 8) & 1;
    }
  }
  return count;
}

}  // namespace

bool LooksLikeDiskDump(ByteView head) {
  if (head.size() < kSignatureBytes) return false;
  const absl::string_view signature = TextOf(head.first(kSignatureBytes));
  return signature == "KDUMP   " || signature == "DISKDUMP";
}

absl::StatusOr<DiskDumpHeader> ReadDiskDumpHeader(const ByteSource& file) {
  const std::vector<uint8_t> first = Window(file, 0, kHeaderBytes);
  if (!LooksLikeDiskDump(first)) return absl::InvalidArgumentError("no compressed dump");
  if (first.size() < kHeaderBytes) return absl::OutOfRangeError("the dump ends within its header");
  DiskDumpHeader header;
  const uint64_t version = LoadInteger(ByteView(first).subspan(kSignatureBytes), 4, Endian::kLittle);
  header.endian = version > 0xffff ? Endian::kBig : Endian::kLittle;
  if (!ParseMain(first, &header)) {
    header.wide = false;
    if (!ParseMain(first, &header)) return absl::InvalidArgumentError("the header names no block size");
  }
  if (header.sub_header_blocks > kMaxBlocks || header.bitmap_blocks > kMaxBlocks) {
    return absl::InvalidArgumentError("the header's block counts cannot be");
  }
  if (!header.wide || header.version > kLastVersion) return header;
  const std::vector<uint8_t> second = Window(file, header.block_size, kSubHeaderBytes);
  if (second.size() < kSubHeaderBytes) return absl::OutOfRangeError("the dump ends within its second header");
  ParseSub(second, &header);
  return header;
}

std::string ReadVmcoreinfoText(const ByteSource& file, const DiskDumpHeader& header) {
  const std::vector<uint8_t> bytes =
      Window(file, header.vmcoreinfo_offset, std::min(header.vmcoreinfo_size, kMaxVmcoreinfoBytes));
  const absl::string_view text = TextOf(bytes);
  return std::string(text.substr(0, text.find('\0')));
}

uint32_t CountPrstatus(const ByteSource& file, const DiskDumpHeader& header) {
  const std::vector<uint8_t> bytes =
      Window(file, header.notes_offset, std::min(header.notes_size, kMaxNoteBytes));
  const std::vector<ElfNote> notes = WalkNotes(bytes, kMaxNotes);
  return static_cast<uint32_t>(std::count_if(notes.begin(), notes.end(), [](const ElfNote& note) {
    return note.name == "CORE" && note.type == kNotePrstatus;
  }));
}

std::string MissingTail(const ByteSource& file, const DiskDumpHeader& header) {
  if (file.size() < header.descriptors_offset()) {
    return absl::StrCat("the file ends at ", file.size(), ", before its page descriptors at ",
                        header.descriptors_offset());
  }
  const std::optional<uint64_t> count = CountDumped(file, header);
  if (!count || *count == 0) return "";
  const uint64_t room = (file.size() - header.descriptors_offset()) / kPageDescBytes;
  if (room < *count) return absl::StrCat("the file ends after ", room, " of ", *count, " page descriptors");
  const uint64_t first = *count - std::min(*count, kLastDescriptors);
  const std::vector<uint8_t> bytes =
      Window(file, header.descriptors_offset() + first * kPageDescBytes, (*count - first) * kPageDescBytes);
  ByteReader reader(bytes, header.endian);
  uint64_t end = 0;
  while (reader.remaining() >= kPageDescBytes) {
    const uint64_t offset = reader.U64();
    const uint64_t size = reader.U32();
    reader.Skip(4 + 8);
    end = std::max(end, offset <= UINT64_MAX - size ? offset + size : UINT64_MAX);
  }
  if (end <= file.size()) return "";
  return absl::StrCat("the file ends at ", file.size(), ", its pages go on to ", end);
}

}  // namespace corefleet
