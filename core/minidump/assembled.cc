#include "core/minidump/assembled.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/bytes/escape.h"
#include "core/elf/elf_header.h"
#include "core/elf/elf_notes.h"
#include "core/meminspect/plausible_content.h"
#include "core/minidump/payload_anchors.h"
#include "core/minidump/payload_positions.h"
#include "core/minidump/vendor_header.h"
#include "core/reassembly/anchors.h"
#include "core/reassembly/header_region.h"
#include "core/reassembly/id_alignment.h"

namespace corefleet {
namespace {

using State = PayloadPosition::State;

// Where the kernel's room for program headers ends: the notes are behind it.
constexpr uint64_t kTableEnd = kElf64HeaderBytes + 201 * kElf64ProgramHeaderBytes;
constexpr uint64_t kMaxFront = 128 * 1024;
constexpr size_t kMaxNamed = 24;  // regions listed in one defect
constexpr size_t kMaxShifts = 8;  // defects about shifts of one file

// Bytes of the note segment before VMCOREINFO's text; 0 for a machine that we do not know.
uint64_t BytesBeforeText(uint16_t machine) {
  const uint32_t prstatus = PrstatusBytes(machine);
  return prstatus == 0 ? 0 : 12 + 8 + prstatus + 12 + 8 + kPrpsinfoBytes + 12 + 12;
}

// One run over one file.
class AssembledFile {
 public:
  AssembledFile(const Artifact& file, Pieces* out) : file_(file), out_(*out) {}

  void TakeApart() {
    ReadFront();
    if (header_.is_vendor) {
      AddRegion("KELF_HDR", std::nullopt, 0, text_at_);
    } else {
      AddRegion("KELF", kElfHeaderId, 0, text_at_);
    }
    if (has_text_)
      AddRegion(std::string(DriverNameOfId(series_, kVmcoreinfoId)), kVmcoreinfoId, text_at_, text_size_);
    if (header_.slots.empty()) return;
    if (IsAsTheHeadersSay()) {
      positions_ = InARow();
    } else {
      Locate();
    }
    AddPayloads();
    ReportShifts();
    ReportAmbiguous();
    ReportEnd();
  }

 private:
  uint64_t size() const { return file_.bytes->size(); }
  uint64_t start() const { return text_at_ + (has_text_ ? text_size_ : 0); }

  void Report(DefectCode code, std::string region, std::string detail) {
    out_.defects.push_back(
        {code, std::move(region), absl::StrCat(EscapeForTerminal(file_.file_name), ": ", detail)});
  }

  // The header region and VMCOREINFO, which ends where the first load begins.
  void ReadFront() {
    Piece piece;
    piece.bytes = file_.bytes;
    piece.size = std::min(size(), kMaxFront);
    std::vector<Defect> ignored;  // reassembly reads the header region again and reports
    header_ = ReadHeaderRegion(piece, &ignored);
    if (header_.is_vendor) return ReadVendorFront();
    const auto front = ReadBytes(*file_.bytes, 0, piece.size);
    const uint64_t notes_end = header_.notes_offset + header_.notes_size;
    const uint64_t before = BytesBeforeText(header_.machine);
    const size_t found = front.ok() ? TextOf(*front).find("OSRELEASE=", kTableEnd) : absl::string_view::npos;
    has_text_ = found != absl::string_view::npos && found <= notes_end + kMaxFront / 2;
    if (before != 0 && header_.notes_size >= before) {
      text_size_ = header_.notes_size - before;
      text_at_ = has_text_ ? found : header_.notes_offset + before;
    } else {
      text_at_ = has_text_ ? found : notes_end;
      text_size_ = has_text_ && notes_end > found ? notes_end - found : 0;
    }
    text_at_ = std::min(text_at_, size());
    text_size_ = std::min(text_size_, size() - text_at_);
    if (has_text_ && front.ok()) {
      const ByteView all(*front);
      const uint64_t there = std::min<uint64_t>(text_size_, all.size() - text_at_);
      vmcoreinfo_ = Vmcoreinfo::Parse(all.subspan(text_at_, there), nullptr);
    }
    series_ = AlignIds({}, vmcoreinfo_, &header_.slots);
  }

  // No notes and no VMCOREINFO; the banner is in the header region and not behind it.
  void ReadVendorFront() {
    const std::optional<VendorHeader> vendor = ReadVendorHeader(*file_.bytes);
    if (!vendor || vendor->regions.size() != header_.slots.size()) return;
    std::vector<Slot> behind;
    for (size_t i = 0; i < vendor->regions.size(); ++i) {
      if (!vendor->regions[i].inside) behind.push_back(header_.slots[i]);
    }
    header_.slots = std::move(behind);
    text_at_ = std::min(vendor->size, size());
  }

  std::vector<PayloadPosition> InARow() const {
    std::vector<PayloadPosition> positions;
    uint64_t at = start();
    for (const Slot& slot : header_.slots) {
      const uint64_t there = at < size() ? std::min(slot.size, size() - at) : 0;
      positions.push_back({there == 0 ? State::kMissing : State::kAt, at, there});
      at = slot.size > UINT64_MAX - at ? UINT64_MAX : at + slot.size;
    }
    return positions;
  }

  Anchors::Verdict VerdictAt(size_t slot, uint64_t offset) const {
    Piece piece;
    piece.size = header_.slots[slot].size;
    const uint64_t there = offset < size() ? size() - offset : 0;
    auto head = ReadBytes(*file_.bytes, offset, std::min({piece.size, kHeadBytes, there}));
    if (!head.ok()) return Anchors::Verdict::kUnknown;
    piece.head = *std::move(head);
    const Anchors::Verdict verdict =
        Anchors(series_, vmcoreinfo_, header_.slots).Check(header_.slots[slot], piece);
    const absl::string_view symbol =
        header_.slots[slot].id ? SymbolOfId(series_, *header_.slots[slot].id) : "";
    if (verdict != Anchors::Verdict::kUnknown || IsPossibleContent(symbol, piece.head)) return verdict;
    return Anchors::Verdict::kNo;
  }

  // Exactly as long as the headers say, and no region's content says otherwise.
  bool IsAsTheHeadersSay() const {
    uint64_t at = start();
    size_t sure = 0;
    for (size_t i = 0; i < header_.slots.size(); ++i) {
      const Slot& slot = header_.slots[i];
      if (slot.size > size() - std::min(at, size())) return false;
      const Anchors::Verdict verdict = slot.size == 0 ? Anchors::Verdict::kUnknown : VerdictAt(i, at);
      if (verdict == Anchors::Verdict::kNo) return false;
      sure += verdict == Anchors::Verdict::kYes;
      at += slot.size;
    }
    return at == size() && (sure > 0 || header_.is_vendor);
  }

  void Locate() {
    const auto found = FindPayloads(*file_.bytes, start(), header_.slots, series_, vmcoreinfo_);
    std::vector<Payload> payloads;
    for (size_t i = 0; i < found.size(); ++i) {
      // A header whose addresses cannot be still has its bytes in the file.
      payloads.push_back({header_.slots[i].size, found[i]});
      anchors_ += found[i].has_value();
    }
    positions_ = LocatePayloads(payloads, start(), size(), [this](size_t slot, uint64_t offset) {
      return VerdictAt(slot, offset) != Anchors::Verdict::kNo;
    });
  }

  void AddRegion(const std::string& name, std::optional<uint32_t> id, uint64_t offset, uint64_t size) {
    Region region;
    region.name = name;
    region.id = id;
    region.file_name = absl::StrCat(file_.file_name, ":", RegionName(name, id, offset));
    region.bytes = WindowOf(file_.bytes, offset, size);
    region.container = file_.received;
    out_.regions.push_back(std::move(region));
  }

  static std::string RegionName(const std::string& name, std::optional<uint32_t> id, uint64_t offset) {
    return name.empty() ? absl::StrCat("0x", absl::Hex(offset))
                        : absl::StrCat(name, id ? absl::StrCat(*id) : "");
  }

  void AddPayloads() {
    for (size_t i = 0; i < positions_.size(); ++i) {
      const Slot& slot = header_.slots[i];
      const PayloadPosition& position = positions_[i];
      const bool there = position.state == State::kAt || position.state == State::kAssumed;
      if (!there || !slot.can_be_filled() || position.size == 0) continue;
      AddRegion(slot.id ? std::string(DriverNameOfId(series_, *slot.id)) : slot.row_name, slot.id,
                position.offset, position.size);
      Region& region = out_.regions.back();
      region.paddr = slot.paddr;
      region.vaddr = slot.vaddr;
      region.table_size = slot.size;
    }
  }

  std::string LabelOf(size_t i) const {
    const Slot& slot = header_.slots[i];
    if (slot.id) return absl::StrCat(DriverNameOfId(series_, *slot.id), " ", *slot.id);
    return slot.row_name.empty() ? absl::StrCat("0x", absl::Hex(slot.paddr))
                                 : EscapeForTerminal(slot.row_name);
  }

  void ReportShifts() {
    int64_t shift = 0;
    uint64_t said = header_.is_vendor ? text_at_ : header_.notes_offset + header_.notes_size;
    size_t shifts = 0;
    for (size_t i = 0; i < positions_.size(); ++i) {
      const bool known = positions_[i].state == State::kAt || positions_[i].state == State::kAssumed;
      const int64_t now = static_cast<int64_t>(positions_[i].offset - said);
      said += header_.slots[i].size;
      if (!known || now == shift) continue;
      shift = now;
      if (++shifts > kMaxShifts) continue;
      Report(DefectCode::kRegionsShifted, LabelOf(i),
             now == 0 ? "from here on the regions are where the headers say again"
                      : absl::StrCat("from here on the regions are ", now < 0 ? -now : now, " bytes ",
                                     now < 0 ? "before" : "behind",
                                     " the place that the headers say; put right by ", anchors_,
                                     " regions' content"));
    }
  }

  void ReportAmbiguous() {
    for (size_t i = 0; i < positions_.size();) {
      std::vector<std::string> names;
      size_t count = 0;
      for (; i < positions_.size() && positions_[i].state != State::kAt; ++i) {
        if (positions_[i].state != State::kAmbiguous && positions_[i].state != State::kAssumed) continue;
        if (++count <= kMaxNamed) names.push_back(LabelOf(i));
        assumed_ |= positions_[i].state == State::kAssumed;
      }
      if (count != 0) ReportGroup(names, count);
      assumed_ = false;
      if (i < positions_.size()) ++i;
    }
  }

  void ReportGroup(const std::vector<std::string>& names, size_t count) {
    const std::string all = absl::StrCat(absl::StrJoin(names, ", "), count > names.size() ? ", ..." : "");
    Report(DefectCode::kRegionAmbiguous, names.front(),
           assumed_
               ? absl::StrCat(
                     "its size fits no way of leaving regions out; taken as if it were cut at its end: ", all)
               : absl::StrCat("something is missing or of another length among these ", count,
                              " regions, and what cannot be told; none of them was placed: ", all));
  }

  void ReportEnd() {
    if (positions_.empty()) return;
    const PayloadPosition& last = positions_.back();
    if (last.state != State::kAt || last.offset + last.size >= size()) return;
    Report(DefectCode::kContainerDamaged, "",
           absl::StrCat(size() - last.offset - last.size, " bytes behind the last region belong to none"));
  }

  const Artifact& file_;
  Pieces& out_;
  HeaderRegion header_;
  Vmcoreinfo vmcoreinfo_;
  MeminspectSeries series_ = MeminspectSeries::kUnknown;
  bool has_text_ = false, assumed_ = false;
  uint64_t text_at_ = 0, text_size_ = 0;
  size_t anchors_ = 0;
  std::vector<PayloadPosition> positions_;
};

}  // namespace

bool LooksLikeAssembled(ByteView head) {
  const absl::StatusOr<ElfHeader> header = ParseElfHeader(head);
  if (!header.ok() || header->type != kElfTypeCore) return false;
  if (header->section_header_count != 0) return LooksLikeVendorHeader(head);
  if (header->program_headers_offset != kElf64HeaderBytes) return false;
  const std::vector<ProgramHeader> table = ParseProgramHeaders(head, *header, 2);
  if (table.empty() || table[0].type != kSegmentNote || table[0].offset <= kTableEnd) return false;
  // The kernel counts the notes' bodies twice when it sizes the header, which no other writer does.
  const uint64_t before = BytesBeforeText(header->machine);
  if (before == 0) return header->program_header_count <= 201 && table[0].offset < kMaxFront;
  const uint64_t bodies = PrstatusBytes(header->machine) + kPrpsinfoBytes + 12;
  return table[0].file_size >= before && table[0].offset == kTableEnd + bodies + table[0].file_size - before;
}

void UnpackAssembled(const std::vector<Artifact>& files, const DumpOpener*, Pieces* out) {
  for (const Artifact& file : files) AssembledFile(file, out).TakeApart();
}

}  // namespace corefleet
