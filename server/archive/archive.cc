#include "server/archive/archive.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "server/archive/page_token.h"
#include "server/archive/region_choice.h"

namespace corefleet {
namespace {

constexpr absl::string_view kLatest = "@latest";
constexpr size_t kMinPrefix = 4;
constexpr size_t kIdDigits = 32;
constexpr int kMaxCandidates = 8;
constexpr int kDefaultPage = 50;
constexpr int kMaxPage = 1000;
constexpr uint32_t kMaxMemoryRead = 1 << 20;

bool IsHex(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return absl::ascii_isxdigit(c); });
}

// How many bytes from `address` on the image has by physical address, at most `want`.
uint64_t PhysicallyReadable(const CoreImage& image, uint64_t address, uint64_t want) {
  uint64_t have = 0;
  // Each round ends one segment, so there are not more rounds than segments.
  for (size_t round = 0; round < image.segments.size() && have < want; ++round) {
    const uint64_t at = address + have;
    uint64_t step = 0;
    for (const Segment& segment : image.segments) {
      if (!segment.has_paddr || at < segment.paddr || at - segment.paddr >= segment.available) continue;
      step = std::max(step, segment.available - (at - segment.paddr));
    }
    if (step == 0) break;
    have += std::min(step, want - have);
  }
  return have;
}

}  // namespace

absl::StatusOr<CrashId> Archive::Latest() {
  ASSIGN_OR_RETURN(const CrashPage page, index_->ListCrashes(CrashFilter(), CrashId(), 1));
  if (page.crashes.empty()) return absl::NotFoundError("there is no crash yet");
  return page.crashes.front().id;
}

absl::StatusOr<CrashId> Archive::Resolve(absl::string_view name) {
  if (name == kLatest) return Latest();
  if (name.size() < kMinPrefix || name.size() > kIdDigits || !IsHex(name)) {
    return absl::InvalidArgumentError(
        absl::StrCat("a crash is named by 4 to 32 hex digits of its id, or ", kLatest));
  }
  const std::string prefix = absl::AsciiStrToLower(name);
  if (prefix.size() == kIdDigits) return CrashId::Parse(prefix);
  ASSIGN_OR_RETURN(const std::vector<CrashId> found, index_->FindByPrefix(prefix, kMaxCandidates + 1));
  if (found.empty()) return absl::NotFoundError(absl::StrCat("no crash's id starts with ", prefix));
  if (found.size() == 1) return found.front();
  const bool more = found.size() > kMaxCandidates;
  const std::string list =
      absl::StrJoin(found.begin(), found.begin() + std::min<size_t>(found.size(), kMaxCandidates), ", ",
                    [](std::string* out, const CrashId& id) { out->append(id.ToString()); });
  return absl::FailedPreconditionError(
      absl::StrCat("several crashes' ids start with ", prefix, ": ", list, more ? ", ..." : ""));
}

absl::StatusOr<StoredCrash> Archive::Get(absl::string_view name) {
  ASSIGN_OR_RETURN(const CrashId id, Resolve(name));
  return index_->GetCrash(id);
}

absl::StatusOr<ListedCrashes> Archive::List(const CrashFilter& filter, int page_size,
                                            absl::string_view page_token) {
  if (page_size < 0 || page_size > kMaxPage) {
    return absl::InvalidArgumentError(absl::StrCat("page_size is ", page_size, " and not 1 to ", kMaxPage));
  }
  ASSIGN_OR_RETURN(const CrashId before, ParsePageToken(filter, page_token));
  ASSIGN_OR_RETURN(CrashPage page,
                   index_->ListCrashes(filter, before, page_size == 0 ? kDefaultPage : page_size));
  ListedCrashes listed{.crashes = std::move(page.crashes)};
  if (!page.next.empty()) listed.next_page_token = MakePageToken(filter, page.next);
  return listed;
}

std::string Archive::TokenAfter(const CrashFilter& filter, const CrashId& last) {
  return MakePageToken(filter, last);
}

absl::StatusOr<std::shared_ptr<const OpenedCrash>> Archive::Open(absl::string_view name) {
  ASSIGN_OR_RETURN(const CrashId id, Resolve(name));
  return opened_.Get(id);
}

absl::StatusOr<std::shared_ptr<const KernelLog>> Archive::Log(absl::string_view name) {
  ASSIGN_OR_RETURN(const auto crash, Open(name));
  return crash->Log();
}

absl::StatusOr<std::shared_ptr<const ByteSource>> Archive::Artifact(absl::string_view name,
                                                                    ArtifactKind kind) {
  ASSIGN_OR_RETURN(const auto crash, Open(name));
  auto artifact =
      MakeArtifact(kind, crash->image(), kind == ArtifactKind::kRaw ? crash->received() : crash->set());
  // What was planned while the store was away would lack what is really there.
  RETURN_IF_ERROR(crash->read_failure());
  return artifact;
}

absl::StatusOr<std::shared_ptr<const ByteSource>> Archive::Region(absl::string_view name,
                                                                  absl::string_view region) {
  ASSIGN_OR_RETURN(const auto crash, Open(name));
  ASSIGN_OR_RETURN(const uint32_t index, ChooseRegion(region, crash->image(), crash->set()));
  std::shared_ptr<const ByteSource> bytes = crash->set().regions[index].bytes;
  if (bytes == nullptr) return absl::NotFoundError("nothing was received for that region");
  return bytes;
}

absl::StatusOr<std::vector<uint8_t>> Archive::ReadMemory(absl::string_view name, Addresses addresses,
                                                         uint64_t address, uint32_t length) {
  if (length == 0 || length > kMaxMemoryRead) {
    return absl::InvalidArgumentError(absl::StrCat("length is ", length, " and not 1 to ", kMaxMemoryRead));
  }
  if (address > UINT64_MAX - (length - 1))
    return absl::InvalidArgumentError("the range leaves the address space");
  ASSIGN_OR_RETURN(const auto crash, Open(name));
  const CoreImage& image = crash->image();
  const bool is_virtual = addresses == Addresses::kVirtual;
  std::vector<uint8_t> bytes(length);
  const absl::Status status = is_virtual ? image.ReadVirtual(address, absl::MakeSpan(bytes))
                                         : image.ReadPhysical(address, absl::MakeSpan(bytes));
  if (status.ok()) return bytes;
  if (!absl::IsNotFound(status)) return status;
  const uint64_t have =
      is_virtual ? image.ReadableFrom(address, length) : PhysicallyReadable(image, address, length);
  return absl::NotFoundError(absl::StrCat("the image has ", have, " of ", length, " bytes at 0x",
                                          absl::Hex(address, absl::kZeroPad16)));
}

}  // namespace corefleet
