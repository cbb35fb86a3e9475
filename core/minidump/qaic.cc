#include "core/minidump/qaic.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/bytes/byte_reader.h"
#include "core/bytes/escape.h"
#include "core/minidump/sahara_rows.h"
#include "core/minidump/saved_section.h"

namespace corefleet {
namespace {

// The driver writes in the host's byte order, and says so nowhere but in the magic number.
std::optional<Endian> EndianOf(ByteView head) {
  if (head.size() < 8) return std::nullopt;
  for (const Endian endian : {Endian::kLittle, Endian::kBig}) {
    if (LoadInteger(head, 8, endian) == kQaicMagic) return endian;
  }
  return std::nullopt;
}

uint64_t AddOrMax(uint64_t a, uint64_t b) { return b > UINT64_MAX - a ? UINT64_MAX : a + b; }

// One blob, taken apart.
class QaicDump {
 public:
  QaicDump(const Artifact& file, Pieces* out) : file_(file), size_(file.bytes->size()), out_(*out) {}

  void Take() {
    const auto bytes = ReadBytes(*file_.bytes, 0, std::min(size_, kMaxHeadersBytes));
    if (!bytes.ok()) return Damaged(absl::StrCat("it could not be read: ", bytes.status().message()));
    const std::optional<Endian> endian = EndianOf(*bytes);
    if (!endian || bytes->size() < kQaicHeaderBytes) {
      return Damaged(absl::StrCat("it is cut in its header: ", size_, " of ", kQaicHeaderBytes, " bytes"));
    }
    ReadHeader(*bytes, *endian);
    const std::vector<SaharaRow> rows = ReadRows(*bytes, *endian);
    TakeRows(rows);
    CheckSize(rows);
  }

 private:
  static constexpr uint64_t kMaxHeadersBytes = kQaicHeaderBytes + kMaxRegions * kSaharaRowBytes;

  void Damaged(std::string detail) {
    out_.defects.push_back(
        {DefectCode::kContainerDamaged, EscapeForTerminal(file_.file_name), std::move(detail)});
  }

  void ReadHeader(ByteView bytes, Endian endian) {
    ByteReader reader(bytes, endian);
    reader.Skip(8);
    const uint64_t version = reader.U64();
    dump_size_ = reader.U64();
    table_size_ = reader.U64();
    if (version == kQaicVersion) return;
    Damaged(absl::StrCat("its version is ", version, "; read as version ", kQaicVersion));
  }

  std::vector<SaharaRow> ReadRows(ByteView bytes, Endian endian) {
    const ByteView table = bytes.subspan(kQaicHeaderBytes, table_size_);
    std::vector<SaharaRow> rows = ParseSaharaRows(table, SaharaWidth::k64, endian, kMaxRegions);
    if (table_size_ % kSaharaRowBytes != 0 || rows.size() < table_size_ / kSaharaRowBytes) {
      Damaged(absl::StrCat("of its table of ", table_size_, " bytes ", rows.size(), " rows could be read"));
    }
    return rows;
  }

  // The payloads stand back to back behind the table: nothing but the lengths says where each begins, so
  // behind a wrong one nothing can be found any more.
  void TakeRows(const std::vector<SaharaRow>& rows) {
    uint64_t at = AddOrMax(kQaicHeaderBytes, table_size_);
    size_t cut = 0;
    for (size_t i = 0; i < rows.size(); ++i) {
      const uint64_t here = at < size_ ? std::min(rows[i].length, size_ - at) : 0;
      if (here < rows[i].length) ++cut;
      if (here != 0) {
        std::string name = rows[i].file_name.empty() ? absl::StrCat("row", i) : rows[i].file_name;
        TakeSection(file_, {std::move(name), at, rows[i].length, here, true, rows[i].base}, &out_);
      }
      at = AddOrMax(at, rows[i].length);
    }
    end_ = at;
    if (cut != 0) Damaged(absl::StrCat("it is cut: its ", size_, " bytes end before ", cut, " regions do"));
  }

  // Whether the headers count in the size is not written down, so either is right.
  void CheckSize(const std::vector<SaharaRow>& rows) {
    const uint64_t before = AddOrMax(kQaicHeaderBytes, table_size_);
    if (rows.empty() || dump_size_ == end_ || AddOrMax(dump_size_, before) == end_) return;
    Damaged(absl::StrCat("its size says ", dump_size_, " bytes, its table ", end_ - before, " and ", before,
                         " of headers"));
  }

  const Artifact& file_;
  const uint64_t size_;
  Pieces& out_;
  uint64_t dump_size_ = 0;
  uint64_t table_size_ = 0;
  uint64_t end_ = 0;  // of the last region, as the table has it
};

}  // namespace

bool LooksLikeQaic(ByteView head, uint64_t) { return EndianOf(head).has_value(); }

void UnpackQaic(const std::vector<Artifact>& files, const DumpOpener*, Pieces* out) {
  for (const Artifact& file : files) QaicDump(file, out).Take();
}

}  // namespace corefleet
