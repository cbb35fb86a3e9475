#include "server/identity/engineer_tokens.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"
#include "core/crash/ids.h"

namespace corefleet {
namespace {

constexpr size_t kMaxTokens = 10'000;
// Longer ones are no tokens of ours, and are not worth hashing.
constexpr size_t kMaxTokenBytes = 1024;

absl::StatusOr<Sha256Digest> ParseDigest(absl::string_view hex) {
  Sha256Digest digest;
  const bool is_hex = std::all_of(hex.begin(), hex.end(), [](char c) {
    return absl::ascii_isdigit(static_cast<unsigned char>(c)) || (c >= 'a' && c <= 'f');
  });
  if (hex.size() != 2 * digest.size() || !is_hex) {
    return absl::InvalidArgumentError("the last field is not 64 lower-case hex digits");
  }
  const std::string bytes = absl::HexStringToBytes(hex);
  std::copy(bytes.begin(), bytes.end(), digest.begin());
  return digest;
}

}  // namespace

absl::StatusOr<EngineerTokens::Token> EngineerTokens::ParseLine(absl::string_view line) {
  const std::vector<absl::string_view> fields = absl::StrSplit(line, ':');
  if (fields.size() != 3) return absl::InvalidArgumentError("a line is NAME:ROLE:SHA256");
  ASSIGN_OR_RETURN(const DeviceId name, ParseDeviceId(fields[0]));
  ASSIGN_OR_RETURN(const EngineerRole role, ParseEngineerRole(fields[1]));
  ASSIGN_OR_RETURN(const Sha256Digest digest, ParseDigest(fields[2]));
  return Token{.digest = digest, .caller = {.name = name.value(), .role = role}};
}

absl::StatusOr<EngineerTokens> EngineerTokens::Parse(absl::string_view text) {
  EngineerTokens parsed;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line[0] == '#') continue;
    const auto token = ParseLine(line);
    if (!token.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("line ", number, ": ", token.status().message()));
    }
    if (parsed.tokens_.size() == kMaxTokens) {
      return absl::InvalidArgumentError(absl::StrCat("more than ", kMaxTokens, " tokens"));
    }
    parsed.tokens_.push_back(*token);
  }
  std::vector<Sha256Digest> digests;
  for (const Token& token : parsed.tokens_) digests.push_back(token.digest);
  std::sort(digests.begin(), digests.end());
  if (std::adjacent_find(digests.begin(), digests.end()) != digests.end()) {
    return absl::InvalidArgumentError("two lines have the same token");
  }
  return parsed;
}

absl::StatusOr<EngineerCaller> EngineerTokens::Find(absl::string_view token) const {
  const Token* found = nullptr;
  if (token.size() <= kMaxTokenBytes) {
    const Sha256Digest digest = Sha256Of(BytesOf(token));
    // All of them, found or not: how long it takes says nothing about whose digest comes close.
    for (const Token& candidate : tokens_) {
      const bool same = CRYPTO_memcmp(candidate.digest.data(), digest.data(), digest.size()) == 0;
      found = same ? &candidate : found;
    }
  }
  if (found == nullptr) return absl::UnauthenticatedError("the token is nobody's");
  return found->caller;
}

}  // namespace corefleet
