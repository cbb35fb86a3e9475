#include "server/rpc/archive_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/reassembly/reassemble.h"
#include "server/ingest/announced_crash.h"
#include "server/ingest/ingestor.h"
#include "server/rpc/rpc_server.h"
#include "storage/memory/memory_crash_index.h"
#include "storage/memory/memory_pack_store.h"
#include "tests/support/corpus.h"

namespace corefleet {
namespace {

using ::testing::HasSubstr;

class ArchiveServiceTest : public testing::Test {
 protected:
  ArchiveServiceTest() {
    auto server =
        RpcServer::Start("127.0.0.1:0", &service_, v1::CrashArchive::service_full_name(), RpcLimits());
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    stub_ = v1::CrashArchive::NewStub(
        grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials()));
  }

  // Stores a region set as a device would, and gives the crash's id.
  std::string Receive(const RegionSet& set, const std::string& device = "pixel-7") {
    clock_.Advance(absl::Seconds(1));
    const Manifest manifest = *MakeManifest(set);
    const std::string session =
        ingestor_.Begin(DeviceCaller::Anyone(), {.device = device, .manifest = manifest})->session.value();
    auto writer = *ingestor_.OpenWriter(DeviceCaller::Anyone(), session);
    for (uint32_t region = 0; region < set.regions.size(); ++region) {
      const ByteSource& bytes = *set.regions[region].bytes;
      for (uint64_t chunk = 0; chunk < ChunkCount(bytes.size()); ++chunk) {
        const std::vector<uint8_t> raw =
            *ReadBytes(bytes, chunk * kChunkBytes, ChunkSize(bytes.size(), chunk));
        const Sha256Digest digest = Sha256Of(ByteView(raw));
        EXPECT_TRUE(writer
                        ->Add({.region = region,
                               .chunk = chunk,
                               .raw_size = static_cast<uint32_t>(raw.size()),
                               .crc32c = Crc32c(raw),
                               .sha256 = digest,
                               .payload = std::string(raw.begin(), raw.end())})
                        .ok());
      }
    }
    EXPECT_TRUE(writer->Flush().ok());
    return ingestor_.Finish(DeviceCaller::Anyone(), session)->crash.ToString();
  }
  std::string ReceiveReal() { return Receive(RegionsOf(ReadCorpusCase("a47-null-oops"), WithTable::kYes)); }
  std::string ReceiveSmall(const std::string& text, const std::string& device = "pixel-7") {
    RegionSet set;
    set.regions.push_back({.file_name = "md_\xff.BIN",
                           .name = "small",
                           .bytes = std::make_shared<MemorySource>(absl::string_view(text))});
    return Receive(set, device);
  }

  static void Bound(grpc::ClientContext* context) {
    context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
  }

  struct Bytes {
    grpc::Status status;
    std::string data;
    uint64_t total = 0;
    std::string sha256;
    int answers = 0;
  };
  static Bytes Collect(std::unique_ptr<grpc::ClientReader<v1::ReadArtifactResponse>> reader,
                       uint64_t offset) {
    Bytes bytes;
    v1::ReadArtifactResponse response;
    while (reader->Read(&response)) {
      if (bytes.answers++ == 0) bytes.total = response.total_size();
      EXPECT_EQ(response.offset(), offset + bytes.data.size());
      EXPECT_EQ(response.crc32c(), Crc32c(BytesOf(response.data())));
      EXPECT_LE(response.data().size(), 256u * 1024);
      bytes.data += response.data();
      bytes.sha256 = response.sha256();
    }
    bytes.status = reader->Finish();
    return bytes;
  }
  Bytes ReadArtifact(const std::string& id, const std::string& artifact, uint64_t offset = 0,
                     uint64_t length = 0) {
    grpc::ClientContext context;
    Bound(&context);
    v1::ReadArtifactRequest request;
    request.set_id(id);
    request.set_artifact(artifact);
    request.set_offset(offset);
    request.set_length(length);
    return Collect(stub_->ReadArtifact(&context, request), offset);
  }
  Bytes ReadRegion(const std::string& id, const std::string& region, uint64_t offset = 0,
                   uint64_t length = 0) {
    grpc::ClientContext context;
    Bound(&context);
    v1::ReadRegionRequest request;
    request.set_id(id);
    request.set_region(region);
    request.set_offset(offset);
    request.set_length(length);
    return Collect(stub_->ReadRegion(&context, request), offset);
  }
  grpc::Status List(const v1::ListCrashesRequest& request, v1::ListCrashesResponse* response) {
    grpc::ClientContext context;
    Bound(&context);
    return stub_->ListCrashes(&context, request, response);
  }
  grpc::Status Get(const std::string& id, v1::Crash* crash) {
    grpc::ClientContext context;
    Bound(&context);
    v1::GetCrashRequest request;
    request.set_id(id);
    return stub_->GetCrash(&context, request, crash);
  }

  MemoryCrashIndex index_;
  MemoryPackStore store_;
  FakeClock clock_{absl::FromUnixSeconds(1'800'000'000)};
  IngestMetrics ingest_metrics_;
  RpcMetrics metrics_;
  Ingestor ingestor_{{.index = &index_, .store = &store_, .clock = &clock_, .metrics = &ingest_metrics_},
                     IngestLimits()};
  Archive archive_{&index_, &store_};
  Rim rim_{2, 1000, &clock_, &metrics_};
  ArchiveAccess access_;
  ArchiveService service_{&rim_, &archive_, &access_};
  std::unique_ptr<RpcServer> server_;
  std::unique_ptr<v1::CrashArchive::Stub> stub_;
};

TEST_F(ArchiveServiceTest, EveryArtifactOfARealCrashReadsTheSameInRanges) {
  const std::string id = ReceiveReal();
  for (const char* artifact : {"", "core", "zero", "concat", "raw", "vmcoreinfo", "log"}) {
    const Bytes whole = ReadArtifact(id, artifact);
    ASSERT_TRUE(whole.status.ok()) << artifact << ": " << whole.status.error_message();
    EXPECT_EQ(whole.data.size(), whole.total) << artifact;
    const Sha256Digest digest = Sha256Of(BytesOf(whole.data));
    EXPECT_EQ(whole.sha256, std::string(digest.begin(), digest.end())) << artifact;
    const uint64_t middle = whole.total / 3;
    const Bytes part = ReadArtifact(id, artifact, middle, 1000);
    EXPECT_EQ(part.data, whole.data.substr(middle, 1000)) << artifact;
    EXPECT_EQ(part.total, whole.total);
  }
}

TEST_F(ArchiveServiceTest, TheLogHasTheRecordsOfTheMachine) {
  grpc::ClientContext context;
  Bound(&context);
  v1::GetLogRequest request;
  request.set_id(ReceiveReal());
  auto reader = stub_->GetLog(&context, request);
  v1::GetLogResponse response;
  std::string text;
  uint64_t records = 0;
  while (reader->Read(&response)) {
    for (const v1::LogRecord& record : response.records()) text += record.text() + "\n", ++records;
  }
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_GT(records, 100u);
  EXPECT_THAT(text, HasSubstr("Linux version"));
}

TEST_F(ArchiveServiceTest, RangesEndWhereTheFileEnds) {
  const std::string id = ReceiveSmall("0123456789");
  EXPECT_EQ(ReadRegion(id, "small").data, "0123456789");
  EXPECT_EQ(ReadRegion(id, "small", 7, 100).data, "789");
  EXPECT_EQ(ReadRegion(id, "small", 2, 3).data, "234");
  EXPECT_EQ(ReadRegion(id, "small", 7, UINT64_MAX).data, "789");
  const Bytes end = ReadRegion(id, "small", 10);
  EXPECT_TRUE(end.status.ok());
  EXPECT_EQ(end.answers, 1) << "to say how large it is";
  EXPECT_EQ(end.total, 10u);
  EXPECT_EQ(ReadRegion(id, "small", 11).status.error_code(), grpc::StatusCode::OUT_OF_RANGE);
}

TEST_F(ArchiveServiceTest, RefusesWithTheDocumentedCodes) {
  const std::string id = ReceiveSmall("x");
  EXPECT_EQ(ReadArtifact(id, "kernel").status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ReadArtifact(std::string(32, '0'), "core").status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(ReadRegion(id, "nothing").status.error_code(), grpc::StatusCode::NOT_FOUND);
  v1::Crash crash;
  EXPECT_EQ(Get("xyz!", &crash).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  index_.SetStatus(absl::UnavailableError("down"));
  EXPECT_EQ(Get(id, &crash).error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(ArchiveServiceTest, HostileNamesLeaveEscaped) {
  const std::string id = ReceiveSmall("x");
  CrashFacts facts;
  facts.state = CrashState::kPartial;
  facts.regions.push_back({.name = "n\xfe", .file_name = "md_\xff.BIN"});
  facts.panic_reason = {{"\xf0\x28", Provenance::kLogText}};
  ASSERT_TRUE(index_.PutFacts(*CrashId::Parse(id), facts).ok());
  v1::Crash crash;
  ASSERT_TRUE(Get("@latest", &crash).ok());
  EXPECT_EQ(crash.id(), id);
  EXPECT_EQ(crash.regions(0).file_name(), "md_\\xff.BIN");
  EXPECT_EQ(crash.panic(), "\\xf0(");
}

TEST_F(ArchiveServiceTest, PagesThroughAFilteredList) {
  for (int i = 0; i < 5; ++i) ReceiveSmall(std::to_string(i), i % 2 == 0 ? "even" : "odd");
  v1::ListCrashesRequest request;
  request.mutable_filter()->set_device("even");
  request.set_page_size(2);
  v1::ListCrashesResponse first, second;
  ASSERT_TRUE(List(request, &first).ok());
  EXPECT_EQ(first.crashes_size(), 2);
  request.set_page_token(first.next_page_token());
  ASSERT_TRUE(List(request, &second).ok());
  EXPECT_EQ(second.crashes_size(), 1);
  EXPECT_TRUE(second.next_page_token().empty());
  request.mutable_filter()->set_device("odd");
  EXPECT_EQ(List(request, &second).error_code(), grpc::StatusCode::INVALID_ARGUMENT)
      << "another filter's token";
  request.Clear();
  request.mutable_filter()->set_taint("?!");
  EXPECT_EQ(List(request, &second).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  request.Clear();
  request.set_page_size(1001);
  EXPECT_EQ(List(request, &second).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ArchiveServiceTest, ReadsMemoryByAddress) {
  const std::string id = ReceiveReal();
  const auto set = RegionsOf(ReadCorpusCase("a47-null-oops"), WithTable::kYes);
  const CoreImage image = Reassemble(set);
  uint64_t vaddr = 0;
  for (const Segment& segment : image.segments) {
    if (segment.has_vaddr && segment.available >= 8) vaddr = segment.vaddr;
  }
  ASSERT_NE(vaddr, 0u);
  std::vector<uint8_t> expected(8);
  ASSERT_TRUE(image.ReadVirtual(vaddr, absl::MakeSpan(expected)).ok());
  const auto read = [&](uint64_t address, uint32_t length, v1::ReadMemoryResponse* response) {
    grpc::ClientContext context;
    Bound(&context);
    v1::ReadMemoryRequest request;
    request.set_id(id);
    request.set_address(address);
    request.set_length(length);
    return stub_->ReadMemory(&context, request, response);
  };
  v1::ReadMemoryResponse response;
  ASSERT_TRUE(read(vaddr, 8, &response).ok());
  EXPECT_EQ(response.data(), TextOf(ByteView(expected)));
  EXPECT_EQ(read(0, 8, &response).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(read(vaddr, 0, &response).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ArchiveServiceTest, AReaderThatStopsReadingHoldsNoThread) {
  const std::string id = Receive([] {
    RegionSet set;
    const std::string noise = AnnouncedCrash::Noise(8 << 20, 3);
    set.regions.push_back(
        {.file_name = "big", .bytes = std::make_shared<MemorySource>(absl::string_view(noise))});
    return set;
  }());
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReader<v1::ReadArtifactResponse>>> readers;
  v1::ReadRegionRequest request;
  request.set_id(id);
  request.set_region("big");
  for (int i = 0; i < 20; ++i) {
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    Bound(contexts.back().get());
    readers.push_back(stub_->ReadRegion(contexts.back().get(), request));
    v1::ReadArtifactResponse response;
    ASSERT_TRUE(readers.back()->Read(&response));
  }
  EXPECT_EQ(ReadRegion(id, "big").data.size(), 8u << 20) << "two workers, twenty stalled readers";
  for (auto& context : contexts) context->TryCancel();
  for (auto& reader : readers) EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

}  // namespace
}  // namespace corefleet
