#include "tests/support/corpus.h"

#include <zstd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace corefleet {
namespace {

constexpr char kPackSuffix[] = ".tar.zst";
constexpr size_t kTarBlock = 512;

[[noreturn]] void Die(const std::string& why) {
  std::fprintf(stderr, "corpus: %s\n", why.c_str());
  std::abort();
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return absl::NotFoundError(absl::StrCat("no file ", path));
  return std::string(std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>());
}

absl::StatusOr<std::string> Unzstd(const std::string& packed) {
  std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context(ZSTD_createDCtx(), &ZSTD_freeDCtx);
  ZSTD_inBuffer in = {packed.data(), packed.size(), 0};
  std::string all;
  std::string piece(ZSTD_DStreamOutSize(), '\0');
  size_t left = 1;
  while (in.pos < in.size) {
    ZSTD_outBuffer out = {piece.data(), piece.size(), 0};
    left = ZSTD_decompressStream(context.get(), &out, &in);
    if (ZSTD_isError(left)) return absl::DataLossError(ZSTD_getErrorName(left));
    all.append(piece, 0, out.pos);
  }
  if (left != 0) return absl::DataLossError("the zstd frame is cut short");
  return all;
}

// The number in an octal field of a tar header, which ends with NUL or blank.
size_t Octal(absl::string_view field) {
  size_t value = 0;
  for (const char c : field) {
    if (c < '0' || c > '7') break;
    value = value * 8 + static_cast<size_t>(c - '0');
  }
  return value;
}

// Regular files of a ustar archive, without the folder they are in.
absl::StatusOr<std::map<std::string, std::string>> Untar(absl::string_view tar) {
  std::map<std::string, std::string> files;
  while (tar.size() >= kTarBlock && tar[0] != '\0') {
    const absl::string_view header = tar.substr(0, kTarBlock);
    if (header.substr(257, 5) != "ustar") return absl::DataLossError("not a ustar header");
    const absl::string_view path = header.substr(0, 100);
    const std::string name(path.substr(0, path.find('\0')));
    const size_t size = Octal(header.substr(124, 12));
    tar.remove_prefix(kTarBlock);
    if (size > tar.size()) return absl::DataLossError(absl::StrCat(name, " is cut short"));
    if (header[156] == '0') files[name.substr(name.rfind('/') + 1)] = std::string(tar.substr(0, size));
    tar.remove_prefix(std::min(tar.size(), (size + kTarBlock - 1) / kTarBlock * kTarBlock));
  }
  return files;
}

// "md_Kprb_info24.BIN" is region 24, called "Kprb_info".
Region MemoryRegion(const std::string& file_name, absl::string_view bytes) {
  absl::string_view name = file_name;
  absl::ConsumePrefix(&name, "md_");
  absl::ConsumeSuffix(&name, ".BIN");
  size_t digits = name.size();
  while (digits > 0 && absl::ascii_isdigit(name[digits - 1])) --digits;
  Region region;
  region.file_name = file_name;
  region.name = std::string(name.substr(0, digits));
  if (uint32_t id = 0; absl::SimpleAtoi(name.substr(digits), &id)) region.id = id;
  region.bytes = std::make_shared<MemorySource>(bytes);
  return region;
}

std::vector<std::string> PacksIn(const std::string& folder) {
  std::vector<std::string> packs;
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::string path = it->path().string();
    if (absl::EndsWith(path, kPackSuffix)) packs.push_back(std::move(path));
  }
  if (packs.empty()) Die(absl::StrCat("no pack in ", folder, "; does the test's data list its packs?"));
  std::sort(packs.begin(), packs.end());
  return packs;
}

std::vector<CorpusCase> ReadPacks(const std::vector<std::string>& paths) {
  std::vector<CorpusCase> cases;
  for (const std::string& path : paths) {
    absl::StatusOr<CorpusCase> crash = ReadCorpusPack(path);
    if (!crash.ok()) Die(absl::StrCat(path, ": ", crash.status().ToString()));
    cases.push_back(*std::move(crash));
  }
  return cases;
}

}  // namespace

const std::string& CorpusCase::file(const std::string& file_name) const {
  const auto entry = files.find(file_name);
  if (entry == files.end()) Die(absl::StrCat(name, " has no ", file_name));
  return entry->second;
}

std::vector<std::string> CorpusPacks() { return PacksIn("tests/corpus"); }

absl::StatusOr<CorpusCase> ReadCorpusPack(const std::string& path) {
  absl::StatusOr<std::string> packed = ReadFile(path);
  if (!packed.ok()) return packed.status();
  absl::StatusOr<std::string> tar = Unzstd(*packed);
  if (!tar.ok()) return tar.status();
  absl::StatusOr<std::map<std::string, std::string>> files = Untar(*tar);
  if (!files.ok()) return files.status();
  absl::string_view name = path;
  name.remove_prefix(name.rfind('/') + 1);
  absl::ConsumeSuffix(&name, kPackSuffix);
  return CorpusCase{std::string(name), *std::move(files)};
}

CorpusCase ReadCorpusCase(absl::string_view name) {
  absl::StatusOr<CorpusCase> crash = ReadCorpusPack(absl::StrCat("tests/corpus/", name, kPackSuffix));
  if (!crash.ok()) Die(absl::StrCat(name, ": ", crash.status().ToString()));
  return *std::move(crash);
}

std::vector<CorpusCase> ReadCorpus() { return ReadPacks(CorpusPacks()); }

std::vector<CorpusCase> ReadInputCorpus() { return ReadPacks(PacksIn("tests/corpus/inputs")); }

RegionSet InputsOf(const CorpusCase& crash) {
  RegionSet set;
  for (const auto& [name, bytes] : crash.files) {
    if (name == "expected.json" || name == "log.txt") continue;
    Region file;
    file.kind = RegionKind::kArtifact;
    file.file_name = name;
    file.bytes = std::make_shared<MemorySource>(absl::string_view(bytes));
    set.regions.push_back(std::move(file));
  }
  return set;
}

RegionSet RegionsOf(const CorpusCase& crash, WithTable table) {
  RegionSet set;
  for (const auto& [name, bytes] : crash.files) {
    if (absl::StartsWith(name, "md_")) set.regions.push_back(MemoryRegion(name, bytes));
  }
  if (table == WithTable::kYes) {
    Region toc;
    toc.kind = RegionKind::kAddressTable;
    toc.file_name = "minidump_toc.bin";
    toc.bytes = std::make_shared<MemorySource>(absl::string_view(crash.file(toc.file_name)));
    set.regions.push_back(std::move(toc));
  }
  return set;
}

}  // namespace corefleet
