// Every parser that takes bytes from a device or from disk, alone. The input's first byte chooses it.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/build/config.h"
#include "core/bytes/byte_view.h"
#include "core/digest/chunk.h"
#include "core/elf/elf_header.h"
#include "core/elf/elf_notes.h"
#include "core/manifest/manifest.h"
#include "core/meminspect/names.h"
#include "core/minidump/address_table.h"
#include "core/vmcoreinfo/vmcoreinfo.h"
#include "storage/pack.h"
#include "tests/support/corpus.h"
#include "tests/support/fuzz_target.h"

namespace corefleet {
namespace {

enum Parser : uint8_t {
  kElf,
  kNotes,
  kTable,
  kVmcoreinfo,
  kConfig,
  kManifest,
  kPackIndex,
  kPack,
  kFileName,
  kChunk,
  kParsers
};

void ParseElf(ByteView bytes) {
  const absl::StatusOr<ElfHeader> header = ParseElfHeader(bytes);
  if (header.ok()) ParseProgramHeaders(bytes, *header, 1024);
}

// What decodes must encode to the very same bytes, or two stores would know one thing by two names.
void ParseManifest(ByteView bytes) {
  const absl::StatusOr<Manifest> manifest = DecodeManifest(bytes);
  if (manifest.ok() && BytesOf(Encode(*manifest)) != bytes) FUZZ_CHECK(false);
}

void ParseFileName(ByteView bytes) {
  const std::optional<RegionFileName> name = ParseRegionFileName(TextOf(bytes));
  if (!name) return;
  FUZZ_CHECK(name->name.size() <= bytes.size());
  FUZZ_CHECK(!name->id || (*name->id >= 1 && *name->id <= 200));
}

// The digest is wrong for every input but one in 2^256: what is tried is the inflation before it.
void InflateChunk(ByteView bytes) {
  FUZZ_CHECK(!DecodeChunk(ChunkEncoding::kZstd, bytes, kChunkBytes, Sha256Digest{}).ok());
}

void ParseVmcoreinfo(ByteView bytes) {
  std::vector<Defect> defects;
  const Vmcoreinfo info = Vmcoreinfo::Parse(bytes, &defects);
  info.Symbol("prb");
  info.Offset("printk_info.seq");
  info.Text("OSRELEASE");
}

void Parse(uint8_t parser, ByteView bytes) {
  switch (parser % kParsers) {
    case kElf:
      return ParseElf(bytes);
    case kNotes:
      WalkNotes(bytes);
      return;
    case kTable:
      LooksLikeAddressTable(bytes);
      ParseAddressTable(bytes);
      return;
    case kVmcoreinfo:
      return ParseVmcoreinfo(bytes);
    case kConfig:
      ConfigFromRegion(bytes).IgnoreError();
      return;
    case kManifest:
      return ParseManifest(bytes);
    case kPackIndex:
      DecodePackIndex(bytes, bytes.size()).IgnoreError();
      return;
    case kPack:
      ReadPackIndex(bytes).IgnoreError();
      return;
    case kFileName:
      return ParseFileName(bytes);
    case kChunk:
      return InflateChunk(bytes);
  }
}

std::string Seed(Parser parser, const std::string& bytes) {
  return std::string(1, static_cast<char>(parser)) + bytes;
}

std::string SampleManifest() {
  Manifest manifest;
  manifest.regions.push_back({.file_name = "md_KELF1.BIN", .name = "KELF", .id = 1, .size = 70000});
  manifest.regions.push_back(
      {.file_name = "md_Kprb22.BIN", .name = "Kprb", .id = 22, .paddr = 0x80000000, .size = 88});
  Canonicalize(&manifest);
  return Encode(manifest);
}

Pack SamplePack() {
  PackBuilder builder;
  const std::string chunk(100, 'x');
  builder.Add({.region = 0, .chunk = 0, .raw_size = 100, .stored_size = 100}, BytesOf(chunk));
  builder.Add({.region = 3, .chunk = 7, .raw_size = 100, .stored_size = 100}, BytesOf(chunk));
  return builder.Build("session");
}

std::string SampleFrame() {
  const EncodedChunk chunk = EncodeChunk(BytesOf(std::string(kChunkBytes, 'x')));
  return chunk.bytes;
}

}  // namespace

std::vector<std::string> FuzzSeeds() {
  std::vector<std::string> seeds = {Seed(kManifest, SampleManifest()),
                                    Seed(kPack, SamplePack().bytes),
                                    Seed(kPackIndex, EncodePackIndex("session", SamplePack().entries)),
                                    Seed(kFileName, "md_2d_Kprb_info24.BIN"),
                                    Seed(kChunk, SampleFrame()),
                                    Seed(kConfig, std::string("IKCFG_ST\x1f\x8b\x08\0\0\0\0\0\0\x03", 18))};
  for (const char* name : {"a47-null-oops", "e612-badptr-v3"}) {
    const CorpusCase crash = ReadCorpusCase(name);
    seeds.push_back(Seed(kElf, crash.file("md_KELF1.BIN")));
    seeds.push_back(Seed(kNotes, crash.file("md_KELF1.BIN").substr(0x1000)));
    seeds.push_back(Seed(kVmcoreinfo, crash.file("md_Kvmcorein2.BIN")));
    seeds.push_back(Seed(kTable, crash.file("minidump_toc.bin")));
  }
  return seeds;
}

}  // namespace corefleet

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 0) corefleet::Parse(data[0], corefleet::ByteView(data + 1, size - 1));
  return 0;
}
