#include "core/reassembly/headerless.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/bytes/byte_reader.h"
#include "core/reassembly/anchors.h"
#include "core/reassembly/id_alignment.h"
#include "core/reassembly/self_pointers.h"

namespace corefleet {
namespace {

constexpr uint64_t kX86KernelMap = 0xffffffff80000000;
constexpr uint64_t kGibibyte = uint64_t{1} << 30;

bool IsNoMemoryRow(const AddressRow& row) {
  return row.id == kElfHeaderId || row.id == kVmcoreinfoId || absl::StartsWith(row.name, "KELF");
}

// Virtual minus physical address of the kernel image, which is one constant.
std::optional<uint64_t> ImageOffset(const Vmcoreinfo& vmcoreinfo) {
  if (const auto offset = vmcoreinfo.Number("kimage_voffset")) return offset;
  if (const auto phys_base = vmcoreinfo.Number("phys_base")) return kX86KernelMap - *phys_base;
  return std::nullopt;
}

// The same of arm64's linear map; PHYS_OFFSET may be "negative", so all of this wraps on purpose.
std::optional<uint64_t> Arm64LinearOffset(const Vmcoreinfo& vmcoreinfo) {
  const auto va_bits = vmcoreinfo.Number("VA_BITS");
  const auto phys_offset = vmcoreinfo.Number("PHYS_OFFSET");
  if (!va_bits || !phys_offset || *va_bits < 32 || *va_bits > 63) return std::nullopt;
  return -(uint64_t{1} << *va_bits) - *phys_offset;
}

bool IsX86LinearOffset(uint64_t offset) { return offset % kGibibyte == 0 && (offset >> 56) == 0xff; }

// The first region called by this id, if it has at least `least` bytes.
const Piece* PieceOfId(const std::vector<Piece>& pieces, uint32_t id, uint64_t least) {
  auto found = std::find_if(pieces.begin(), pieces.end(), [=](const Piece& p) {
    return p.id == id && p.size >= least && p.head.size() >= std::min<uint64_t>(least, kHeadBytes);
  });
  return found == pieces.end() ? nullptr : &*found;
}

struct LiveRing {
  bool is_static = false;
  uint64_t address = 0;
  const Piece* piece = nullptr;
  RingHeader header;
};

// The ring that `prb` points to, out of the regions that are called prb and printk_rb_*.
std::optional<LiveRing> FindLiveRing(MeminspectSeries series, const Vmcoreinfo& vmcoreinfo,
                                     const std::vector<Piece>& pieces) {
  const Piece* prb = PieceOfId(pieces, IdOfSymbol(series, "prb").value_or(0), 8);
  LiveRing ring;
  const std::optional<uint64_t> static_address = vmcoreinfo.Symbol("printk_rb_static");
  if (prb == nullptr || !static_address) return std::nullopt;
  ring.address = LoadInteger(prb->head, 8, Endian::kLittle);
  ring.is_static = ring.address == *static_address;
  const auto id = IdOfSymbol(series, ring.is_static ? "printk_rb_static" : "printk_rb_dynamic");
  ring.piece = PieceOfId(pieces, id.value_or(0), 72);
  if (ring.piece == nullptr) return std::nullopt;
  const std::optional<RingHeader> header = ReadRingHeader(ring.piece->head, vmcoreinfo);
  if (!header) return std::nullopt;
  ring.header = *header;
  return ring;
}

// x86-64 randomises the linear map and does not export its base. Two pointers into it are in every set: the
// value of mem_section, and, if the log was enlarged, the ring's.
std::optional<uint64_t> LearnLinearOffset(MeminspectSeries series, const Vmcoreinfo& vmcoreinfo,
                                          const std::vector<Piece>& pieces, const std::vector<Slot>& slots) {
  struct Pointer {
    uint64_t vaddr;
    uint64_t size;
  };
  std::vector<Pointer> pointers;
  const auto mem_section = vmcoreinfo.Symbol("mem_section");
  const auto roots = vmcoreinfo.Length("mem_section");
  if (mem_section && roots) pointers.push_back({*mem_section, *roots * 8});
  const std::optional<LiveRing> ring = FindLiveRing(series, vmcoreinfo, pieces);
  if (ring && !ring->is_static) pointers.push_back({ring->header.infos, ring->header.infos_size});
  for (const Pointer& pointer : pointers) {
    std::optional<uint64_t> offset;
    size_t matches = 0;
    for (const Slot& slot : slots) {
      if (!slot.has_paddr || slot.size != pointer.size) continue;
      if (slot.id && *slot.id < FirstDynamicId(series)) continue;
      if (!IsX86LinearOffset(pointer.vaddr - slot.paddr)) continue;
      offset = pointer.vaddr - slot.paddr;
      ++matches;
    }
    if (matches == 1) return offset;
  }
  return std::nullopt;
}

void SetVirtual(Slot* slot, uint64_t vaddr) {
  if (slot->size != 0 && slot->size - 1 > UINT64_MAX - vaddr) return;
  slot->vaddr = vaddr;
  slot->has_vaddr = true;
}

class SymbolSlots {
 public:
  SymbolSlots(const Vmcoreinfo& vmcoreinfo, std::vector<Slot>* slots)
      : image_offset_(ImageOffset(vmcoreinfo)), slots_(*slots) {}

  // In the image the physical address follows; elsewhere it stays unknown.
  void Add(std::optional<uint32_t> id, uint64_t vaddr, uint64_t size, bool in_image, absl::string_view how) {
    if (size == 0 || size - 1 > UINT64_MAX - vaddr) return;
    for (const Slot& slot : slots_) {
      if (slot.has_vaddr && slot.vaddr == vaddr && slot.size == size) return;
      if (id && slot.id == id) return;
    }
    Slot slot;
    slot.id = id;
    slot.size = size;
    slot.inferred = std::string(how);
    SetVirtual(&slot, vaddr);
    if (in_image && image_offset_ && size - 1 <= UINT64_MAX - (vaddr - *image_offset_)) {
      slot.paddr = vaddr - *image_offset_;
      slot.has_paddr = true;
    }
    slots_.push_back(slot);
  }

 private:
  std::optional<uint64_t> image_offset_;
  std::vector<Slot>& slots_;
};

// The id under which a ring's enlarged part came: it is a dynamic one, so only its exact size can tell.
std::optional<uint32_t> DynamicIdOfSize(const std::vector<Piece>& pieces, uint64_t size) {
  std::optional<uint32_t> id;
  for (const Piece& piece : pieces) {
    if (!piece.id || *piece.id < kFirstDynamicId || piece.size != size) continue;
    if (id) return std::nullopt;
    id = piece.id;
  }
  return id;
}

}  // namespace

void AddSlotsOfAddresses(const Inventory& inventory, const std::vector<bool>& skip, std::vector<Slot>* slots,
                         std::vector<Defect>* defects) {
  std::vector<Slot> found;
  auto add = [&](const std::string& name, std::optional<uint32_t> id, uint64_t paddr, uint64_t size) {
    if (size == 0) return;
    if (size - 1 > UINT64_MAX - paddr) {
      defects->push_back({DefectCode::kAddressOverflow, RegionLabel(name, id),
                          "its row of the address table leaves 64 bits and is ignored"});
      return;
    }
    // Two ids may stand for the same bytes: on x86-64 _text and _stext are one address.
    auto same = [&](const Slot& s) {
      return s.has_paddr && s.paddr == paddr && s.size == size && (!id || !s.id || s.id == id);
    };
    if (std::any_of(slots->begin(), slots->end(), same) || std::any_of(found.begin(), found.end(), same))
      return;
    Slot slot;
    slot.paddr = paddr;
    slot.has_paddr = true;
    slot.size = size;
    slot.id = id;
    slot.row_name = name;
    found.push_back(slot);
  };
  for (const AddressRow& row : inventory.rows) {
    if (IsNoMemoryRow(row)) continue;
    add(row.name, row.id == 0 ? std::nullopt : std::optional<uint32_t>(row.id), row.paddr, row.size);
  }
  for (size_t p = 0; p < inventory.pieces.size(); ++p) {
    const Piece& piece = inventory.pieces[p];
    if (skip[p] || !piece.paddr || piece.id == kElfHeaderId || piece.id == kVmcoreinfoId) continue;
    add(piece.name, piece.id, *piece.paddr, piece.table_size.value_or(piece.size));
  }
  std::stable_sort(found.begin(), found.end(), [](const Slot& a, const Slot& b) {
    return std::tie(a.paddr, a.size, a.id) < std::tie(b.paddr, b.size, b.id);
  });
  slots->insert(slots->end(), found.begin(), found.end());
}

void DeriveVirtualAddresses(MeminspectSeries series, const Vmcoreinfo& vmcoreinfo,
                            const std::vector<Piece>& pieces, std::vector<Slot>* slots) {
  const std::optional<uint64_t> image = ImageOffset(vmcoreinfo);
  std::optional<uint64_t> linear = Arm64LinearOffset(vmcoreinfo);
  if (!linear) linear = LearnLinearOffset(series, vmcoreinfo, pieces, *slots);
  for (Slot& slot : *slots) {
    if (slot.has_vaddr || !slot.has_paddr) continue;
    const bool is_static = slot.id && *slot.id > kConfigId && *slot.id < FirstDynamicId(series);
    const auto symbol = slot.id ? SymbolAddressOfId(series, *slot.id, vmcoreinfo) : std::nullopt;
    if (symbol) {
      SetVirtual(&slot, *symbol);
    } else if (is_static && image) {
      SetVirtual(&slot, slot.paddr + *image);
    } else if (!is_static && linear) {
      SetVirtual(&slot, slot.paddr + *linear);
    }
  }
}

void AddSlotsOfSymbols(MeminspectSeries series, const Vmcoreinfo& vmcoreinfo,
                       const std::vector<Piece>& pieces, const std::vector<bool>& skip,
                       std::vector<Slot>* slots) {
  SymbolSlots symbols(vmcoreinfo, slots);
  for (size_t p = 0; p < pieces.size(); ++p) {
    const Piece& piece = pieces[p];
    if (skip[p] || !piece.id) continue;
    const std::optional<uint64_t> address = SymbolAddressOfId(series, *piece.id, vmcoreinfo);
    if (!address) continue;
    uint64_t size = FixedSizeOfId(series, *piece.id);
    const absl::string_view symbol = SymbolOfId(series, *piece.id);
    if (absl::StartsWith(symbol, "printk_rb_")) size = vmcoreinfo.Size("printk_ringbuffer").value_or(88);
    symbols.Add(piece.id, *address, size == 0 ? piece.size : size, /*in_image=*/true,
                absl::StrCat("VMCOREINFO says where ", symbol, " is"));
  }
  const std::optional<LiveRing> ring = FindLiveRing(series, vmcoreinfo, pieces);
  if (!ring) return;
  const RingHeader& header = ring->header;
  symbols.Add(ring->piece->id, ring->address, ring->piece->size, /*in_image=*/true,
              "the pointer prb leads there");
  struct Part {
    absl::string_view symbol;
    uint64_t vaddr, size;
  };
  for (const Part& part : {Part{"prb_descs", header.descs, header.descs_size},
                           Part{"prb_infos", header.infos, header.infos_size},
                           Part{"__log_buf", header.data, header.data_size}}) {
    const auto id = ring->is_static ? IdOfSymbol(series, part.symbol) : DynamicIdOfSize(pieces, part.size);
    symbols.Add(id, part.vaddr, part.size, ring->is_static, "the log ring's header points there");
  }
}

void AddSlotsOfSelfPointers(const Vmcoreinfo& vmcoreinfo, const std::vector<Piece>& pieces,
                            const std::vector<bool>& skip, std::vector<Slot>* slots) {
  constexpr uint64_t kSmallest = 512;
  const std::optional<uint64_t> image = ImageOffset(vmcoreinfo);
  const std::optional<uint64_t> linear = Arm64LinearOffset(vmcoreinfo);
  for (size_t p = 0; p < pieces.size(); ++p) {
    const Piece& piece = pieces[p];
    if (skip[p] || piece.paddr || piece.size < kSmallest) continue;
    const bool has_slot = piece.id && std::any_of(slots->begin(), slots->end(),
                                                  [&](const Slot& slot) { return slot.id == piece.id; });
    if (has_slot) continue;
    const std::optional<SelfAddress> self = FindSelfAddress(*piece.bytes);
    if (!self) continue;
    const uint64_t vaddr = self->vaddr;
    const bool known = std::any_of(slots->begin(), slots->end(),
                                   [&](const Slot& slot) { return slot.has_vaddr && slot.vaddr == vaddr; });
    if (known) continue;
    Slot slot;
    slot.id = piece.id;
    slot.size = piece.size;
    slot.made_of = p;
    slot.inferred = absl::StrCat(self->witnesses, " empty lists in it say where it was");
    SetVirtual(&slot, vaddr);
    const bool is_static = piece.id && *piece.id < kFirstDynamicId;
    const std::optional<uint64_t> offset = is_static ? image : linear;
    if (slot.has_vaddr && offset) {
      slot.paddr = vaddr - *offset;
      slot.has_paddr = true;
    }
    if (slot.has_vaddr) slots->push_back(slot);
  }
}

}  // namespace corefleet
