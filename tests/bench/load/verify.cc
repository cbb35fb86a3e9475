#include "tests/bench/load/verify.h"

#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "core/digest/digest.h"
#include "corefleet/v1/archive.grpc.pb.h"
#include "corefleet/v1/ingest.grpc.pb.h"

namespace corefleet {
namespace {

constexpr size_t kDetails = 20;
constexpr int kPage = 1000;
constexpr int kTries = 5;
constexpr absl::Duration kAnalysisPatience = absl::Minutes(2);

std::unique_ptr<grpc::ClientContext> Context() {
  auto context = std::make_unique<grpc::ClientContext>();
  context->set_deadline(absl::ToChronoTime(Clock::Real()->Now() + absl::Minutes(2)));
  context->set_wait_for_ready(true);
  return context;
}

absl::Status FromGrpc(const grpc::Status& status) {
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
}

// Computes a region's root from its bytes as they come, in pieces of any size.
class RootOfStream {
 public:
  void Add(absl::string_view data) {
    size_ += data.size();
    while (!data.empty()) {
      const size_t count = std::min<size_t>(data.size(), kChunkBytes - chunk_.size());
      chunk_.append(data.data(), count);
      data.remove_prefix(count);
      if (chunk_.size() == kChunkBytes) EndChunk();
    }
  }
  uint64_t size() const { return size_; }
  Sha256Digest Finish() {
    if (!chunk_.empty()) EndChunk();
    return root_.Finish();
  }

 private:
  void EndChunk() {
    root_.AddChunk(Sha256Of(BytesOf(chunk_)));
    chunk_.clear();
  }

  RegionRoot root_;
  std::string chunk_;
  uint64_t size_ = 0;
};

class Verification {
 public:
  Verification(const LedgerEntries& ledger, const Connection& archive, const Connection& ingest)
      : ledger_(ledger),
        archive_(v1::CrashArchive::NewStub(MakeConnection(archive))),
        ingest_(v1::CrashIngest::NewStub(MakeConnection(ingest))) {
    for (const auto& [session, content] : ledger.begun) begun_contents_.insert(content);
    for (const auto& [session, finished] : ledger.finished) begun_contents_.insert(finished.content);
  }

  absl::StatusOr<Verdict> Run(bool whole_archive) {
    for (const auto& [session, finished] : ledger_.finished) CheckPromised(finished);
    if (whole_archive) RETURN_IF_ERROR(CheckArchive());
    for (const auto& [session, chunks] : ledger_.acknowledged) CheckSession(session, chunks);
    return std::move(verdict_);
  }

 private:
  void Note(uint64_t* counter, const std::string& detail) {
    ++*counter;
    if (verdict_.details.size() < kDetails) verdict_.details.push_back(detail);
  }

  void CheckPromised(const LedgerEntries::Finished& finished) {
    ++verdict_.promised;
    const absl::StatusOr<std::string> content = ReadCrash(finished.crash);
    if (absl::IsNotFound(content.status())) {
      return Note(&verdict_.lost, absl::StrCat("lost: ", finished.crash));
    }
    if (absl::IsDataLoss(content.status())) {
      return Note(&verdict_.wrong, absl::StrCat(finished.crash, ": ", content.status().message()));
    }
    if (!content.ok()) {
      return Note(&verdict_.unanswered, absl::StrCat(finished.crash, ": ", content.status().ToString()));
    }
    if (*content != finished.content) {
      return Note(&verdict_.wrong, absl::StrCat(finished.crash, " has other bytes than were sent"));
    }
    ++verdict_.read_back;
  }

  // ContentOf the crash, from the bytes that the archive gives. Remembers it.
  absl::StatusOr<std::string> ReadCrash(const std::string& id) {
    const auto known = contents_.find(id);
    if (known != contents_.end()) return known->second;
    ASSIGN_OR_RETURN(const v1::Crash crash, AnalysedCrash(id));
    std::vector<std::string> lines;
    std::set<std::string> seen;
    for (const v1::Region& region : crash.regions()) {
      // What is listed only because the header names it was never sent; a file may be several regions.
      if (region.file_name().empty() || !seen.insert(region.file_name()).second) continue;
      ASSIGN_OR_RETURN(std::string line, ReadRegion(id, region.file_name()));
      lines.push_back(std::move(line));
    }
    return contents_[id] = ContentOf(std::move(lines));
  }

  // Its regions are listed once it is analysed; that may take a while after a load.
  absl::StatusOr<v1::Crash> AnalysedCrash(const std::string& id) {
    v1::GetCrashRequest request;
    request.set_id(id);
    const absl::Time end = Clock::Real()->Now() + kAnalysisPatience;
    for (;;) {
      v1::Crash crash;
      RETURN_IF_ERROR(Ask([&] { return archive_->GetCrash(Context().get(), request, &crash); }));
      if (crash.state() != v1::Crash::RECEIVED) return crash;
      if (Clock::Real()->Now() > end) return absl::DeadlineExceededError("it is not analysed");
      Clock::Real()->Sleep(absl::Milliseconds(100));
    }
  }

  absl::StatusOr<std::string> ReadRegion(const std::string& id, const std::string& file_name) {
    v1::ReadRegionRequest request;
    request.set_id(id);
    request.set_region(file_name);
    std::string line;
    RETURN_IF_ERROR(Ask([&] {
      RootOfStream root;
      const auto context = Context();
      const auto stream = archive_->ReadRegion(context.get(), request);
      v1::ReadArtifactResponse piece;
      while (stream->Read(&piece)) root.Add(piece.data());
      line = ContentLine(file_name, root.size(), TextOf(root.Finish()));
      verdict_.bytes += root.size();
      return stream->Finish();
    }));
    return line;
  }

  absl::Status CheckArchive() {
    std::map<std::string, std::string> first_with;  // crash, by content
    v1::ListCrashesRequest request;
    request.set_page_size(kPage);
    do {
      v1::ListCrashesResponse page;
      RETURN_IF_ERROR(Ask([&] { return archive_->ListCrashes(Context().get(), request, &page); }));
      for (const v1::Crash& crash : page.crashes()) CheckListed(crash.id(), &first_with);
      request.set_page_token(page.next_page_token());
    } while (!request.page_token().empty());
    return absl::OkStatus();
  }

  void CheckListed(const std::string& id, std::map<std::string, std::string>* first_with) {
    const absl::StatusOr<std::string> content = ReadCrash(id);
    if (!content.ok()) {
      return Note(&verdict_.unanswered, absl::StrCat(id, ": ", content.status().ToString()));
    }
    const auto [twin, fresh] = first_with->try_emplace(*content, id);
    if (!fresh) Note(&verdict_.duplicates, absl::StrCat(id, " is ", twin->second, " once more"));
    if (begun_contents_.count(*content) == 0) Note(&verdict_.unknown, absl::StrCat(id, ": nobody began it"));
  }

  // What was acknowledged is not missing, unless the session is over.
  void CheckSession(const std::string& session, const std::set<std::pair<uint32_t, uint64_t>>& chunks) {
    if (ledger_.finished.count(session) > 0) return;
    v1::GetSessionRequest request;
    request.set_session(session);
    v1::GetSessionResponse response;
    const absl::Status status = Ask([&] { return ingest_->GetSession(Context().get(), request, &response); });
    if (absl::IsNotFound(status)) {
      return Note(&verdict_.lost_chunks, absl::StrCat("session ", session, " is forgotten"));
    }
    if (!status.ok()) {
      return Note(&verdict_.unanswered, absl::StrCat("session ", session, ": ", status.ToString()));
    }
    for (const v1::ChunkRange& range : response.missing()) {
      const auto from = chunks.lower_bound({range.region(), range.first()});
      if (from == chunks.end() || from->first != range.region() ||
          from->second >= range.first() + range.count()) {
        continue;
      }
      Note(&verdict_.lost_chunks, absl::StrCat("session ", session, ": region ", from->first, " chunk ",
                                               from->second, " was acknowledged and is missing"));
    }
  }

  // A busy or restarting server is asked again.
  template <typename Call>
  static absl::Status Ask(Call call) {
    absl::Status status;
    for (int i = 0; i < kTries; ++i) {
      status = FromGrpc(call());
      if (!absl::IsUnavailable(status) && !absl::IsDeadlineExceeded(status)) break;
      Clock::Real()->Sleep(absl::Milliseconds(200 << i));
    }
    return status;
  }

  const LedgerEntries& ledger_;
  std::unique_ptr<v1::CrashArchive::Stub> archive_;
  std::unique_ptr<v1::CrashIngest::Stub> ingest_;
  std::set<std::string> begun_contents_;
  std::map<std::string, std::string> contents_;  // by crash
  Verdict verdict_;
};

}  // namespace

absl::StatusOr<Verdict> VerifyLedger(const LedgerEntries& ledger, const Connection& archive,
                                     const Connection& ingest, bool whole_archive) {
  return Verification(ledger, archive, ingest).Run(whole_archive);
}

}  // namespace corefleet
