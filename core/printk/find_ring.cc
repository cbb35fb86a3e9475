#include "core/printk/find_ring.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "core/bytes/byte_reader.h"
#include "core/printk/ring_reader.h"

namespace corefleet {
namespace {

// meminspect's ids, the same in all revisions of the series. Hints, used where no address can be followed.
constexpr uint32_t kIdRingDynamic = 21;
constexpr uint32_t kIdRingPointer = 22;
constexpr uint32_t kIdDescs = 23;
constexpr uint32_t kIdInfos = 24;
constexpr uint32_t kIdData = 25;
constexpr uint32_t kFirstDynamicId = 44;

// struct printk_ringbuffer has 88 bytes; room for what later kernels may add.
constexpr uint64_t kMaxRingStruct = 256;
constexpr uint64_t kFewestDescriptors = 16;
// Remains of rings are tried in all combinations; real images have two rings.
constexpr size_t kMaxTries = 8;

// A region with bytes, whether it has an address or not.
struct Piece {
  std::optional<uint32_t> id;
  std::optional<uint64_t> vaddr;
  uint64_t size = 0;  // what it should have
  std::shared_ptr<const ByteSource> bytes;
};

std::vector<Piece> PiecesOf(const CoreImage& image) {
  std::vector<Piece> pieces;
  for (const RegionFacts& region : image.regions) {
    if (!region.index || *region.index >= image.sources.size() || region.state == RegionState::kDuplicate)
      continue;
    const std::shared_ptr<const ByteSource>& bytes = image.sources[*region.index];
    if (bytes == nullptr || bytes->size() == 0) continue;
    pieces.push_back({region.id, region.vaddr, std::max(region.size, bytes->size()), bytes});
  }
  return pieces;
}

RingLayout LayoutOf(const CoreImage& image) {
  return RingLayout::From(image.vmcoreinfo, image.word_size(), image.endian());
}

std::vector<uint8_t> BytesAt(const AddressSpace& space, uint64_t vaddr, uint64_t size) {
  std::vector<uint8_t> bytes(size);
  if (!space.ReadVirtual(vaddr, absl::MakeSpan(bytes)).ok()) bytes.clear();
  return bytes;
}

std::vector<uint8_t> BytesOfPiece(const Piece& piece, uint64_t limit) {
  return ReadBytes(*piece.bytes, 0, std::min(piece.bytes->size(), limit)).value_or(std::vector<uint8_t>());
}

const Piece* PieceWithId(const std::vector<Piece>& pieces, uint32_t id) {
  const auto found =
      std::find_if(pieces.begin(), pieces.end(), [&](const Piece& piece) { return piece.id == id; });
  return found == pieces.end() ? nullptr : &*found;
}

// Arrays that a pointer did not lead to, from regions without an address but of the right id and size: a set
// that came without its ELF header region has only those.
void FillArraysById(const std::vector<Piece>& pieces, Ring* ring) {
  const auto fill = [&](uint32_t id, uint64_t size, SparseBytes* array) {
    const Piece* piece = PieceWithId(pieces, id);
    if (array->available() > 0 || piece == nullptr || piece->vaddr || piece->size != size) return;
    *array = SparseBytes::ReadSource(*piece->bytes, size);
  };
  fill(kIdDescs, ring->count * ring->layout.desc_size, &ring->descs);
  fill(kIdInfos, ring->count * ring->layout.info_size, &ring->infos);
  fill(kIdData, ring->data_size, &ring->data);
}

uint64_t ArraysAvailable(const Ring& ring) {
  return ring.descs.available() + ring.infos.available() + ring.data.available();
}

// The value of the `prb` pointer.
std::optional<uint64_t> RingPointer(const CoreImage& image, const std::vector<Piece>& pieces) {
  const uint32_t word = image.word_size();
  if (const std::optional<uint64_t> prb = image.vmcoreinfo.Symbol("prb")) {
    const std::vector<uint8_t> bytes = BytesAt(image, *prb, word);
    if (!bytes.empty()) return LoadInteger(bytes, word, image.endian());
  }
  if (const Piece* piece = PieceWithId(pieces, kIdRingPointer)) {
    const std::vector<uint8_t> bytes = BytesOfPiece(*piece, word);
    if (bytes.size() == word) return LoadInteger(bytes, word, image.endian());
  }
  return {};
}

// A region that is a plausible ring struct.
struct RingPiece {
  const Piece* piece;
  RingHeader header;
};

std::vector<RingPiece> RingPieces(const RingLayout& layout, const std::vector<Piece>& pieces) {
  std::vector<RingPiece> found;
  for (const Piece& piece : pieces) {
    if (piece.size < layout.ring_size || piece.size > kMaxRingStruct || found.size() == kMaxTries) continue;
    const std::vector<uint8_t> bytes = BytesOfPiece(piece, kMaxRingStruct);
    if (const auto header = ParseRingHeader(layout, bytes)) found.push_back({&piece, *header});
  }
  return found;
}

// Without symbols and ids: an 8-byte region whose value is the address of a region that is a ring struct.
std::optional<uint64_t> AnchoredPointer(const CoreImage& image, const std::vector<Piece>& pieces) {
  const std::vector<RingPiece> rings = RingPieces(LayoutOf(image), pieces);
  for (const Piece& piece : pieces) {
    if (piece.size != image.word_size()) continue;
    const std::vector<uint8_t> bytes = BytesOfPiece(piece, image.word_size());
    if (bytes.size() != image.word_size()) continue;
    const uint64_t value = LoadInteger(bytes, bytes.size(), image.endian());
    for (const RingPiece& ring : rings) {
      if (ring.piece->vaddr == value) return value;
    }
  }
  return {};
}

// --- Arrays without their struct
// ------------------------------------------------------------------------------------

// How many elements of `element_size` bytes make the whole piece; 0 unless that is a power of two.
uint64_t ElementsIn(const Piece& piece, uint64_t element_size) {
  const uint64_t count = piece.size / element_size;
  return piece.size % element_size == 0 && count >= kFewestDescriptors && std::has_single_bit(count) ? count
                                                                                                     : 0;
}

uint64_t TextsIn(const Ring& ring) {
  const RingRecords result = ReadRing(ring);
  return std::count_if(result.records.begin(), result.records.end(), [](const LogRecord& record) {
    return record.text_state == TextState::kWhole && !record.text.empty();
  });
}

// Gives `ring`, which has descriptors or infos, the piece that has the most texts of its records.
void AttachBestData(const std::vector<Piece>& pieces, Ring* ring) {
  uint64_t best_texts = 0;
  size_t tries = 0;
  Ring trial = *ring;
  for (const Piece& piece : pieces) {
    if (!std::has_single_bit(piece.size) || piece.size < kFewestDescriptors * 64 || tries++ == 4 * kMaxTries)
      continue;
    trial.data_size = piece.size;
    trial.data = SparseBytes::ReadSource(*piece.bytes, piece.size);
    const uint64_t texts = TextsIn(trial);
    if (texts <= best_texts) continue;
    best_texts = texts;
    ring->data_size = trial.data_size;
    ring->data = trial.data;
  }
}

// Gives `ring`, which has descriptors, the infos that agree with most of them.
void AttachBestInfos(const std::vector<Piece>& pieces, Ring* ring) {
  uint64_t least_damage = UINT64_MAX;
  size_t tries = 0;
  Ring trial = *ring;
  for (const Piece& piece : pieces) {
    if (ElementsIn(piece, ring->layout.info_size) != ring->count || tries++ == kMaxTries) continue;
    trial.infos = SparseBytes::ReadSource(*piece.bytes, piece.size);
    const uint64_t damage = ReadRing(trial).damaged;
    if (damage >= least_damage) continue;
    least_damage = damage;
    ring->infos = trial.infos;
  }
}

Ring RingOfCount(const RingLayout& layout, uint64_t count) {
  Ring ring;
  ring.layout = layout;
  ring.count = count;
  return ring;
}

// Rings put together from arrays among `pieces` by nothing but sizes and content.
void FindBareArrays(const RingLayout& layout, const std::vector<Piece>& pieces, std::string how,
                    std::vector<FoundRing>* found) {
  const size_t before = found->size();
  for (const Piece& piece : pieces) {
    const uint64_t count = ElementsIn(piece, layout.desc_size);
    if (count == 0 || found->size() >= kMaxTries) continue;
    Ring ring = RingOfCount(layout, count);
    ring.descs = SparseBytes::ReadSource(*piece.bytes, piece.size);
    AttachBestInfos(pieces, &ring);
    AttachBestData(pieces, &ring);
    found->push_back({std::move(ring), how});
  }
  if (found->size() > before) return;
  for (const Piece& piece : pieces) {
    const uint64_t count = ElementsIn(piece, layout.info_size);
    if (count == 0 || found->size() >= kMaxTries) continue;
    Ring ring = RingOfCount(layout, count);
    ring.infos = SparseBytes::ReadSource(*piece.bytes, piece.size);
    AttachBestData(pieces, &ring);
    found->push_back({std::move(ring), how});
  }
}

std::vector<Piece> OnlyIds(const std::vector<Piece>& pieces, bool (*wanted)(const std::optional<uint32_t>&)) {
  std::vector<Piece> some;
  std::copy_if(pieces.begin(), pieces.end(), std::back_inserter(some),
               [&](const Piece& p) { return wanted(p.id); });
  return some;
}

// Nothing but text: the static ring's by its id.
void FindBareText(const RingLayout& layout, const std::vector<Piece>& pieces, std::vector<FoundRing>* found) {
  const Piece* text = PieceWithId(pieces, kIdData);
  if (text == nullptr) return;
  Ring ring = RingOfCount(layout, 0);
  ring.data = SparseBytes::ReadSource(*text->bytes, text->size);
  found->push_back({std::move(ring), "the text region"});
}

}  // namespace

std::optional<FoundRing> FindLiveRing(const CoreImage& image) {
  const RingLayout layout = LayoutOf(image);
  const std::vector<Piece> pieces = PiecesOf(image);
  std::optional<uint64_t> pointer = RingPointer(image, pieces);
  if (!pointer) pointer = AnchoredPointer(image, pieces);
  if (!pointer) return {};
  const std::vector<uint8_t> bytes = BytesAt(image, *pointer, layout.ring_size);
  const std::optional<RingHeader> header = ParseRingHeader(layout, bytes);
  if (!header) return {};
  return FoundRing{Ring::Read(image, layout, *header), "the prb pointer"};
}

std::vector<FoundRing> FindOtherRings(const CoreImage& image) {
  const RingLayout layout = LayoutOf(image);
  const std::vector<Piece> pieces = PiecesOf(image);
  std::vector<FoundRing> found;
  for (const RingPiece& ring : RingPieces(layout, pieces)) {
    FoundRing candidate{Ring::Read(image, layout, ring.header), "a ring's struct"};
    if (ring.piece->id != kIdRingDynamic) FillArraysById(pieces, &candidate.ring);
    if (ArraysAvailable(candidate.ring) > 0) found.push_back(std::move(candidate));
  }
  const auto is_static = [](const std::optional<uint32_t>& id) {
    return id && *id >= kIdDescs && *id <= kIdData;
  };
  const auto is_dynamic = [](const std::optional<uint32_t>& id) { return !id || *id >= kFirstDynamicId; };
  FindBareArrays(layout, OnlyIds(pieces, is_static), "the arrays' region ids", &found);
  FindBareArrays(layout, OnlyIds(pieces, is_dynamic), "the arrays' sizes", &found);
  FindBareText(layout, pieces, &found);
  return found;
}

}  // namespace corefleet
