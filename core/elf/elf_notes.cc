#include "core/elf/elf_notes.h"

#include <algorithm>

#include "core/bytes/byte_reader.h"
#include "core/elf/elf_header.h"

namespace corefleet {
namespace {

constexpr size_t kNoteHeaderBytes = 12;

uint64_t RoundUp4(uint64_t value) { return (value + 3) & ~uint64_t{3}; }

void AppendPadded(ByteView bytes, std::vector<uint8_t>* out) {
  out->insert(out->end(), bytes.begin(), bytes.end());
  out->resize(out->size() + (RoundUp4(bytes.size()) - bytes.size()));
}

}  // namespace

uint32_t PrstatusBytes(uint16_t machine) {
  switch (machine) {
    case kElfMachineX86_64:
      return 336;
    case kElfMachineAarch64:
      return 392;
    default:
      return 0;
  }
}

std::vector<ElfNote> WalkNotes(ByteView bytes, size_t limit) {
  std::vector<ElfNote> notes;
  ByteReader reader(bytes);
  while (notes.size() < limit && reader.remaining() >= kNoteHeaderBytes) {
    const uint32_t name_size = reader.U32();
    const uint32_t descriptor_size = reader.U32();
    ElfNote note;
    note.type = reader.U32();
    if (name_size == 0 && descriptor_size == 0 && note.type == 0) break;
    if (RoundUp4(name_size) > reader.remaining()) break;
    const ByteView name = reader.Bytes(RoundUp4(name_size));
    note.name = TextOf(name.first(name_size));
    note.name = note.name.substr(0, note.name.find('\0'));
    note.descriptor_size = descriptor_size;
    note.descriptor = reader.Bytes(std::min<uint64_t>(descriptor_size, reader.remaining()));
    notes.push_back(note);
    const uint64_t padding = RoundUp4(descriptor_size) - descriptor_size;
    if (note.descriptor.size() < descriptor_size || padding > reader.remaining()) break;
    reader.Skip(padding);
  }
  return notes;
}

void AppendNote(absl::string_view name, uint32_t type, ByteView descriptor, std::vector<uint8_t>* out) {
  std::vector<uint8_t> terminated(name.begin(), name.end());
  terminated.push_back(0);
  for (uint32_t word :
       {static_cast<uint32_t>(terminated.size()), static_cast<uint32_t>(descriptor.size()), type}) {
    for (int shift = 0; shift < 32; shift += 8) out->push_back(static_cast<uint8_t>(word >> shift));
  }
  AppendPadded(terminated, out);
  AppendPadded(descriptor, out);
}

}  // namespace corefleet
