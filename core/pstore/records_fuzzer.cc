#include <algorithm>
#include <memory>
#include <string>

#include "core/pstore/decompress.h"
#include "core/pstore/lzo1x.h"
#include "core/pstore/records.h"
#include "core/pstore/records_writer.h"
#include "tests/support/fuzz_target.h"

// The input is files, each `name NUL size-low size-high bytes`: the shape matters little, the bytes do.
namespace corefleet {
namespace {

std::string Framed(const std::vector<PstoreFileBytes>& files) {
  std::string out;
  for (const PstoreFileBytes& file : files) {
    out += file.name;
    out.push_back('\0');
    out.push_back(static_cast<char>(file.bytes.size() & 255));
    out.push_back(static_cast<char>(file.bytes.size() >> 8));
    out += file.bytes;
  }
  return out;
}

std::vector<Artifact> FilesOf(absl::string_view input) {
  std::vector<Artifact> files;
  while (files.size() < 16) {
    const size_t end = input.find('\0');
    if (end == absl::string_view::npos || input.size() < end + 3) break;
    const std::string name(input.substr(0, end));
    const size_t size =
        static_cast<unsigned char>(input[end + 1]) + 256 * static_cast<unsigned char>(input[end + 2]);
    input.remove_prefix(end + 3);
    files.push_back({.file_name = name, .bytes = std::make_shared<MemorySource>(input.substr(0, size))});
    input.remove_prefix(std::min(size, input.size()));
  }
  return files;
}

}  // namespace

std::vector<std::string> FuzzSeeds() {
  std::string text;
  for (int i = 0; i < 20; ++i) text += "<6>[    0.00000" + std::to_string(i % 10) + "] line of a log\n";
  std::vector<std::string> seeds;
  for (const RecordCodec codec : {RecordCodec::kPlain, RecordCodec::kDeflate, RecordCodec::kZlib,
                                  RecordCodec::kZstd, RecordCodec::kLz4}) {
    seeds.push_back(Framed(WritePstoreDump(
        {.backend = "efi", .seconds = 1700000000, .text = text, .part_bytes = 300, .codec = codec})));
    seeds.push_back(Framed(WritePstoreDump(
        {.reason = "Oops", .text = text, .codec = codec, .ecc_notice = "\nECC: No errors detected\n"})));
  }
  seeds.push_back(Framed({{"dmesg.txt", "Panic#1 Part2\na\nPanic#1 Part1\nb\n"}, {"console-ramoops", "x"}}));
  return seeds;
}

}  // namespace corefleet

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace corefleet;
  const ByteView bytes(data, size);
  const std::vector<Artifact> files = FilesOf(TextOf(bytes));
  Pieces pieces;
  UnpackPstoreRecords(files, nullptr, &pieces);
  FUZZ_CHECK(pieces.texts.size() <= files.size() * 1024);
  FUZZ_CHECK(pieces.regions.empty() && pieces.artifacts.empty());
  size_t total = 0;
  for (const KernelText& text : pieces.texts) {
    FUZZ_CHECK(!text.name.empty() || !text.text.empty());
    total += text.text.size();
  }
  FUZZ_CHECK(total <= (size_t{65} << 20));
  for (const Defect& defect : pieces.defects) FUZZ_CHECK(defect.detail.find('\n') == std::string::npos);
  FUZZ_CHECK(DecodeLzo1x(bytes, 10000).text.size() <= 10000);
  const RecordText record = DecompressRecord(bytes);
  FUZZ_CHECK(record.text.size() <= kMaxRecordTextBytes + 65536);
  FUZZ_CHECK(!record.whole || !record.codec.empty());
  return 0;
}
