#include "core/build/config.h"

#include <zlib.h>

#include <algorithm>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "core/digest/digest.h"

namespace corefleet {
namespace {

constexpr absl::string_view kStart = "IKCFG_ST\x1f\x8b\x08";
constexpr size_t kMarkBytes = 8;
constexpr absl::string_view kEnd = "IKCFG_ED";
constexpr int kGzipOnly = 16 + MAX_WBITS;
constexpr size_t kPieceBytes = 64 * 1024;

struct Inflated {
  std::string text;
  size_t consumed = 0;    // bytes of the stream
  bool finished = false;  // the stream's own end was reached and its checksum is right
};

absl::StatusOr<Inflated> Gunzip(absl::string_view packed) {
  z_stream stream = {};
  if (inflateInit2(&stream, kGzipOnly) != Z_OK) return absl::ResourceExhaustedError("zlib has no memory");
  const absl::Cleanup end = [&stream] { inflateEnd(&stream); };
  // zlib's interface is not const, but it does not write here.
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  Inflated result;
  std::string piece(kPieceBytes, '\0');
  int code = Z_OK;
  while (code == Z_OK) {
    stream.next_out = reinterpret_cast<Bytef*>(piece.data());
    stream.avail_out = kPieceBytes;
    code = inflate(&stream, Z_NO_FLUSH);
    result.text.append(piece, 0, kPieceBytes - stream.avail_out);
    if (result.text.size() > kMaxConfig)
      return absl::OutOfRangeError("the configuration is larger than any is");
  }
  result.consumed = packed.size() - stream.avail_in;
  result.finished = code == Z_STREAM_END;
  return result;
}

bool IsChoice(absl::string_view line) {
  if (absl::ConsumePrefix(&line, "# "))
    return absl::StartsWith(line, "CONFIG_") && absl::EndsWith(line, " is not set");
  return absl::StartsWith(line, "CONFIG_") && absl::StrContains(line, '=');
}

}  // namespace

absl::StatusOr<KernelConfig> ConfigFromRegion(ByteView region) {
  const absl::string_view all = TextOf(region);
  const size_t start = all.find(kStart);
  if (start == absl::string_view::npos)
    return absl::NotFoundError("no IKCFG_ST mark with a gzip stream behind it");
  const absl::string_view packed = all.substr(start + kMarkBytes, kMaxPackedConfig);
  absl::StatusOr<Inflated> inflated = Gunzip(packed);
  if (!inflated.ok()) return inflated.status();
  if (inflated->text.empty()) return absl::DataLossError("the configuration's gzip stream does not inflate");
  const bool marked = absl::StartsWith(packed.substr(inflated->consumed), kEnd);
  return KernelConfig{std::move(inflated->text), inflated->finished && marked};
}

std::string ConfigSha256(absl::string_view config) {
  std::vector<absl::string_view> choices;
  for (const absl::string_view raw : absl::StrSplit(config, '\n')) {
    const absl::string_view line = absl::StripTrailingAsciiWhitespace(raw);
    if (IsChoice(line)) choices.push_back(line);
  }
  std::sort(choices.begin(), choices.end());
  return HexOf(Sha256Of(BytesOf(absl::StrJoin(choices, "\n"))));
}

std::optional<std::string> ConfigValue(absl::string_view config, absl::string_view name) {
  const std::string key = absl::StrCat(name, "=");
  for (absl::string_view line : absl::StrSplit(config, '\n')) {
    if (absl::ConsumePrefix(&line, key)) return std::string(absl::StripTrailingAsciiWhitespace(line));
  }
  return {};
}

}  // namespace corefleet
