#include "core/digest/digest.h"

#include <isa-l/crc.h>
#include <openssl/evp.h>

#include <algorithm>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"

namespace corefleet {
namespace {

// Fetched once: OpenSSL 3 looks the algorithm up again at every use of EVP_sha256(), which shows on small
// chunks.
const EVP_MD* Algorithm() {
  static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return algorithm;
}

}  // namespace

struct Sha256::Context {
  EVP_MD_CTX* evp = EVP_MD_CTX_new();
  ~Context() { EVP_MD_CTX_free(evp); }
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {
  EVP_DigestInit_ex(context_->evp, Algorithm(), nullptr);
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::Update(ByteView bytes) { EVP_DigestUpdate(context_->evp, bytes.data(), bytes.size()); }

Sha256Digest Sha256::Finish() {
  Sha256Digest digest{};
  EVP_DigestFinal_ex(context_->evp, digest.data(), nullptr);
  return digest;
}

Sha256Digest Sha256Of(ByteView bytes) {
  // Making a context costs more than a chunk of a few bytes does, so every thread keeps one.
  thread_local const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(),
                                                                                &EVP_MD_CTX_free);
  Sha256Digest digest{};
  EVP_DigestInit_ex(context.get(), Algorithm(), nullptr);
  EVP_DigestUpdate(context.get(), bytes.data(), bytes.size());
  EVP_DigestFinal_ex(context.get(), digest.data(), nullptr);
  return digest;
}

absl::StatusOr<Sha256Digest> Sha256Of(const ByteSource& source) {
  Sha256 digest;
  std::vector<uint8_t> buffer(static_cast<size_t>(std::min<uint64_t>(source.size(), kChunkBytes)));
  for (uint64_t offset = 0; offset < source.size();) {
    const size_t length = static_cast<size_t>(std::min<uint64_t>(buffer.size(), source.size() - offset));
    RETURN_IF_ERROR(source.ReadAt(offset, absl::MakeSpan(buffer.data(), length)));
    digest.Update(ByteView(buffer.data(), length));
    offset += length;
  }
  return digest.Finish();
}

std::string HexOf(const Sha256Digest& digest) {
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(digest.data()), digest.size()));
}

// ISA-L takes and gives the register without the usual inversions.
uint32_t Crc32c(ByteView bytes) { return ExtendCrc32c(0, bytes); }

uint32_t ExtendCrc32c(uint32_t crc, ByteView bytes) {
  return ~crc32_iscsi(const_cast<unsigned char*>(bytes.data()), static_cast<int>(bytes.size()), ~crc);
}

void RegionRoot::AddChunk(const Sha256Digest& chunk) { digest_.Update(chunk); }
Sha256Digest RegionRoot::Finish() { return digest_.Finish(); }

}  // namespace corefleet
