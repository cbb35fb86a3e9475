#include "collector/spool/transfer.h"

#include <filesystem>
#include <fstream>
#include <iterator>

#include "collector/source/scratch_folder.h"
#include "collector/spool/entry_file.h"
#include "collector/spool/spool_fixture.h"

namespace corefleet {
namespace {

class TransferTest : public testing::Test {
 protected:
  TransferTest() {
    stick_.Write("keep");
    device_ = Open("device");
    host_ = Open("host");
  }
  std::unique_ptr<Spool> Open(const std::string& name) {
    return *Spool::Open(*SpoolFolder::Open(stick_ / name), {}, {.clock = &clock_, .boot_id = "b"});
  }
  SpoolId Put(const std::string& device = "edge-1") {
    SpoolTags tags = TagsOf("panic!");
    tags.device = DeviceId(device);
    tags.note = "from the field";
    return device_->Put(CrashOf(Noise(200000, 1)), tags)->id;
  }
  std::string Bytes(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void Spoil(const std::string& path, size_t at) {
    std::string bytes = Bytes(path);
    bytes[at] ^= 1;
    std::ofstream(path, std::ios::binary) << bytes;
  }
  FakeBootClock clock_;
  ScratchFolder stick_;
  std::unique_ptr<Spool> device_, host_;
};

TEST_F(TransferTest, TakesEverythingAlong) {
  const SpoolId id = Put();
  ASSERT_TRUE(device_->SetClues(id, {.build_id = "abcd"}).ok());
  ASSERT_TRUE(device_->KeepRest(id, absl::Hours(5)).ok());
  const auto path = ExportEntry(device_.get(), id, stick_.path());
  ASSERT_TRUE(path.ok()) << path.status();
  EXPECT_TRUE(device_->Find(id).ok());
  EXPECT_EQ(*ExportedFiles(stick_.path()), std::vector<std::string>{*path});

  const auto put = ImportFile(host_.get(), *path, DeviceId("host"));
  ASSERT_TRUE(put.ok()) << put.status();
  EXPECT_EQ(put->outcome, PutOutcome::kSpooled);
  const SpoolEntry there = *host_->Find(put->id);
  EXPECT_EQ(there.uid, device_->Find(id)->uid);
  EXPECT_EQ(there.tags.device.value(), "edge-1");
  EXPECT_EQ(there.tags.clues.build_id, "abcd");
  EXPECT_EQ(there.tags.clues.panic, "panic!");
  EXPECT_EQ(there.tags.note, "from the field");
  EXPECT_EQ(there.tags.boot_id, "boot-2");
  EXPECT_FALSE(there.rest_only);
  EXPECT_EQ(ContentOf(host_.get(), put->id), ContentOf(device_.get(), id));
  EXPECT_EQ(ImportFile(host_.get(), *path, DeviceId())->outcome, PutOutcome::kAlreadySpooled);
}

TEST_F(TransferTest, ACopyThatIsThereAndWholeIsLeft) {
  const SpoolId id = Put();
  const std::string path = *ExportEntry(device_.get(), id, stick_.path());
  const auto before = std::filesystem::last_write_time(path);
  std::filesystem::last_write_time(path, before - std::chrono::hours(1));
  ASSERT_TRUE(ExportEntry(device_.get(), id, stick_.path()).ok());
  EXPECT_EQ(std::filesystem::last_write_time(path), before - std::chrono::hours(1));
  // A damaged one is written again.
  Spoil(path, 1000);
  ASSERT_TRUE(ExportEntry(device_.get(), id, stick_.path()).ok());
  EXPECT_TRUE(ImportFile(host_.get(), path, DeviceId()).ok());
}

TEST_F(TransferTest, ADamagedEntryIsNotExported) {
  const SpoolId id = Put();
  for (const auto& file : std::filesystem::directory_iterator(stick_ / "device")) {
    if (file.path().extension() == ".crash") Spoil(file.path(), 1000);
  }
  EXPECT_TRUE(absl::IsDataLoss(ExportEntry(device_.get(), id, stick_.path()).status()));
  EXPECT_TRUE(ExportedFiles(stick_.path())->empty());
}

TEST_F(TransferTest, SaysWhatIsMissing) {
  EXPECT_TRUE(absl::IsNotFound(ExportEntry(device_.get(), 99, stick_.path()).status()));
  EXPECT_TRUE(absl::IsNotFound(ExportEntry(device_.get(), Put(), stick_ / "none").status()));
  EXPECT_TRUE(absl::IsNotFound(ImportFile(host_.get(), stick_ / "none", DeviceId()).status()));
  EXPECT_TRUE(absl::IsDataLoss(ImportFile(host_.get(), stick_ / "keep", DeviceId()).status()));
  EXPECT_TRUE(absl::IsNotFound(ExportedFiles(stick_ / "none").status()));
}

TEST_F(TransferTest, SomebodysDeviceMustBeNamed) {
  const std::string path = *ExportEntry(device_.get(), Put(""), stick_.path());
  EXPECT_TRUE(absl::IsInvalidArgument(ImportFile(host_.get(), path, DeviceId()).status()));
  const auto put = ImportFile(host_.get(), path, DeviceId("named"));
  ASSERT_TRUE(put.ok());
  EXPECT_EQ(host_->Find(put->id)->tags.device.value(), "named");
}

TEST_F(TransferTest, NoSpoiltByteGetsIn) {
  const std::string path = *ExportEntry(device_.get(), Put(), stick_.path());
  const std::string whole = Bytes(path);
  for (size_t at = 0; at < whole.size(); at += 7919) {
    Spoil(path, at);
    EXPECT_FALSE(ImportFile(host_.get(), path, DeviceId()).ok()) << at;
    std::ofstream(path, std::ios::binary) << whole;
  }
  EXPECT_TRUE(host_->List().empty());
  EXPECT_TRUE(ImportFile(host_.get(), path, DeviceId()).ok());
}

// What a stranger makes: every checksum is right, and what it says is not.
TEST_F(TransferTest, AForgedRootDoesNotGetIn) {
  const std::string path = *ExportEntry(device_.get(), Put(), stick_.path());
  std::string bytes = Bytes(path);
  const EntryHead head = *DecodeHead(BytesOf(bytes).first(kEntryHeadBytes));
  EntryFooter footer = *DecodeFooter(BytesOf(bytes).subspan(head.footer_at, head.footer_size));
  footer.manifest.regions[0].root[0] ^= 1;
  const std::string forged = EncodeFooter(footer);
  bytes.replace(head.footer_at, head.footer_size, forged);
  bytes.replace(0, kEntryHeadBytes, EncodeHead({head.footer_at, head.footer_size, Crc32c(BytesOf(forged))}));
  std::ofstream(path, std::ios::binary) << bytes;
  EXPECT_TRUE(absl::IsDataLoss(ImportFile(host_.get(), path, DeviceId()).status()));
  EXPECT_TRUE(host_->List().empty());
}

}  // namespace
}  // namespace corefleet
