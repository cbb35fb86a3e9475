#ifndef COREFLEET_SERVER_IDENTITY_ENGINEER_TOKENS_H_
#define COREFLEET_SERVER_IDENTITY_ENGINEER_TOKENS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/digest/digest.h"
#include "server/identity/caller.h"

namespace corefleet {

// The engineers who come with a token instead of a certificate. Holds digests only: the file that they come
// from lets nobody in. A value type.
class EngineerTokens {
 public:
  // `text` has a line
  //
  //   NAME:ROLE:SHA256        the SHA-256 of the token's bytes, 64 lower-case hex digits
  //
  // for each token; empty lines and those that start with # do not count. A name may have several tokens (the
  // old one and the new one, while they are exchanged).
  //   INVALID_ARGUMENT  a line that is none, a role that is none, a digest twice; the text names the line and
  //                     never shows a digest
  static absl::StatusOr<EngineerTokens> Parse(absl::string_view text);

  // Whose `token` is. Takes the same time for every token of one length.
  //   UNAUTHENTICATED  nobody's
  absl::StatusOr<EngineerCaller> Find(absl::string_view token) const;

  size_t size() const { return tokens_.size(); }

 private:
  struct Token {
    Sha256Digest digest;
    EngineerCaller caller;
  };
  static absl::StatusOr<Token> ParseLine(absl::string_view line);

  std::vector<Token> tokens_;
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_IDENTITY_ENGINEER_TOKENS_H_
