#include "core/minidump/coprocessor_writer.h"

#include "core/elf/any_elf.h"

namespace corefleet {
namespace {

class FieldWriter {
 public:
  FieldWriter(const CoprocessorPlan& plan, std::vector<uint8_t>* out) : plan_(plan), out_(*out) {}

  void Integer(uint64_t value, size_t width) {
    for (size_t i = 0; i < width; ++i) {
      const size_t byte = plan_.endian == Endian::kLittle ? i : width - 1 - i;
      out_.push_back(static_cast<uint8_t>(value >> (8 * byte)));
    }
  }
  void Half(uint64_t value) { Integer(value, 2); }
  void Word(uint64_t value) { Integer(value, 4); }
  void Address(uint64_t value) { Integer(value, plan_.is_64 ? 8 : 4); }

 private:
  const CoprocessorPlan& plan_;
  std::vector<uint8_t>& out_;
};

class Writer {
 public:
  explicit Writer(const CoprocessorPlan& plan) : plan_(plan), fields_(plan, &out_) {}

  std::vector<uint8_t> Write() {
    if (plan_.with_sections) MakeNames();
    const uint64_t headers =
        plan_.with_sections ? (plan_.parts.size() + 2) * SectionBytes() : plan_.parts.size() * SegmentBytes();
    uint64_t offset = HeaderBytes() + headers;
    WriteHeader();
    if (plan_.with_sections) {
      WriteSection(0, kSectionNull, 0, 0, 0);
      WriteSection(1, kSectionStrings, 0, offset, names_.size());
      offset += names_.size();
    }
    for (size_t i = 0; i < plan_.parts.size(); ++i) {
      const CoprocessorPlan::Part& part = plan_.parts[i];
      if (plan_.with_sections) {
        WriteSection(name_at_[i], kSectionBits, part.address, offset, part.bytes.size());
      } else {
        WriteSegment(part, offset);
      }
      offset += part.bytes.size();
    }
    out_.insert(out_.end(), names_.begin(), names_.end());
    for (const CoprocessorPlan::Part& part : plan_.parts)
      out_.insert(out_.end(), part.bytes.begin(), part.bytes.end());
    return std::move(out_);
  }

 private:
  uint64_t HeaderBytes() const { return plan_.is_64 ? 64 : 52; }
  uint64_t SectionBytes() const { return plan_.is_64 ? 64 : 40; }
  uint64_t SegmentBytes() const { return plan_.is_64 ? 56 : 32; }

  void MakeNames() {
    names_.push_back('\0');
    names_ += "STR_TBL";
    names_.push_back('\0');
    for (const CoprocessorPlan::Part& part : plan_.parts) {
      name_at_.push_back(names_.size());
      names_ += part.name;
      names_.push_back('\0');
    }
  }

  void WriteHeader() {
    out_ = {0x7f,
            'E',
            'L',
            'F',
            static_cast<uint8_t>(plan_.is_64 ? 2 : 1),
            static_cast<uint8_t>(plan_.endian == Endian::kLittle ? 1 : 2),
            1};
    out_.resize(16);
    fields_.Half(kElfTypeCore);
    fields_.Half(plan_.machine);
    fields_.Word(1);
    fields_.Address(0);
    fields_.Address(plan_.with_sections ? 0 : HeaderBytes());
    fields_.Address(plan_.with_sections ? HeaderBytes() : 0);
    fields_.Word(0);
    fields_.Half(HeaderBytes());
    fields_.Half(plan_.with_sections ? 0 : SegmentBytes());
    fields_.Half(plan_.with_sections ? 0 : plan_.parts.size());
    fields_.Half(plan_.with_sections ? SectionBytes() : 0);
    fields_.Half(plan_.with_sections ? plan_.parts.size() + 2 : 0);
    fields_.Half(plan_.with_sections ? 1 : 0);
  }

  void WriteSection(uint64_t name, uint32_t type, uint64_t address, uint64_t offset, uint64_t size) {
    fields_.Word(name);
    fields_.Word(type);
    fields_.Address(0);  // flags
    fields_.Address(address);
    fields_.Address(offset);
    fields_.Address(size);
    fields_.Word(0);  // link
    fields_.Word(0);  // info
    fields_.Address(0);
    fields_.Address(0);
  }

  void WriteSegment(const CoprocessorPlan::Part& part, uint64_t offset) {
    constexpr uint32_t kFlags = 7;
    fields_.Word(kSegmentLoad);
    if (plan_.is_64) fields_.Word(kFlags);
    fields_.Address(offset);
    fields_.Address(part.address);
    fields_.Address(part.address);
    fields_.Address(part.bytes.size());
    fields_.Address(part.bytes.size());
    if (!plan_.is_64) fields_.Word(kFlags);
    fields_.Address(0);
  }

  const CoprocessorPlan& plan_;
  std::vector<uint8_t> out_;
  FieldWriter fields_;
  std::string names_;
  std::vector<uint64_t> name_at_;
};

}  // namespace

std::vector<uint8_t> WriteCoprocessorDump(const CoprocessorPlan& plan) { return Writer(plan).Write(); }

}  // namespace corefleet
