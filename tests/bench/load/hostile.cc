#include "tests/bench/load/hostile.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <memory>
#include <thread>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/digest/chunk.h"
#include "core/digest/digest.h"
#include "corefleet/v1/ingest.grpc.pb.h"
#include "tests/bench/load/kernel_bytes.h"

namespace corefleet {
namespace {

constexpr size_t kBombBytes = 256 << 20;
constexpr uint64_t kRegionBytes = 64 << 20;
constexpr int kDeafMessages = 4096;
constexpr size_t kNoiseBytes = 64 << 10;
constexpr absl::Duration kHold = absl::Seconds(10);

class Attacker {
 public:
  Attacker(const Connection& connection, int number, absl::Time end, Clock* clock)
      : connection_(connection),
        number_(number),
        end_(end),
        clock_(clock),
        random_(static_cast<uint64_t>(number) * 7919 + 1),
        stub_(v1::CrashIngest::NewStub(MakeConnection(connection))) {}

  // One attack; says how it ended.
  std::string Run(Attack attack) {
    switch (attack) {
      case Attack::kBomb:
        return SendChunks(Bomb(), 4);
      case Attack::kChecksum:
        return SendChunks(Liar(), 4);
      case Attack::kDeaf:
        return Deaf();
      case Attack::kHalfOpen:
        return Raw("");
      case Attack::kGarbage:
        return Raw(Noise());
      case Attack::kGreedy:
        return Greedy();
    }
    return "";
  }

 private:
  // A crash of one region that nobody has seen before.
  grpc::Status Begin(uint64_t region_bytes, int regions, std::string* session) {
    v1::BeginCrashRequest request;
    request.set_device(absl::StrCat("hostile-", number_));
    for (int i = 0; i < regions; ++i) {
      v1::ManifestRegion* region = request.add_regions();
      region->set_kind(v1::MEMORY);
      region->set_file_name(absl::StrCat("md_Khostile", i, ".BIN"));
      region->set_size(region_bytes);
      std::string root(32, '\0');
      for (char& c : root) c = static_cast<char>(random_.Next());
      region->set_root(root);
    }
    v1::BeginCrashResponse response;
    const grpc::Status status = stub_->BeginCrash(Context().get(), request, &response);
    *session = response.session();
    return status;
  }

  std::unique_ptr<grpc::ClientContext> Context() const {
    auto context = std::make_unique<grpc::ClientContext>();
    context->set_deadline(absl::ToChronoTime(std::min(end_, clock_->Now() + kHold)));
    return context;
  }

  std::string SendChunks(const v1::Chunk& chunk, int messages) {
    std::string session;
    if (const grpc::Status status = Begin(kRegionBytes, 1, &session); !status.ok()) {
      return CodeName(status.error_code());
    }
    const auto context = Context();
    const auto stream = stub_->PutChunks(context.get());
    v1::PutChunksRequest request;
    request.set_session(session);
    *request.add_chunks() = chunk;
    for (int i = 0; i < messages && stream->Write(request); ++i) {
    }
    stream->WritesDone();
    v1::PutChunksResponse response;
    while (stream->Read(&response)) {
    }
    return CodeName(stream->Finish().error_code());
  }

  static v1::Chunk ChunkOf(std::string payload, uint32_t raw_size, const Sha256Digest& digest) {
    v1::Chunk chunk;
    chunk.set_raw_size(raw_size);
    chunk.set_crc32c(Crc32c(BytesOf(payload)));
    chunk.set_sha256(std::string(TextOf(digest)));
    chunk.set_payload(std::move(payload));
    return chunk;
  }

  static v1::Chunk Bomb() {
    static const auto* const frame = [] {
      const std::string zeros(kBombBytes, '\0');
      auto* const packed = new std::string(ZSTD_compressBound(kBombBytes), '\0');
      packed->resize(ZSTD_compress(packed->data(), packed->size(), zeros.data(), zeros.size(), 1));
      return packed;
    }();
    v1::Chunk chunk = ChunkOf(*frame, kChunkBytes, Sha256Of(BytesOf(*frame)));
    chunk.set_encoding(v1::Chunk::ZSTD);
    return chunk;
  }

  v1::Chunk Liar() {
    v1::Chunk chunk = ChunkOf(Noise(), kChunkBytes, Sha256Digest{});
    if (random_.Next() % 2 == 0) chunk.set_crc32c(chunk.crc32c() ^ 1);
    return chunk;
  }

  // Good chunks, each with a flush, over and over, and no acknowledgement is ever read.
  std::string Deaf() {
    std::string session;
    if (const grpc::Status status = Begin(kRegionBytes, 1, &session); !status.ok()) {
      return CodeName(status.error_code());
    }
    const auto context = Context();
    const auto stream = stub_->PutChunks(context.get());
    v1::PutChunksRequest request;
    request.set_session(session);
    request.set_flush(true);
    const std::string noise = Noise();
    *request.add_chunks() = ChunkOf(noise, kChunkBytes, Sha256Of(BytesOf(noise)));
    for (int i = 0; i < kDeafMessages; ++i) {
      request.mutable_chunks(0)->set_chunk(static_cast<uint64_t>(i) % (kRegionBytes / kChunkBytes));
      if (!stream->Write(request)) break;
    }
    return CodeName(stream->Finish().error_code());
  }

  std::string Greedy() {
    std::string session;
    const grpc::Status status = Begin(uint64_t{1} << 20, 1024, &session);
    return CodeName(status.error_code());
  }

  std::string Noise() {
    std::string noise(kNoiseBytes, '\0');
    for (char& c : noise) c = static_cast<char>(random_.Next());
    return noise;
  }

  // A plain connection that sends `bytes` and then waits for what the server does about it.
  std::string Raw(const std::string& bytes) {
    const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const std::pair<std::string, std::string> parts = absl::StrSplit(connection_.address, ':');
    int port = 0;
    sockaddr_in address{};
    address.sin_family = AF_INET;
    if (!absl::SimpleAtoi(parts.second, &port)) port = 0;
    address.sin_port = htons(static_cast<uint16_t>(port));
    ::inet_pton(AF_INET, parts.first.c_str(), &address.sin_addr);
    std::string outcome = "refused";
    if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
      if (!bytes.empty()) (void)::send(descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      outcome = WaitForEnd(descriptor) ? "closed" : "open";
    }
    ::close(descriptor);
    return outcome;
  }

  bool WaitForEnd(int descriptor) {
    const absl::Time end = std::min(end_, clock_->Now() + kHold);
    char buffer[4096];
    for (absl::Duration left = end - clock_->Now(); left > absl::ZeroDuration(); left = end - clock_->Now()) {
      pollfd poll = {descriptor, POLLIN, 0};
      if (::poll(&poll, 1, static_cast<int>(absl::ToInt64Milliseconds(left)) + 1) <= 0) continue;
      if (::recv(descriptor, buffer, sizeof(buffer), 0) <= 0) return true;
    }
    return false;
  }

  const Connection& connection_;
  const int number_;
  const absl::Time end_;
  Clock* const clock_;
  Random random_;
  std::unique_ptr<v1::CrashIngest::Stub> stub_;
};

}  // namespace

absl::string_view AttackName(Attack attack) {
  static constexpr absl::string_view kNames[kAttacks] = {"bomb",      "checksum", "deaf",
                                                         "half-open", "garbage",  "greedy"};
  return kNames[static_cast<int>(attack)];
}

AttackCounts RunAttacks(Attack attack, const Connection& connection, int number, double per_second,
                        absl::Time end, Clock* clock) {
  Attacker attacker(connection, number, end, clock);
  AttackCounts counts;
  const absl::Duration pause = absl::Seconds(1) / std::max(per_second, 0.01);
  for (absl::Time next = clock->Now(); next < end; next += pause) {
    const absl::Duration wait = next - clock->Now();
    if (wait > absl::ZeroDuration()) clock->Sleep(wait);
    ++counts[absl::StrCat(AttackName(attack), ": ", attacker.Run(attack))];
    next = std::max(next, clock->Now() - pause);
  }
  return counts;
}

}  // namespace corefleet
