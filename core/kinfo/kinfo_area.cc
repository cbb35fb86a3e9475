#include "core/kinfo/kinfo_area.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "core/bytes/byte_reader.h"
#include "core/bytes/escape.h"
#include "core/kinfo/kinfo_layout.h"

namespace corefleet {
namespace {

constexpr size_t kHeadBytes = 16;  // of the info: what all layouts begin with
// arm64 has at most 52 bits of physical address.
constexpr uint64_t kMaxPhysical = uint64_t{1} << 52;
// A kernel's image is smaller, and so is the distance from its _text to its _stext.
constexpr uint64_t kMaxImageBytes = uint64_t{1} << 30;
constexpr uint64_t kMaxTextGap = 4 << 20;
constexpr uint64_t kPage = 4096;
constexpr uint32_t kMaxModuleOffset = 65536;

uint32_t U32At(ByteView info, size_t at) {
  return static_cast<uint32_t>(LoadInteger(info.subspan(at), 4, Endian::kLittle));
}
uint64_t U64At(ByteView info, size_t at) { return LoadInteger(info.subspan(at), 8, Endian::kLittle); }
uint16_t U16At(ByteView info, size_t at) {
  return static_cast<uint16_t>(LoadInteger(info.subspan(at), 2, Endian::kLittle));
}

bool IsZero(ByteView bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](uint8_t byte) { return byte == 0; });
}

// The string in a field, if it is one: ended, printable, nothing behind its end.
std::optional<absl::string_view> StringIn(ByteView field) {
  const absl::string_view text = TextOf(field);
  const size_t end = text.find('\0');
  if (end == absl::string_view::npos || !IsZero(field.subspan(end))) return std::nullopt;
  const absl::string_view value = text.substr(0, end);
  if (!std::all_of(value.begin(), value.end(), absl::ascii_isprint)) return std::nullopt;
  return value;
}

// "6.1.0-47-cloud-amd64": two numbers with a dot between at least.
bool IsRelease(absl::string_view text) {
  const size_t dot = text.find_first_not_of("0123456789");
  return dot != 0 && dot != absl::string_view::npos && text[dot] == '.' && dot + 1 < text.size() &&
         absl::ascii_isdigit(text[dot + 1]);
}

// What every layout begins with: flags, and lengths that a kernel's configuration gives.
bool IsPlausibleHead(ByteView info) {
  const bool flags = std::all_of(info.begin(), info.begin() + 4, [](uint8_t flag) { return flag <= 1; });
  const uint16_t bits = U16At(info, kKinfoBitsPerLong);
  const uint16_t name = U16At(info, kKinfoNameLength);
  return flags && (bits == 32 || bits == 64) && name >= 64 && name <= 2048 &&
         U16At(info, kKinfoModuleNameLength) <= 256 && U16At(info, kKinfoSymbolLength) >= name;
}

bool IsThreadSize(uint32_t size) {
  return size >= kPage && size <= (uint32_t{1} << 20) && (size & (size - 1)) == 0;
}

bool IsPhysical(uint64_t address) { return address != 0 && address < kMaxPhysical; }

// How well a layout fits, the weightiest reason first.
struct Fit {
  const KinfoLayout* layout = nullptr;
  bool release = false;  // and thread size, which stands beside it
  bool checksum = false;
  bool whole_file = false;  // the area ends with the layout
  bool meaning = false;     // what only this layout of its size says
  bool rest_is_zero = false;
  auto Rank() const { return std::make_tuple(release, checksum, whole_file, meaning, rest_is_zero); }
};

// C and E differ only in whether offset 24 is _text, which stands just before _stext.
bool SaysTextBefore(ByteView info) {
  const uint64_t text = U64At(info, 24), stext = U64At(info, kKinfoStext);
  return IsPhysical(text) && text <= stext && stext - text <= kMaxTextGap;
}

bool HasMeaning(ByteView info, const KinfoLayout& layout) {
  if ((layout.text != 0) != SaysTextBefore(info)) return false;
  if (layout.build_info != 0 && !StringIn(info.subspan(layout.build_info, kKinfoBuildInfoBytes)))
    return false;
  // Offsets are small and addresses are not: below 4 GiB, D's address would else be 0x1D4's last offset.
  for (size_t i = 0; i < layout.module_words; ++i) {
    if (U32At(info, layout.modules + 4 * i) >= (i == 0 ? 2 : kMaxModuleOffset)) return false;
  }
  return true;
}

uint32_t ChecksumOf(ByteView info) {
  uint32_t sum = 0;
  for (size_t at = 0; at + 4 <= info.size(); at += 4) sum ^= U32At(info, at);
  return sum;
}

Fit FitOf(const KinfoLayout& layout, ByteView area) {
  const ByteView all = area.subspan(kKinfoWrapperBytes, kKinfoMaxInfoBytes);
  const ByteView info = all.subspan(0, layout.size);
  const auto release = StringIn(info.subspan(layout.release, kKinfoReleaseBytes));
  return {.layout = &layout,
          .release = release && IsRelease(*release) && IsThreadSize(U32At(info, layout.thread)),
          .checksum = ChecksumOf(info) == U32At(area, 4),
          .whole_file = area.size() == kKinfoWrapperBytes + layout.size,
          .meaning = HasMeaning(info, layout),
          .rest_is_zero = IsZero(all.subspan(layout.size))};
}

void ReadAddresses(ByteView info, const KinfoLayout& layout, Kinfo* kinfo) {
  const uint64_t stext = U64At(info, kKinfoStext), etext = U64At(info, kKinfoEtext),
                 end = U64At(info, kKinfoEnd);
  // Not one of them tells anything when they contradict each other.
  if (!IsPhysical(stext) || !IsPhysical(etext) || stext >= etext || etext - stext > kMaxImageBytes) return;
  kinfo->stext_pa = stext;
  kinfo->etext_pa = etext;
  if (layout.text != 0 && SaysTextBefore(info)) kinfo->text_pa = U64At(info, layout.text);
  if (end >= etext && end - stext <= kMaxImageBytes) kinfo->end_pa = end;
  const uint64_t swapper = U64At(info, layout.swapper);
  if (IsPhysical(swapper) && swapper % kPage == 0) kinfo->swapper_pg_dir_pa = swapper;
}

Kinfo ReadAs(const Fit& fit, ByteView area) {
  const KinfoLayout& layout = *fit.layout;
  const ByteView info = area.subspan(kKinfoWrapperBytes, layout.size);
  Kinfo kinfo{.layout = std::string(layout.name), .checksum_ok = fit.checksum};
  const auto release = StringIn(info.subspan(layout.release, kKinfoReleaseBytes));
  if (release && IsRelease(*release)) kinfo.release = EscapeForTerminal(*release);
  if (layout.build_info != 0) {
    const auto build = StringIn(info.subspan(layout.build_info, kKinfoBuildInfoBytes));
    if (build) kinfo.build_info = EscapeForTerminal(*build);
  }
  kinfo.num_syms = U32At(info, kKinfoNumSyms);
  const uint32_t thread = U32At(info, layout.thread);
  if (IsThreadSize(thread)) kinfo.thread_size = thread;
  ReadAddresses(info, layout, &kinfo);
  return kinfo;
}

}  // namespace

bool LooksLikeKinfo(ByteView head) {
  return head.size() >= kKinfoWrapperBytes + kHeadBytes && U32At(head, 0) == kKinfoMagic;
}

std::optional<Kinfo> ParseKinfo(ByteView area) {
  if (!LooksLikeKinfo(area)) return std::nullopt;
  Fit best;
  for (const KinfoLayout& layout : kKinfoLayouts) {
    if (area.size() < kKinfoWrapperBytes + layout.size) continue;
    const Fit fit = FitOf(layout, area);
    if (best.layout == nullptr || fit.Rank() > best.Rank()) best = fit;
  }
  if (best.layout == nullptr) return std::nullopt;
  // Zeroes have a checksum of 0, which anybody may write: some field has to make sense too.
  if (!best.release && !(best.checksum && IsPlausibleHead(area.subspan(kKinfoWrapperBytes))))
    return std::nullopt;
  return ReadAs(best, area);
}

void UnpackKinfos(const std::vector<Artifact>& files, const DumpOpener*, Pieces* out) {
  for (const Artifact& file : files) {
    const std::string name = EscapeForTerminal(file.file_name);
    const auto report = [&](absl::string_view what) {
      out->defects.push_back({DefectCode::kKinfoDamaged, name, std::string(what)});
    };
    const uint64_t size = std::min<uint64_t>(file.bytes->size(), kKinfoWrapperBytes + kKinfoMaxInfoBytes + 1);
    const auto bytes = ReadBytes(*file.bytes, 0, size);
    if (!bytes.ok()) {
      report("the area cannot be read back");
      continue;
    }
    std::optional<Kinfo> kinfo = ParseKinfo(*bytes);
    if (!kinfo) {
      report("no known layout makes sense of it; kept as received");
      continue;
    }
    if (!kinfo->checksum_ok)
      report(absl::StrCat("its checksum is wrong; read as layout ", kinfo->layout,
                          " as far as it is plausible"));
    out->kinfos.push_back(*std::move(kinfo));
  }
  std::stable_sort(out->kinfos.begin(), out->kinfos.end(),
                   [](const Kinfo& a, const Kinfo& b) { return a.checksum_ok > b.checksum_ok; });
}

}  // namespace corefleet
