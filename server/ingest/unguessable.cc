#include "server/ingest/unguessable.h"

#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string>

#include "absl/strings/escaping.h"

namespace corefleet {
namespace {

template <size_t N>
std::array<uint8_t, N> RandomBytes() {
  std::array<uint8_t, N> bytes;
  // getentropy(3) fails only without a random device or with a bad pointer: nothing that could be waited out.
  if (getentropy(bytes.data(), bytes.size()) != 0) std::abort();
  return bytes;
}

}  // namespace

SessionId NewSessionId() {
  const auto bytes = RandomBytes<16>();
  return SessionId(
      absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size())));
}

CrashId NewCrashId(absl::Time received_at) { return CrashId::Make(received_at, RandomBytes<10>()); }

}  // namespace corefleet
