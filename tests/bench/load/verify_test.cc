#include "tests/bench/load/verify.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/digest/digest.h"
#include "corefleet/v1/archive.grpc.pb.h"
#include "corefleet/v1/ingest.grpc.pb.h"
#include "tests/bench/load/crash_body.h"

namespace corefleet {
namespace {

// An archive of crashes in memory.
class FakeArchive final : public v1::CrashArchive::Service {
 public:
  std::map<std::string, RegionFiles> crashes;

  grpc::Status GetCrash(grpc::ServerContext*, const v1::GetCrashRequest* request, v1::Crash* crash) override {
    const auto found = crashes.find(request->id());
    if (found == crashes.end()) return grpc::Status(grpc::StatusCode::NOT_FOUND, "");
    crash->set_state(v1::Crash::COMPLETE);
    for (const auto& file : found->second) crash->add_regions()->set_file_name(file.first);
    crash->add_regions()->set_name("listed by the header, never sent");
    return grpc::Status::OK;
  }

  grpc::Status ReadRegion(grpc::ServerContext*, const v1::ReadRegionRequest* request,
                          grpc::ServerWriter<v1::ReadArtifactResponse>* writer) override {
    for (const auto& [name, bytes] : crashes[request->id()]) {
      if (name != request->region()) continue;
      // Pieces that are no chunks.
      for (size_t at = 0; at < bytes.size(); at += 50'000) {
        v1::ReadArtifactResponse piece;
        piece.set_data(bytes.substr(at, 50'000));
        writer->Write(piece);
      }
    }
    return grpc::Status::OK;
  }

  grpc::Status ListCrashes(grpc::ServerContext*, const v1::ListCrashesRequest* request,
                           v1::ListCrashesResponse* response) override {
    // One a page.
    auto next = crashes.upper_bound(request->page_token());
    if (next == crashes.end()) return grpc::Status::OK;
    response->add_crashes()->set_id(next->first);
    if (std::next(next) != crashes.end()) response->set_next_page_token(next->first);
    return grpc::Status::OK;
  }
};

class FakeIngest final : public v1::CrashIngest::Service {
 public:
  std::map<std::string, v1::GetSessionResponse> sessions;

  grpc::Status GetSession(grpc::ServerContext*, const v1::GetSessionRequest* request,
                          v1::GetSessionResponse* response) override {
    const auto found = sessions.find(request->session());
    if (found == sessions.end()) return grpc::Status(grpc::StatusCode::NOT_FOUND, "");
    *response = found->second;
    return grpc::Status::OK;
  }
};

std::string Content(const RegionFiles& files) {
  std::vector<std::string> lines;
  for (const auto& [name, bytes] : files) {
    RegionRoot root;
    for (uint64_t chunk = 0; chunk < ChunkCount(bytes.size()); ++chunk) {
      root.AddChunk(Sha256Of(BytesOf(bytes.substr(chunk * kChunkBytes, kChunkBytes))));
    }
    lines.push_back(ContentLine(name, bytes.size(), TextOf(root.Finish())));
  }
  return ContentOf(std::move(lines));
}

RegionFiles Crash(char fill) { return {{"md_Ka1.BIN", std::string(150'000, fill)}, {"md_Kb2.BIN", "short"}}; }

class VerifyTest : public testing::Test {
 protected:
  VerifyTest() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(&archive_);
    builder.RegisterService(&ingest_);
    server_ = builder.BuildAndStart();
    for (const char name : {'x', 'y'}) {
      const std::string id(1, name);
      archive_.crashes[id] = Crash(name);
      ledger_.begun["session-" + id] = Content(Crash(name));
      ledger_.finished["session-" + id] = {Content(Crash(name)), id};
    }
  }

  Verdict Verify() {
    const Connection connection{absl::StrCat("127.0.0.1:", port_), grpc::InsecureChannelCredentials(), ""};
    return *VerifyLedger(ledger_, connection, connection, /*whole_archive=*/true);
  }

  FakeArchive archive_;
  FakeIngest ingest_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
  LedgerEntries ledger_;
};

TEST_F(VerifyTest, FindsEverythingWhereItWasPromised) {
  const Verdict verdict = Verify();
  EXPECT_TRUE(verdict.good()) << verdict.details.front();
  EXPECT_EQ(verdict.promised, 2u);
  EXPECT_EQ(verdict.read_back, 2u);
  EXPECT_EQ(verdict.bytes, 2u * 150'005);
}

TEST_F(VerifyTest, MissesALostCrash) {
  archive_.crashes.erase("x");
  EXPECT_EQ(Verify().lost, 1u);
}

TEST_F(VerifyTest, SeesOneChangedByte) {
  archive_.crashes["x"][0].second[140'000] ^= 1;
  const Verdict verdict = Verify();
  EXPECT_EQ(verdict.wrong, 1u);
  EXPECT_EQ(verdict.unknown, 1u);  // whatever it is by now, nobody sent it
}

TEST_F(VerifyTest, SeesAMissingRegion) {
  archive_.crashes["x"].pop_back();
  EXPECT_EQ(Verify().wrong, 1u);
}

TEST_F(VerifyTest, SeesACrashThatIsThereTwice) {
  archive_.crashes["z"] = Crash('x');
  const Verdict verdict = Verify();
  EXPECT_EQ(verdict.duplicates, 1u);
  EXPECT_EQ(verdict.unknown, 0u);
}

TEST_F(VerifyTest, ACrashWhoseAnswerWasLostIsNoneOfNobodys) {
  archive_.crashes["z"] = Crash('z');
  ledger_.begun["session-z"] = Content(Crash('z'));
  EXPECT_TRUE(Verify().good());
}

TEST_F(VerifyTest, MissesAcknowledgedChunksOfAnOpenSession) {
  ledger_.acknowledged["open"] = {{0, 3}, {0, 4}, {1, 0}};
  EXPECT_EQ(Verify().lost_chunks, 1u);  // the session is forgotten
  v1::ChunkRange* const missing = ingest_.sessions["open"].add_missing();
  missing->set_region(0);
  missing->set_first(4);
  missing->set_count(10);
  EXPECT_EQ(Verify().lost_chunks, 1u);  // chunk 4 of region 0
  missing->set_first(5);
  EXPECT_TRUE(Verify().good());
}

}  // namespace
}  // namespace corefleet
