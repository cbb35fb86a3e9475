#include "core/bytes/escape.h"

#include <cstdint>

namespace corefleet {
namespace {

struct Character {
  uint32_t code = 0;
  size_t length = 0;  // bytes; 0 when the byte starts no valid sequence
};

bool IsContinuation(uint8_t byte) { return (byte & 0xc0) == 0x80; }

// The UTF-8 character at the start of `text`, which is not empty (RFC 3629: no overlong form, no surrogate,
// no code beyond U+10FFFF).
Character FirstCharacter(absl::string_view text) {
  const auto lead = static_cast<uint8_t>(text[0]);
  if (lead < 0x80) return {lead, 1};
  const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return {};
  uint32_t code = lead & (0x7fu >> length);
  for (size_t i = 1; i < length; ++i) {
    const auto byte = static_cast<uint8_t>(text[i]);
    if (!IsContinuation(byte)) return {};
    code = code << 6 | (byte & 0x3f);
  }
  const uint32_t least = length == 4 ? 0x10000 : length == 3 ? 0x800 : 0x80;
  if (code < least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return {};
  return {code, length};
}

// True for a character that makes a terminal do something else than show a glyph and move on.
bool ActsOnTerminal(uint32_t code) {
  if (code < 0x20 || (code >= 0x7f && code <= 0x9f)) return true;       // C0, DEL, C1
  if (code == 0x061c || code == 0x200e || code == 0x200f) return true;  // direction marks
  if (code >= 0x2028 && code <= 0x202e) return true;            // line separators, embeddings, overrides
  if (code >= 0x2066 && code <= 0x2069) return true;            // isolates
  return code == 0xfeff || (code >= 0xfff9 && code <= 0xfffb);  // invisible marks
}

void AppendHex(absl::string_view bytes, std::string* out) {
  static constexpr char kDigits[] = "0123456789abcdef";
  for (const char c : bytes) {
    const auto byte = static_cast<uint8_t>(c);
    out->append("\\x");
    out->push_back(kDigits[byte >> 4]);
    out->push_back(kDigits[byte & 15]);
  }
}

template <typename MustEscape>
std::string Escape(absl::string_view raw, MustEscape must_escape) {
  std::string out;
  out.reserve(raw.size());
  while (!raw.empty()) {
    const Character character = FirstCharacter(raw);
    const absl::string_view bytes = raw.substr(0, character.length == 0 ? 1 : character.length);
    if (character.length == 0 || must_escape(character.code)) {
      AppendHex(bytes, &out);
    } else {
      out.append(bytes.data(), bytes.size());
    }
    raw.remove_prefix(bytes.size());
  }
  return out;
}

}  // namespace

std::string EscapeForTerminal(absl::string_view raw) { return Escape(raw, ActsOnTerminal); }

std::string Utf8OrHex(absl::string_view raw) {
  return Escape(raw, [](uint32_t) { return false; });
}

}  // namespace corefleet
