#include "core/export/tar_file.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "core/digest/digest.h"
#include "core/export/piecewise_source.h"

namespace corefleet {
namespace {

constexpr size_t kBlock = 512;
constexpr size_t kMaxNameBytes = 90;
constexpr uint64_t kMaxOctalSize = (uint64_t{1} << 33) - 1;  // eleven octal digits

struct Entry {
  std::string name;
  RegionKind kind;
  Sha256Digest digest;
  std::shared_ptr<const ByteSource> bytes;
};

std::string NameOf(const Region& region) {
  if (!region.file_name.empty()) return SafeFileName(region.file_name);
  return SafeFileName(absl::StrCat(region.name, region.id ? absl::StrCat(*region.id) : "", ".BIN"));
}

void PutField(absl::string_view text, size_t offset, std::vector<uint8_t>* header) {
  std::copy(text.begin(), text.end(), header->begin() + offset);
}

std::vector<uint8_t> MakeTarHeader(const std::string& name, uint64_t size) {
  constexpr size_t kName = 0, kMode = 100, kUid = 108, kGid = 116, kSize = 124, kTime = 136, kSum = 148,
                   kType = 156, kMagic = 257;
  std::vector<uint8_t> header(kBlock);
  PutField(name, kName, &header);
  PutField("0000644", kMode, &header);
  PutField("0000000", kUid, &header);
  PutField("0000000", kGid, &header);
  PutField(absl::StrFormat("%011o", size), kSize, &header);
  PutField("00000000000", kTime, &header);
  PutField("        ", kSum, &header);  // counts as blanks in its own sum
  header[kType] = '0';
  PutField(absl::string_view("ustar\0"
                             "00",
                             8),
           kMagic, &header);
  uint32_t sum = 0;
  for (uint8_t byte : header) sum += byte;
  PutField(absl::StrFormat("%06o", sum), kSum, &header);
  header[kSum + 6] = 0;
  return header;
}

std::string Unused(const std::string& name, std::set<std::string>* used) {
  std::string candidate = name;
  for (int n = 2; !used->insert(candidate).second; ++n) candidate = absl::StrCat(name, ".", n);
  return candidate;
}

}  // namespace

std::string SafeFileName(absl::string_view untrusted) {
  std::string name(untrusted.substr(0, kMaxNameBytes));
  for (char& c : name) {
    if (!absl::ascii_isgraph(static_cast<unsigned char>(c)) || c == '/' || c == '\\') c = '_';
  }
  if (name.empty()) return "region";
  if (name.find_first_not_of('.') == std::string::npos) std::fill(name.begin(), name.end(), '_');
  return name;
}

absl::StatusOr<std::shared_ptr<const ByteSource>> MakeTarFile(const RegionSet& set) {
  std::vector<Entry> entries;
  for (const Region& region : set.regions) {
    if (region.bytes == nullptr) continue;
    if (region.bytes->size() > kMaxOctalSize) {
      return absl::FailedPreconditionError("a region of 8 GiB or more does not fit into a ustar archive");
    }
    entries.push_back({NameOf(region), region.kind, {}, region.bytes});
  }
  auto key = [](const Entry& e) { return std::make_tuple(e.name, e.kind, e.bytes->size()); };
  std::stable_sort(entries.begin(), entries.end(),
                   [&](const Entry& a, const Entry& b) { return key(a) < key(b); });
  // Only what agrees in all of these is told apart by its bytes.
  for (size_t i = 0; i < entries.size(); ++i) {
    const bool twin = (i > 0 && key(entries[i - 1]) == key(entries[i])) ||
                      (i + 1 < entries.size() && key(entries[i + 1]) == key(entries[i]));
    if (!twin) continue;
    ASSIGN_OR_RETURN(entries[i].digest, Sha256Of(*entries[i].bytes));
  }
  std::stable_sort(entries.begin(), entries.end(), [&](const Entry& a, const Entry& b) {
    return std::make_pair(key(a), a.digest) < std::make_pair(key(b), b.digest);
  });
  auto file = std::make_shared<PiecewiseSource>();
  std::set<std::string> used;
  for (const Entry& entry : entries) {
    file->AppendBytes(MakeTarHeader(Unused(entry.name, &used), entry.bytes->size()));
    RETURN_IF_ERROR(file->AppendRange(entry.bytes, 0, entry.bytes->size()));
    file->AlignTo(kBlock);
  }
  file->AppendZeros(2 * kBlock);
  return file;
}

}  // namespace corefleet
