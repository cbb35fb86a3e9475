#include "core/minidump/raw_dump_writer.h"

#include "core/minidump/append_record.h"

namespace corefleet {
namespace {

void AppendNumber(uint64_t value, size_t width, std::vector<uint8_t>* out) {
  AppendInteger(value, width, Endian::kLittle, out);
}

absl::string_view TextOfMark(RawDumpMark mark) {
  switch (mark) {
    case RawDumpMark::kFresh:
      return "Raw_Dmp!";
    case RawDumpMark::kMiniDump:
      return "MiniDump";
    case RawDumpMark::kCopyDone:
      return "CopyDone";
    case RawDumpMark::kZeroed:
      return "";
  }
  return "";
}

// Where each file goes, and the header over them.
RawDumpHeader LayOut(const std::vector<RawDumpFile>& files, const RawDumpStorage& storage,
                     std::vector<RawDumpSection>* sections) {
  RawDumpHeader header;
  header.mark = storage.mark;
  header.section_count = static_cast<uint32_t>(files.size());
  header.dump_size = header.total_required = header.headers_end();
  for (const RawDumpFile& file : files) {
    RawDumpSection section;
    section.name = file.name;
    section.type = file.type;
    section.base = file.base;
    section.size = file.bytes.size();
    header.total_required += section.size;
    if (section.size <= storage.room && header.dump_size <= storage.room - section.size) {
      section.offset = header.dump_size;
      header.dump_size += section.size;
    } else {
      section.flags = kRawDumpNoRoom;
      header.flags |= kRawDumpNoRoom;
    }
    sections->push_back(std::move(section));
  }
  return header;
}

}  // namespace

std::vector<uint8_t> WriteRawDump(const std::vector<RawDumpFile>& files, const RawDumpStorage& storage) {
  std::vector<RawDumpSection> sections;
  const RawDumpHeader header = LayOut(files, storage, &sections);
  std::vector<uint8_t> out;
  out.reserve(header.dump_size);
  AppendRawDumpHeader(header, &out);
  for (const RawDumpSection& section : sections) AppendRawDumpSection(section, &out);
  for (size_t i = 0; i < files.size(); ++i) {
    if (sections[i].not_written()) continue;
    out.insert(out.end(), files[i].bytes.begin(), files[i].bytes.end());
  }
  return out;
}

void AppendRawDumpHeader(const RawDumpHeader& header, std::vector<uint8_t>* out) {
  AppendName(TextOfMark(header.mark), 8, out);
  AppendNumber(header.version, 4, out);
  AppendNumber(header.flags, 4, out);
  AppendNumber(header.os_data, 8, out);
  AppendNumber(header.cpu_context, 8, out);
  AppendNumber(header.reset_trigger, 4, out);
  AppendNumber(header.dump_size, 8, out);
  AppendNumber(header.total_required, 8, out);
  AppendNumber(header.section_count, 4, out);
}

void AppendRawDumpSection(const RawDumpSection& section, std::vector<uint8_t>* out) {
  AppendNumber(section.flags, 4, out);
  AppendNumber(section.version, 4, out);
  AppendNumber(static_cast<uint32_t>(section.type), 4, out);
  AppendNumber(section.offset, 8, out);
  AppendNumber(section.size, 8, out);
  AppendNumber(section.base, 8, out);
  AppendNumber(section.more_info, 8, out);
  AppendName(section.name, kRawDumpNameBytes, out);
}

}  // namespace corefleet
