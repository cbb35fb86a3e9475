#include "core/reassembly/anchors.h"

#include "absl/strings/match.h"
#include "core/bytes/byte_reader.h"

namespace corefleet {
namespace {

using Verdict = Anchors::Verdict;

std::optional<uint64_t> LoadAt(ByteView bytes, uint64_t offset, size_t width) {
  if (offset > bytes.size() || width > bytes.size() - offset) return std::nullopt;
  return LoadInteger(bytes.subspan(offset), width, Endian::kLittle);
}

bool IsBanner(const Piece& piece) { return absl::StartsWith(TextOf(piece.head), "Linux version "); }
bool IsConfig(const Piece& piece) { return absl::StartsWith(TextOf(piece.head), "IKCFG_ST"); }

// The first entry of the kernel's taint_flags: 'P' when set, 'G' when not.
bool IsTaintFlags(const Piece& piece) {
  return piece.size >= 40 && absl::StartsWith(TextOf(piece.head), "PG");
}

Verdict Positive(bool recognised) { return recognised ? Verdict::kYes : Verdict::kUnknown; }

}  // namespace

std::optional<RingHeader> ReadRingHeader(ByteView head, const Vmcoreinfo& v) {
  const uint64_t desc_ring = v.Offset("printk_ringbuffer.desc_ring").value_or(0);
  const uint64_t text_ring = v.Offset("printk_ringbuffer.text_data_ring").value_or(48);
  const auto count_bits = LoadAt(head, desc_ring + v.Offset("prb_desc_ring.count_bits").value_or(0), 4);
  const auto descs = LoadAt(head, desc_ring + v.Offset("prb_desc_ring.descs").value_or(8), 8);
  const auto infos = LoadAt(head, desc_ring + v.Offset("prb_desc_ring.infos").value_or(16), 8);
  const auto size_bits = LoadAt(head, text_ring + v.Offset("prb_data_ring.size_bits").value_or(0), 4);
  const auto data = LoadAt(head, text_ring + v.Offset("prb_data_ring.data").value_or(8), 8);
  if (!count_bits || !descs || !infos || !size_bits || !data) return std::nullopt;
  if (*count_bits == 0 || *count_bits > 24 || *size_bits == 0 || *size_bits > 30) return std::nullopt;
  const uint64_t records = uint64_t{1} << *count_bits;
  return RingHeader{*descs,
                    *infos,
                    *data,
                    records * v.Size("prb_desc").value_or(24),
                    records * v.Size("printk_info").value_or(88),
                    uint64_t{1} << *size_bits};
}

Anchors::Anchors(MeminspectSeries series, const Vmcoreinfo& vmcoreinfo, const std::vector<Slot>& slots)
    : series_(series), vmcoreinfo_(vmcoreinfo) {
  for (const Slot& slot : slots) {
    if (!slot.id || !slot.has_vaddr) continue;
    const absl::string_view symbol = SymbolOfId(series_, *slot.id);
    if (symbol == "printk_rb_static") static_ring_ = slot.vaddr;
    if (symbol == "printk_rb_dynamic") dynamic_ring_ = slot.vaddr;
    if (symbol == "prb_descs") static_descs_ = slot.vaddr;
  }
  if (!static_ring_) static_ring_ = vmcoreinfo.Symbol("printk_rb_static");
}

// `prb` points at one of the two rings.
Verdict Anchors::CheckPrb(const Piece& piece) const {
  const auto value = LoadAt(piece.head, 0, 8);
  if (!value) return Verdict::kUnknown;
  if (value == static_ring_ || value == dynamic_ring_) return Verdict::kYes;
  return static_ring_ && dynamic_ring_ ? Verdict::kNo : Verdict::kUnknown;
}

// The static ring points at the static descriptors; the dynamic one is zero or points elsewhere.
Verdict Anchors::CheckRing(absl::string_view symbol, const Piece& piece) const {
  const std::optional<RingHeader> ring = ReadRingHeader(piece.head, vmcoreinfo_);
  if (!static_descs_) return Verdict::kUnknown;
  const bool is_static = ring && ring->descs == *static_descs_;
  if (symbol == "printk_rb_static") return is_static ? Verdict::kYes : Verdict::kNo;
  return is_static ? Verdict::kNo : Verdict::kUnknown;
}

// Where mem_section is a pointer, VMCOREINFO's symbol is its value.
Verdict Anchors::CheckMemSection(const Slot& slot, const Piece& piece) const {
  const std::optional<uint64_t> symbol = vmcoreinfo_.Symbol("mem_section");
  const auto value = LoadAt(piece.head, 0, 8);
  if (slot.size != 8 || !symbol || !value || !slot.has_vaddr || *symbol == slot.vaddr)
    return Verdict::kUnknown;
  return *value == *symbol ? Verdict::kYes : Verdict::kNo;
}

bool Anchors::IsUtsname(const Piece& piece) const {
  const std::optional<absl::string_view> release = vmcoreinfo_.Text("OSRELEASE");
  const uint64_t offset = vmcoreinfo_.Offset("uts_namespace.name").value_or(0);
  const absl::string_view text = TextOf(piece.head);
  if (!release || release->empty() || offset > text.size()) return false;
  const absl::string_view name = text.substr(offset);
  return absl::StartsWith(name, absl::string_view("Linux\0", 6)) && absl::StrContains(name, *release);
}

Verdict Anchors::Check(const Slot& slot, const Piece& piece) const {
  if (!slot.id) return Verdict::kUnknown;
  const absl::string_view symbol = SymbolOfId(series_, *slot.id);
  if (symbol.empty()) return Verdict::kUnknown;
  if (symbol == "linux_banner") return IsBanner(piece) ? Verdict::kYes : Verdict::kNo;
  if (symbol == "kernel_config_data") return IsConfig(piece) ? Verdict::kYes : Verdict::kNo;
  if (IsBanner(piece) || IsConfig(piece)) return Verdict::kNo;
  if (symbol == "init_uts_ns") return Positive(IsUtsname(piece));
  if (symbol == "taint_flags") return Positive(IsTaintFlags(piece));
  if (IsUtsname(piece)) return Verdict::kNo;
  if (symbol == "prb") return CheckPrb(piece);
  if (symbol == "printk_rb_static" || symbol == "printk_rb_dynamic") return CheckRing(symbol, piece);
  if (symbol == "mem_section") return CheckMemSection(slot, piece);
  return Verdict::kUnknown;
}

}  // namespace corefleet
