#include "core/minidump/raw_dump.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "core/bytes/escape.h"
#include "core/minidump/raw_dump_header.h"
#include "core/minidump/saved_section.h"
#include "core/minidump/tables.h"

namespace corefleet {
namespace {

constexpr uint64_t kMaxHeadersBytes = kRawDumpHeaderBytes + kMaxRegions * kRawDumpSectionBytes;
constexpr uint64_t kMaxScriptBytes = 256 * 1024;

absl::string_view WordOfMark(RawDumpMark mark) {
  switch (mark) {
    case RawDumpMark::kFresh:
      return "Raw_Dmp!";
    case RawDumpMark::kMiniDump:
      return "MiniDump";
    case RawDumpMark::kCopyDone:
      return "CopyDone";
    case RawDumpMark::kZeroed:
      return "zeros";
  }
  return "";
}

// Bytes of the container that a section has already taken.
class TakenBytes {
 public:
  explicit TakenBytes(uint64_t headers_end) { Take(0, headers_end); }

  // False, and nothing is taken, if some of the bytes are taken already.
  bool Take(uint64_t offset, uint64_t size) {
    if (size == 0) return true;
    const auto next = end_of_.lower_bound(offset);
    if (next != end_of_.end() && next->first - offset < size) return false;
    if (next != end_of_.begin() && std::prev(next)->second > offset) return false;
    end_of_[offset] = offset + size;
    return true;
  }

 private:
  std::map<uint64_t, uint64_t> end_of_;  // by start; disjoint
};

// Several sections with the same thing wrong are one defect.
class SectionList {
 public:
  void Add(const std::string& name) {
    if (count_ < kNamed) absl::StrAppend(&names_, count_ == 0 ? "" : ", ", EscapeForTerminal(name));
    ++count_;
  }
  bool empty() const { return count_ == 0; }
  std::string text() const {
    return count_ > kNamed ? absl::StrCat(names_, " and ", count_ - kNamed, " more") : names_;
  }

 private:
  static constexpr size_t kNamed = 4;
  size_t count_ = 0;
  std::string names_;
};

// One container, taken apart.
class RawDump {
 public:
  RawDump(const Artifact& file, Pieces* out) : file_(file), size_(file.bytes->size()), out_(*out) {}

  void Take() {
    const uint64_t headers_bytes = std::min(size_, kMaxHeadersBytes);
    const auto headers = ReadBytes(*file_.bytes, 0, headers_bytes);
    if (!headers.ok()) return Damaged(absl::StrCat("it could not be read: ", headers.status().message()));
    const auto header = ParseRawDumpHeader(*headers);
    if (!header) return Damaged(absl::StrCat("it is cut in its header: ", size_, " of 56 bytes"));
    header_ = *header;
    ReportHeader();
    sections_ = ParseRawDumpSections(*headers, header_, kMaxRegions);
    if (sections_.size() < header_.section_count) {
      Damaged(absl::StrCat("of ", header_.section_count, " section headers ", sections_.size(),
                           " could be read; the other sections are lost"));
    }
    NameTheNameless();
    ReadLoadScripts();
    TakeSections();
    ReportSections();
  }

 private:
  void Damaged(std::string detail) { Report(DefectCode::kContainerDamaged, std::move(detail)); }
  void Report(DefectCode code, std::string detail) {
    out_.defects.push_back({code, EscapeForTerminal(file_.file_name), std::move(detail)});
  }

  bool no_room() const { return (header_.flags & kRawDumpNoRoom) != 0; }

  void ReportHeader() {
    if (header_.mark != RawDumpMark::kFresh) {
      Report(DefectCode::kCollectedBefore,
             absl::StrCat("its mark is ", WordOfMark(header_.mark), " instead of Raw_Dmp!"));
    }
    if (no_room()) {
      Report(DefectCode::kInsufficientStorage,
             absl::StrCat("the storage held ", header_.dump_size, " of the ", header_.total_required,
                          " bytes that the dump needed"));
    } else if ((header_.flags & kRawDumpValid) == 0) {
      Damaged("it does not call itself valid: the firmware did not finish writing it");
    }
    if (header_.dump_size < header_.headers_end()) {
      Damaged(absl::StrCat("its size of ", header_.dump_size, " bytes does not even hold its headers"));
    } else if (header_.dump_size > size_) {
      Damaged(absl::StrCat("it is cut: ", size_, " of its ", header_.dump_size, " bytes are there"));
    }
  }

  // Where usable bytes end. When storage ran out, what lies behind the dump is an older dump's, or anything.
  uint64_t End() const {
    const bool trusted = no_room() && header_.dump_size >= header_.headers_end();
    return trusted ? std::min(size_, header_.dump_size) : size_;
  }

  // So that it can be asked for, every section needs a name.
  void NameTheNameless() {
    for (size_t i = 0; i < sections_.size(); ++i) {
      if (sections_[i].name.empty()) sections_[i].name = absl::StrCat("section", i);
    }
  }

  // The script that a debugger would load the dump with has the last word on addresses, as it has in the
  // splitters of both vendors.
  void ReadLoadScripts() {
    for (const RawDumpSection& section : sections_) {
      if (absl::AsciiStrToLower(section.name) != "load.cmm" || section.not_written()) continue;
      const auto script = WindowOf(file_.bytes, section.offset, std::min(section.size, kMaxScriptBytes));
      const auto text = ReadBytes(*script, 0, script->size());
      if (!text.ok()) continue;
      for (const AddressRow& row : ParseAnyTable(TableForm::kLoadScript, *text).rows) {
        script_bases_.emplace(absl::AsciiStrToLower(row.file_name), row.paddr);
      }
    }
  }

  std::optional<uint64_t> BaseOf(const RawDumpSection& section) const {
    const auto scripted = script_bases_.find(absl::AsciiStrToLower(section.name));
    if (scripted != script_bases_.end()) return scripted->second;
    if (section.type == RawSectionType::kDdrRange) return section.base;
    return std::nullopt;
  }

  void TakeSections() {
    // Firmware that sets the flag on no section does not use it.
    const bool flags_used = std::any_of(sections_.begin(), sections_.end(), [](const RawDumpSection& s) {
      return (s.flags & kRawDumpValid) != 0;
    });
    TakenBytes taken(std::min(header_.headers_end(), size_));
    for (const RawDumpSection& section : sections_) {
      if (section.not_written()) {
        not_written_.Add(section.name);
        lost_bytes_ += std::min(section.size, UINT64_MAX - lost_bytes_);
      } else if (section.size != 0) {
        TakeOne(section, flags_used && (section.flags & kRawDumpValid) == 0, &taken);
      }
    }
  }

  void TakeOne(const RawDumpSection& section, bool says_invalid, TakenBytes* taken) {
    const uint64_t here = section.offset < End() ? std::min(section.size, End() - section.offset) : 0;
    if (here < section.size) cut_.Add(section.name);
    if (here == 0) return;
    if (!taken->Take(section.offset, here)) return overlapping_.Add(section.name);
    const bool is_memory = section.type == RawSectionType::kDdrRange;
    SavedSection saved{section.name, section.offset, section.size, here, is_memory, BaseOf(section)};
    if (says_invalid) {
      // What is there may be an older dump's: fit to be looked at, but not to be called this kernel's memory.
      invalid_.Add(section.name);
      return TakeAsFile(saved);
    }
    TakeSection(file_, saved, &out_);
  }

  void TakeAsFile(const SavedSection& saved) {
    Region region;
    region.kind = RegionKind::kArtifact;
    region.file_name = saved.name;
    region.bytes = WindowOf(file_.bytes, saved.offset, saved.here);
    region.container = file_.received;
    out_.regions.push_back(std::move(region));
  }

  void ReportSections() {
    if (!not_written_.empty()) {
      Report(DefectCode::kInsufficientStorage,
             absl::StrCat("no room was left for ", lost_bytes_, " bytes of ", not_written_.text()));
    }
    if (!cut_.empty()) {
      Damaged(absl::StrCat("its bytes end at ", End(), ", before the end of ", cut_.text()));
    }
    if (!overlapping_.empty()) {
      Damaged(absl::StrCat("other sections have the bytes that these claim too: ", overlapping_.text(),
                           "; not taken out of it"));
    }
    if (!invalid_.empty()) {
      Damaged(absl::StrCat("sections that do not call themselves valid: ", invalid_.text(),
                           "; kept as files, not as memory"));
    }
  }

  const Artifact& file_;
  const uint64_t size_;
  Pieces& out_;
  RawDumpHeader header_;
  std::vector<RawDumpSection> sections_;
  std::map<std::string, uint64_t> script_bases_;  // by name in lower case
  SectionList not_written_, cut_, overlapping_, invalid_;
  uint64_t lost_bytes_ = 0;
};

}  // namespace

void UnpackRawDumps(const std::vector<Artifact>& files, const DumpOpener*, Pieces* out) {
  for (const Artifact& file : files) RawDump(file, out).Take();
}

}  // namespace corefleet
