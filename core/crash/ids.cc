#include "core/crash/ids.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace corefleet {
namespace {

constexpr size_t kTimeBytes = 6;

bool IsLowerHex(absl::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f'); });
}

std::string Hex(const uint8_t* bytes, size_t size) {
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(bytes), size));
}

}  // namespace

CrashId CrashId::Make(absl::Time when, const std::array<uint8_t, 10>& random) {
  CrashId id;
  const uint64_t millis = static_cast<uint64_t>(std::max<int64_t>(0, absl::ToUnixMillis(when)));
  for (size_t i = 0; i < kTimeBytes; ++i)
    id.bytes_[i] = static_cast<uint8_t>(millis >> (8 * (kTimeBytes - 1 - i)));
  std::copy(random.begin(), random.end(), id.bytes_.begin() + kTimeBytes);
  id.bytes_[6] = static_cast<uint8_t>((id.bytes_[6] & 0x0f) | 0x70);  // RFC 9562: version 7
  id.bytes_[8] = static_cast<uint8_t>((id.bytes_[8] & 0x3f) | 0x80);  // and its variant
  // The printed form starts with the two bytes that hold the fixed bits last, so that a short prefix is all
  // random.
  return id;
}

std::string CrashId::ToString() const {
  return absl::StrCat(Hex(&bytes_[9], 7), Hex(&bytes_[6], 3), Hex(&bytes_[0], kTimeBytes));
}

absl::StatusOr<CrashId> CrashId::Parse(absl::string_view text) {
  if (text.size() != 32 || !IsLowerHex(text)) {
    return absl::InvalidArgumentError(absl::StrCat("a crash id is 32 lower-case hex digits, not '",
                                                   absl::CHexEscape(text.substr(0, 64)), "'"));
  }
  const std::string raw = absl::HexStringToBytes(text);
  CrashId id;
  std::copy_n(raw.begin(), 7, id.bytes_.begin() + 9);
  std::copy_n(raw.begin() + 7, 3, id.bytes_.begin() + 6);
  std::copy_n(raw.begin() + 10, kTimeBytes, id.bytes_.begin());
  return id;
}

absl::StatusOr<CrashId> CrashId::FromUuid(absl::string_view uuid) {
  const std::string hex = absl::StrReplaceAll(uuid, {{"-", ""}});
  if (uuid.size() != 36 || hex.size() != 32 || !IsLowerHex(hex)) {
    return absl::InvalidArgumentError("not a UUID");
  }
  const std::string raw = absl::HexStringToBytes(hex);
  CrashId id;
  std::copy(raw.begin(), raw.end(), id.bytes_.begin());
  return id;
}

std::string CrashId::ToUuid() const {
  return absl::StrCat(Hex(&bytes_[0], 4), "-", Hex(&bytes_[4], 2), "-", Hex(&bytes_[6], 2), "-",
                      Hex(&bytes_[8], 2), "-", Hex(&bytes_[10], 6));
}

absl::Time CrashId::time() const {
  int64_t millis = 0;
  for (size_t i = 0; i < kTimeBytes; ++i) millis = millis << 8 | bytes_[i];
  return absl::FromUnixMillis(millis);
}

absl::StatusOr<DeviceId> ParseDeviceId(absl::string_view text) {
  const bool printable =
      std::all_of(text.begin(), text.end(), [](unsigned char c) { return c > ' ' && c < 0x7f; });
  if (text.empty() || text.size() > 128 || !printable) {
    return absl::InvalidArgumentError(
        absl::StrCat("a device name is 1 to 128 printable ASCII characters without blanks, not '",
                     absl::CHexEscape(text.substr(0, 160)), "'"));
  }
  return DeviceId(std::string(text));
}

bool IsSessionId(absl::string_view text) { return text.size() == 32 && IsLowerHex(text); }

}  // namespace corefleet
