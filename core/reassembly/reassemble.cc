#include "core/reassembly/reassemble.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/bytes/escape.h"
#include "core/minidump/vendor_header.h"
#include "core/reassembly/anchors.h"
#include "core/reassembly/foreign_regions.h"
#include "core/reassembly/header_region.h"
#include "core/reassembly/headerless.h"
#include "core/reassembly/id_alignment.h"
#include "core/reassembly/overlaps.h"
#include "core/reassembly/placement.h"
#include "core/vmcoreinfo/machine.h"

namespace corefleet {
namespace {

// One page of the largest page size.
constexpr uint64_t kMaxVmcoreinfoBytes = 64 * 1024;
constexpr uint64_t kCompareStep = 64 * 1024;

bool SameBytes(const ByteSource& a, const ByteSource& b) {
  if (a.size() != b.size()) return false;
  for (uint64_t at = 0; at < a.size(); at += kCompareStep) {
    const uint64_t n = std::min(kCompareStep, a.size() - at);
    const auto left = ReadBytes(a, at, n), right = ReadBytes(b, at, n);
    if (!left.ok() || !right.ok() || *left != *right) return false;
  }
  return true;
}

// One run of Reassemble.
class Reassembler {
 public:
  explicit Reassembler(const RegionSet& set) : set_(set) {
    for (const Region& region : set.regions) {
      image_.sources.push_back(
          region.bytes != nullptr ? region.bytes : std::make_shared<MemorySource>(std::vector<uint8_t>()));
    }
  }

  CoreImage Run() {
    inventory_ = TakeInventory(set_, &image_.defects);
    is_rfc1_ = IsRfc1(inventory_.pieces);
    skip_.resize(inventory_.pieces.size());
    ReadHeader();
    ReadVmcoreinfo();
    ListSlots();
    AddSlotsOfForeignRegions(set_, inventory_, skip_, &slots_);
    placement_ =
        Place(inventory_.pieces, skip_, slots_, Anchors(series_, image_.vmcoreinfo, slots_), &image_.defects);
    ListSegments();
    ListLeftOvers();
    FindOverlaps(&image_);
    image_.IndexSegments();
    return std::move(image_);
  }

 private:
  const Piece& piece(size_t p) const { return inventory_.pieces[p]; }

  void Report(DefectCode code, std::string region, std::string detail) {
    image_.defects.push_back({code, std::move(region), std::move(detail)});
  }

  void ReadHeader() {
    header_piece_ = FindHeaderPiece(inventory_.pieces);
    if (!header_piece_) {
      Report(DefectCode::kHeaderMissing, "",
             "no region is an ELF core header; regions are placed by the address table, or by VMCOREINFO");
      return;
    }
    skip_[*header_piece_] = true;
    header_ = ReadHeaderRegion(piece(*header_piece_), &image_.defects);
    image_.has_header = true;
    image_.header_region = piece(*header_piece_).region;
    image_.e_machine = header_.machine;
    image_.e_flags = header_.flags;
    if (header_.is_vendor) JoinVendorFiles();
  }

  // The vendor's files are known by the names of the header's sections: each gets its section's address.
  // Nothing in their names is an id.
  void JoinVendorFiles() {
    image_.source = "minidump";
    std::vector<VendorRegion> regions;
    for (const Slot& slot : header_.slots)
      regions.push_back({.name = slot.row_name, .vaddr = slot.vaddr, .paddr = slot.paddr, .size = slot.size});
    std::vector<VendorFile> files;
    for (Piece& p : inventory_.pieces) {
      const std::string full_name = absl::StrCat(p.name, p.id ? absl::StrCat(*p.id) : "");
      const std::string& file_name = set_.regions[p.region].file_name;
      const bool by_file = absl::EndsWithIgnoreCase(file_name, ".bin") || full_name.empty();
      files.push_back({by_file ? VendorFileKey(file_name) : VendorFileKey(full_name), p.size});
      if (!p.id) continue;
      p.id.reset();
      p.name = full_name;
      p.label = EscapeForTerminal(full_name);
    }
    const std::vector<std::optional<size_t>> match = MatchVendorFiles(files, regions);
    for (size_t i = 0; i < match.size(); ++i) {
      Piece& p = inventory_.pieces[i];
      if (!match[i] || p.paddr || skip_[i]) continue;
      p.paddr = regions[*match[i]].paddr;
      p.table_size = regions[*match[i]].size;
    }
  }

  // How large the VMCOREINFO text is, if the header region is whole: the last note's body begins where it
  // ends.
  std::optional<uint64_t> RoomForVmcoreinfo() const {
    const uint64_t end = header_.notes_offset + header_.notes_size;
    if (!header_piece_ || header_.notes_size == 0 || end <= piece(*header_piece_).size) return std::nullopt;
    return end - piece(*header_piece_).size;
  }

  void ReadVmcoreinfo() {
    const std::optional<uint64_t> room = RoomForVmcoreinfo();
    vmcoreinfo_piece_ = FindVmcoreinfoPiece(inventory_.pieces, room);
    if (!vmcoreinfo_piece_) {
      // The vendor's minidump never has one.
      if (!header_.is_vendor) {
        Report(DefectCode::kVmcoreinfoMissing, "",
               "no region is the VMCOREINFO text: release, symbols and layouts are not known from it");
      }
    } else {
      const Piece& text = piece(*vmcoreinfo_piece_);
      skip_[*vmcoreinfo_piece_] = !header_.is_vendor;
      image_.vmcoreinfo_region = text.region;
      const auto bytes = ReadBytes(*text.bytes, 0, std::min(text.size, kMaxVmcoreinfoBytes));
      if (bytes.ok()) image_.vmcoreinfo = Vmcoreinfo::Parse(*bytes, &image_.defects);
    }
    SizeHeader();
    // Of a header that is refused nothing is known, its notes neither.
    if (header_piece_ && header_.machine != 0 && !header_.is_vendor) {
      image_.command_line =
          ReadNotes(piece(*header_piece_), header_, image_.vmcoreinfo_size, &image_.defects);
    }
    if (image_.e_machine == 0) image_.e_machine = MachineOf(image_.vmcoreinfo);
  }

  // The layout before the first load. Of header region and VMCOREINFO one may be cut short, and the other
  // tells.
  void SizeHeader() {
    if (!header_piece_) return;
    const uint64_t end = header_.notes_offset + header_.notes_size;
    const uint64_t have = piece(*header_piece_).size;
    image_.header_size = header_.notes_size != 0 ? end : have;
    if (header_.notes_size == 0) return;
    // Prstatus, prpsinfo and the three note headers with their names; the rest of the segment is the text.
    const uint64_t before_text = header_.machine == kElfMachineX86_64 ? 536 : 592;
    if (header_.notes_size > before_text) image_.vmcoreinfo_size = header_.notes_size - before_text;
    const std::optional<uint64_t> room = RoomForVmcoreinfo();
    if (header_.machine != kElfMachineX86_64 && header_.machine != kElfMachineAarch64 && room) {
      image_.vmcoreinfo_size = *room;
    }
    const uint64_t header_bytes = end - image_.vmcoreinfo_size;
    if (have < header_bytes) {
      Report(DefectCode::kHeaderDamaged, piece(*header_piece_).label,
             absl::StrCat("it is cut short: ", have, " of ", header_bytes, " bytes"));
    }
    if (!vmcoreinfo_piece_) return;
    const Piece& text = piece(*vmcoreinfo_piece_);
    if (text.size < image_.vmcoreinfo_size && image_.vmcoreinfo_size - text.size > 3) {
      Report(DefectCode::kVmcoreinfoDamaged, text.label,
             absl::StrCat("it is cut short: ", text.size, " of ", image_.vmcoreinfo_size, " bytes"));
    }
  }

  void ListSlots() {
    slots_ = header_.slots;
    if (header_.is_vendor) return ListVendorSlots();
    if (is_rfc1_ && !slots_.empty()) return AlignRfc1();
    if (!slots_.empty()) series_ = AlignIds(inventory_.pieces, image_.vmcoreinfo, &slots_);
    if (slots_.empty()) series_ = SeriesOfNames(inventory_.pieces);
    image_.series = std::string(SeriesName(series_));
    if (header_piece_ && !header_.table_cut) return;
    AddSlotsOfAddresses(inventory_, skip_, &slots_, &image_.defects);
    DeriveVirtualAddresses(series_, image_.vmcoreinfo, inventory_.pieces, &slots_);
    AddSlotsOfSymbols(series_, image_.vmcoreinfo, inventory_.pieces, skip_, &slots_);
    AddSlotsOfSelfPointers(image_.vmcoreinfo, inventory_.pieces, skip_, &slots_);
  }

  void AlignRfc1() {
    NameRfc1Pieces(&inventory_.pieces);
    AlignByEvidence(inventory_.pieces, image_.vmcoreinfo, &slots_);
    // Its names are v1's, and so is what is registered under them.
    series_ = MeminspectSeries::kV1;
    image_.series = std::string(SeriesName(MeminspectSeries::kRfc1));
    if (header_.table_cut) AddSlotsOfAddresses(inventory_, skip_, &slots_, &image_.defects);
  }

  void ListVendorSlots() {
    if (header_.table_cut) AddSlotsOfAddresses(inventory_, skip_, &slots_, &image_.defects);
  }

  std::string FileNameOf(const Piece& p) const { return EscapeForTerminal(set_.regions[p.region].file_name); }

  RegionFacts FactsOf(const Piece& p, RegionState state) const {
    RegionFacts facts;
    facts.name = EscapeForTerminal(p.name);
    facts.file_name = FileNameOf(p);
    facts.id = p.id;
    facts.size = facts.received = p.size;
    facts.state = state;
    facts.index = p.region;
    return facts;
  }

  void ListNoMemory() {
    if (header_piece_) {
      const Piece& p = piece(*header_piece_);
      RegionFacts facts = FactsOf(p, RegionState::kPresent);
      facts.paddr = p.paddr;
      if (p.size < image_.header_size - image_.vmcoreinfo_size) facts.state = RegionState::kTruncated;
      image_.regions.push_back(std::move(facts));
    }
    if (vmcoreinfo_piece_ && skip_[*vmcoreinfo_piece_]) {
      const Piece& p = piece(*vmcoreinfo_piece_);
      RegionFacts facts = FactsOf(p, RegionState::kPresent);
      facts.paddr = p.paddr;
      if (p.size < image_.vmcoreinfo_size) facts.state = RegionState::kTruncated;
      image_.regions.push_back(std::move(facts));
    }
  }

  void ListSegments() {
    ListNoMemory();
    for (size_t s = 0; s < slots_.size(); ++s) {
      if (slots_[s].usable) AddSegment(s);
    }
  }

  void AddSegment(size_t s) {
    const Slot& slot = slots_[s];
    const std::optional<size_t> p = placement_.piece_of_slot[s];
    Segment segment;
    segment.vaddr = slot.vaddr;
    segment.paddr = slot.paddr;
    segment.has_vaddr = slot.has_vaddr;
    segment.has_paddr = slot.has_paddr;
    segment.size = slot.size;
    segment.id = slot.id;
    if (p) {
      segment.region = piece(*p).region;
      segment.available = std::min(slot.size, piece(*p).size);
      if (!segment.id) segment.id = piece(*p).id;
    }
    segment.name = NameOf(slot, p);
    AddRegionFacts(slot, segment, p);
    if (p && !slot.inferred.empty()) {
      Report(DefectCode::kPlacedByContent, LabelOf(slot, segment),
             absl::StrCat("no address of it was received; placed at 0x", absl::Hex(slot.vaddr), ": ",
                          slot.inferred));
    }
    image_.segments.push_back(std::move(segment));
  }

  std::string NameOf(const Slot& slot, std::optional<size_t> p) const {
    if (!slot.row_name.empty()) return EscapeForTerminal(slot.row_name);
    if (p && !piece(*p).name.empty() && (!slot.id || piece(*p).id == slot.id))
      return EscapeForTerminal(piece(*p).name);
    if (slot.id) return std::string(DriverNameOfId(series_, *slot.id));
    return "";
  }

  void AddRegionFacts(const Slot& slot, const Segment& segment, std::optional<size_t> p) {
    RegionFacts facts;
    if (p) facts = FactsOf(piece(*p), RegionState::kPresent);
    facts.name = segment.name;
    facts.id = segment.id;
    if (slot.has_paddr) facts.paddr = slot.paddr;
    if (slot.has_vaddr) facts.vaddr = slot.vaddr;
    facts.size = p ? segment.available : slot.size;
    const std::string label = LabelOf(slot, segment);
    if (!p) {
      facts.state = RegionState::kMissing;
      ReportMissing(slot, label);
    } else if (piece(*p).size < slot.size) {
      facts.state = RegionState::kTruncated;
      Report(DefectCode::kRegionTruncated, label,
             absl::StrCat("it has ", piece(*p).size, " of ", slot.size, " bytes"));
    } else if (piece(*p).size > slot.size) {
      facts.state = RegionState::kOverlong;
      Report(DefectCode::kRegionOverlong, label,
             absl::StrCat("it has ", piece(*p).size, " bytes instead of ", slot.size,
                          "; what is past the end is not in the core"));
    }
    image_.regions.push_back(std::move(facts));
  }

  std::string LabelOf(const Slot& slot, const Segment& segment) const {
    if (!segment.name.empty()) return RegionLabel(segment.name, segment.id);
    return SlotLabel(series_, slot);
  }

  void ReportMissing(const Slot& slot, const std::string& label) {
    const absl::string_view symbol = slot.id ? SymbolOfId(series_, *slot.id) : "";
    const std::string what = symbol.empty() ? "it" : std::string(symbol);
    const std::string where = slot.has_paddr ? absl::StrCat("physical 0x", absl::Hex(slot.paddr))
                                             : absl::StrCat("0x", absl::Hex(slot.vaddr));
    if (slot.size == 0) {
      // meminspect v3 registers an enlarged log buffer after it has set its length to 0.
      Report(
          DefectCode::kRegionEmptyHeader, label,
          absl::StrCat(what, " at ", where, " has a program header of size 0: the kernel lost the region"));
      return;
    }
    Report(DefectCode::kRegionMissing, label,
           absl::StrCat(what, " is missing: ", slot.size, " bytes at ", where, " were not received"));
  }

  void ListLeftOvers() {
    for (size_t p = 0; p < inventory_.pieces.size(); ++p) {
      if (skip_[p] || placement_.slot_of_piece[p]) continue;
      if (const std::optional<size_t> twin = TwinOf(p)) {
        ListDuplicate(p, *twin);
        continue;
      }
      RegionFacts facts = FactsOf(piece(p), RegionState::kUnplaced);
      facts.paddr = piece(p).paddr;
      image_.regions.push_back(std::move(facts));
      Report(DefectCode::kRegionUnplaced, piece(p).label,
             absl::StrCat("its ", piece(p).size, " bytes have no place in the core; kept as received"));
    }
  }

  // The piece whose place or part this one claims too.
  std::optional<size_t> TwinOf(size_t p) const {
    if (const auto slot = placement_.duplicate_of_slot[p]) return placement_.piece_of_slot[*slot];
    if (header_piece_ && SameBytes(*piece(p).bytes, *piece(*header_piece_).bytes)) return header_piece_;
    if (vmcoreinfo_piece_ && SameBytes(*piece(p).bytes, *piece(*vmcoreinfo_piece_).bytes))
      return vmcoreinfo_piece_;
    return std::nullopt;
  }

  void ListDuplicate(size_t p, size_t twin) {
    // A tool's core beside the files that it was made of says nothing new.
    if (set_.regions[piece(p).region].container && SameBytes(*piece(p).bytes, *piece(twin).bytes)) return;
    RegionFacts facts = FactsOf(piece(p), RegionState::kDuplicate);
    facts.paddr = piece(p).paddr;
    image_.regions.push_back(std::move(facts));
    const bool same = SameBytes(*piece(p).bytes, *piece(twin).bytes);
    Report(
        DefectCode::kRegionDuplicate, piece(p).label,
        absl::StrCat(FileNameOf(piece(p)), same ? " has the same bytes as " : " has OTHER BYTES than ",
                     FileNameOf(piece(twin)), same ? "" : ", which the core has; both are kept as received"));
  }

  const RegionSet& set_;
  CoreImage image_;
  Inventory inventory_;
  bool is_rfc1_ = false;
  std::vector<bool> skip_;
  std::optional<size_t> header_piece_, vmcoreinfo_piece_;
  HeaderRegion header_;
  MeminspectSeries series_ = MeminspectSeries::kUnknown;
  std::vector<Slot> slots_;
  Placement placement_;
};

}  // namespace

CoreImage Reassemble(const RegionSet& set) { return Reassembler(set).Run(); }

}  // namespace corefleet
