#include "core/minidump/vendor_header_writer.h"

#include <algorithm>

#include "core/elf/any_elf.h"

namespace corefleet {
namespace {

constexpr uint64_t kMaxRegions = 201;
constexpr uint64_t kSectionsOffset = kElf64HeaderBytes;
constexpr uint64_t kSectionBytes = 64;
constexpr uint64_t kSegmentsOffset = kSectionsOffset + kMaxRegions * kSectionBytes;
constexpr uint64_t kNamesOffset = kSegmentsOffset + kMaxRegions * kElf64ProgramHeaderBytes;
constexpr uint64_t kNamesBytes = kMaxRegions * 16;
constexpr uint64_t kBannerOffset = kNamesOffset + kNamesBytes;

class Writer {
 public:
  explicit Writer(const VendorMinidumpPlan& plan) : plan_(plan) {}

  std::vector<uint8_t> Write() {
    const uint64_t banner = plan_.banner.size() + 1;
    // The kernel's formula leaves 480 bytes of slack behind the banner.
    const uint64_t size = (27880 + banner + 3) & ~uint64_t{3};
    out_.resize(size);
    AddSection("", kSectionNull, 0, 0, 0);
    AddSection("STR_TBL", kSectionStrings, 0, kNamesOffset, kNamesBytes);
    if (plan_.with_table_section) AddSection("minidump_table", kSectionBits, 0xffffffc00b000000, 0, 0);
    AddRegion("linux_banner", plan_.banner_vaddr, plan_.banner_paddr, kBannerOffset, banner);
    uint64_t offset = size;
    for (const VendorMinidumpPlan::Part& part : plan_.parts) {
      AddRegion(part.name, part.vaddr, part.paddr, offset, part.bytes.size());
      offset += part.bytes.size();
    }
    Put(0, HeaderBytes());
    std::copy(plan_.banner.begin(), plan_.banner.end(), out_.begin() + kBannerOffset);
    return std::move(out_);
  }

 private:
  void Put(uint64_t at, const std::vector<uint8_t>& bytes) {
    std::copy(bytes.begin(), bytes.end(), out_.begin() + static_cast<ptrdiff_t>(at));
  }
  void PutInteger(uint64_t at, uint64_t value, size_t width) {
    for (size_t i = 0; i < width; ++i) out_[at + i] = static_cast<uint8_t>(value >> (8 * i));
  }

  void AddSection(const std::string& name, uint32_t type, uint64_t addr, uint64_t offset, uint64_t size) {
    const uint64_t at = kSectionsOffset + sections_++ * kSectionBytes;
    PutInteger(at, names_end_, 4);
    PutInteger(at + 4, type, 4);
    PutInteger(at + 16, addr, 8);
    PutInteger(at + 24, offset, 8);
    PutInteger(at + 32, size, 8);
    std::copy(name.begin(), name.end(), out_.begin() + static_cast<ptrdiff_t>(kNamesOffset + names_end_));
    names_end_ += name.size() + 1;
  }

  void AddRegion(const std::string& name, uint64_t vaddr, uint64_t paddr, uint64_t offset, uint64_t size) {
    AddSection(name, kSectionBits, vaddr, offset, size);
    std::vector<uint8_t> load;
    AppendProgramHeader({kSegmentLoad, 6, offset, vaddr, paddr, size, size, 0}, &load);
    Put(kSegmentsOffset + segments_++ * kElf64ProgramHeaderBytes, load);
  }

  std::vector<uint8_t> HeaderBytes() const {
    ElfHeader header;
    header.type = kElfTypeCore;
    header.machine = plan_.machine;
    header.program_headers_offset = kSegmentsOffset;
    header.program_header_bytes = kElf64ProgramHeaderBytes;
    header.program_header_count = static_cast<uint16_t>(segments_);
    header.section_header_count = static_cast<uint16_t>(sections_);
    std::vector<uint8_t> bytes;
    AppendElfHeader(header, &bytes);
    bytes[40] = kSectionsOffset;  // e_shoff
    bytes[58] = kSectionBytes;    // e_shentsize
    bytes[62] = 1;                // e_shstrndx
    return bytes;
  }

  const VendorMinidumpPlan& plan_;
  std::vector<uint8_t> out_;
  uint64_t sections_ = 0, segments_ = 0;
  uint64_t names_end_ = 0;
};

}  // namespace

std::vector<uint8_t> WriteVendorHeader(const VendorMinidumpPlan& plan) { return Writer(plan).Write(); }

}  // namespace corefleet
