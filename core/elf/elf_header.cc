#include "core/elf/elf_header.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "core/bytes/byte_reader.h"

namespace corefleet {
namespace {

constexpr uint8_t kMagic[] = {0x7f, 'E', 'L', 'F'};
constexpr uint8_t kClass64 = 2;
constexpr uint8_t kDataLittle = 1;
constexpr size_t kIdentBytes = 16;

template <typename Integer>
void AppendInteger(Integer value, std::vector<uint8_t>* out) {
  for (size_t i = 0; i < sizeof(value); ++i) out->push_back(static_cast<uint8_t>(value >> (8 * i)));
}

}  // namespace

bool LooksLikeElf(ByteView bytes) {
  return bytes.size() >= sizeof(kMagic) && std::equal(std::begin(kMagic), std::end(kMagic), bytes.begin());
}

absl::StatusOr<ElfHeader> ParseElfHeader(ByteView bytes) {
  if (!LooksLikeElf(bytes)) return absl::InvalidArgumentError("no ELF magic number");
  if (bytes.size() < kElf64HeaderBytes) {
    return absl::OutOfRangeError(absl::StrCat("an ELF header of ", bytes.size(), " bytes instead of 64"));
  }
  if (bytes[4] != kClass64) return absl::UnimplementedError("a 32-bit ELF core");
  if (bytes[5] != kDataLittle) return absl::UnimplementedError("a big-endian ELF core");
  ByteReader reader(bytes.subspan(kIdentBytes));
  ElfHeader header;
  header.type = reader.U16();
  header.machine = reader.U16();
  reader.Skip(4 + 8);  // version, entry
  header.program_headers_offset = reader.U64();
  reader.Skip(8);  // section header offset
  header.flags = reader.U32();
  reader.Skip(2);  // size of this header
  header.program_header_bytes = reader.U16();
  header.program_header_count = reader.U16();
  reader.Skip(2);  // size of a section header
  header.section_header_count = reader.U16();
  return header;
}

std::vector<ProgramHeader> ParseProgramHeaders(ByteView bytes, const ElfHeader& header, size_t limit) {
  std::vector<ProgramHeader> headers;
  if (header.program_header_bytes != kElf64ProgramHeaderBytes) return headers;
  if (header.program_headers_offset > bytes.size()) return headers;
  ByteReader reader(bytes.subspan(header.program_headers_offset));
  const size_t count = std::min<size_t>(header.program_header_count, limit);
  for (size_t i = 0; i < count && reader.remaining() >= kElf64ProgramHeaderBytes; ++i) {
    ProgramHeader h;
    h.type = reader.U32();
    h.flags = reader.U32();
    h.offset = reader.U64();
    h.vaddr = reader.U64();
    h.paddr = reader.U64();
    h.file_size = reader.U64();
    h.memory_size = reader.U64();
    h.align = reader.U64();
    headers.push_back(h);
  }
  return headers;
}

void AppendElfHeader(const ElfHeader& header, std::vector<uint8_t>* out) {
  out->insert(out->end(), std::begin(kMagic), std::end(kMagic));
  out->insert(out->end(), {kClass64, kDataLittle, 1});  // 1: the only version
  out->resize(out->size() + kIdentBytes - 7);
  AppendInteger(header.type, out);
  AppendInteger(header.machine, out);
  AppendInteger(uint32_t{1}, out);
  AppendInteger(uint64_t{0}, out);  // entry
  AppendInteger(header.program_headers_offset, out);
  AppendInteger(uint64_t{0}, out);  // section headers
  AppendInteger(header.flags, out);
  AppendInteger(static_cast<uint16_t>(kElf64HeaderBytes), out);
  AppendInteger(header.program_header_bytes, out);
  AppendInteger(header.program_header_count, out);
  AppendInteger(uint16_t{0}, out);
  AppendInteger(header.section_header_count, out);
  AppendInteger(uint16_t{0}, out);
}

void AppendProgramHeader(const ProgramHeader& h, std::vector<uint8_t>* out) {
  AppendInteger(h.type, out);
  AppendInteger(h.flags, out);
  for (uint64_t value : {h.offset, h.vaddr, h.paddr, h.file_size, h.memory_size, h.align}) {
    AppendInteger(value, out);
  }
}

}  // namespace corefleet
