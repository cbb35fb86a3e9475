#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <random>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "core/printk/log_text.h"
#include "core/pstore/ramoops_writer.h"
#include "core/pstore/records_writer.h"
#include "core/unpack/unpack.h"
#include "tests/support/corpus.h"

namespace corefleet {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

// Real logs, as pstore would have kept their ends: through Unpack, as a crash comes in.

constexpr size_t kKept = 12000;

// The last lines of a real log, and the same as pstore writes them.
struct End {
  std::string dmesg;
  std::string pstore;
};
End EndOf(const CorpusCase& crash) {
  const std::string& dmesg = crash.file("dmesg.txt");
  End end{.dmesg = dmesg.substr(dmesg.find('\n', dmesg.size() - kKept) + 1)};
  end.pstore = absl::StrCat("<6>", absl::StrReplaceAll(end.dmesg, {{"\n[", "\n<6>["}}));
  return end;
}

Unpacked Receive(const std::vector<PstoreFileBytes>& files) {
  RegionSet received;
  for (const PstoreFileBytes& file : files) {
    received.regions.push_back({.kind = RegionKind::kArtifact,
                                .file_name = file.name,
                                .bytes = std::make_shared<MemorySource>(file.bytes)});
  }
  return Unpack(received, nullptr);
}

TEST(PstoreCorpus, RecordsOfEveryRealLogGiveItsEndByteForByte) {
  for (const CorpusCase& crash : ReadCorpus()) {
    const End end = EndOf(crash);
    for (const RecordCodec codec :
         {RecordCodec::kPlain, RecordCodec::kDeflate, RecordCodec::kZstd, RecordCodec::kLz4}) {
      const Unpacked unpacked = Receive(WritePstoreDump({.backend = "efi_pstore",
                                                         .seconds = 1790000000,
                                                         .text = end.pstore,
                                                         .part_bytes = 1900,
                                                         .codec = codec}));
      EXPECT_EQ(unpacked.source, "pstore") << crash.name;
      EXPECT_THAT(unpacked.defects, IsEmpty());
      ASSERT_THAT(unpacked.texts, SizeIs(1));
      EXPECT_EQ(RenderRaw(ParseLogText(unpacked.texts[0].text)), end.dmesg) << crash.name;
    }
  }
}

TEST(PstoreCorpus, RawZonesOfEveryRealLogGiveItsEndThroughBitErrors) {
  std::mt19937 random(3);
  for (const CorpusCase& crash : ReadCorpus()) {
    const End end = EndOf(crash);
    const std::string record = absl::StrCat("Panic#1 Part1\n", end.pstore);
    std::string area = WriteRamoops(
        {{.size = 32768, .content = RamoopsDumpContent(1790000000, 1, record, RecordCodec::kDeflate)},
         {.size = 16384, .content = crash.file("dmesg.txt")}},
        16);
    // Less than what 16 bytes of parity repair in a block, everywhere but in the signatures.
    for (size_t at = 64; at + 64 < area.size(); at += 97) {
      if (at % 16384 < 8) continue;
      area[at] = static_cast<char>(area[at] ^ (1 << random() % 8));
    }
    const Unpacked unpacked = Receive({{"ramoops.bin", area}});
    EXPECT_EQ(unpacked.source, "ramoops");
    EXPECT_THAT(unpacked.defects, IsEmpty());
    ASSERT_THAT(unpacked.texts, SizeIs(2)) << crash.name;
    EXPECT_EQ(unpacked.texts[0].kind, KernelText::Kind::kPanic);
    EXPECT_EQ(RenderRaw(ParseLogText(unpacked.texts[0].text)), end.dmesg) << crash.name;
    EXPECT_EQ(unpacked.texts[1].kind, KernelText::Kind::kConsole);
    EXPECT_TRUE(absl::EndsWith(crash.file("dmesg.txt"), unpacked.texts[1].text));
  }
}

TEST(PstoreCorpus, OrderAndCompanyOfFilesChangeNothing) {
  const CorpusCase crash = ReadCorpusCase("a47-null-oops");
  std::vector<PstoreFileBytes> files =
      WritePstoreDump({.backend = "erst", .first_id = 1000, .text = EndOf(crash).pstore, .part_bytes = 1000});
  const std::string alone = Receive(files).texts.at(0).text;
  files.push_back({"console-erst-1", crash.file("dmesg.txt")});
  files.push_back({"notes.bin", std::string(100, '\x80')});
  std::mt19937 random(5);
  for (int i = 0; i < 5; ++i) {
    std::shuffle(files.begin(), files.end(), random);
    const Unpacked unpacked = Receive(files);
    ASSERT_THAT(unpacked.texts, SizeIs(2));
    EXPECT_EQ(unpacked.texts[0].text, alone);
    EXPECT_EQ(unpacked.texts[1].text, crash.file("dmesg.txt"));
  }
}

}  // namespace
}  // namespace corefleet
