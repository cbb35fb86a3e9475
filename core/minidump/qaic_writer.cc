#include "core/minidump/qaic_writer.h"

#include "core/minidump/append_record.h"
#include "core/minidump/qaic.h"
#include "core/minidump/sahara_rows.h"

namespace corefleet {

std::vector<uint8_t> WriteQaic(const std::vector<QaicFile>& files, Endian endian) {
  const uint64_t table_size = files.size() * kSaharaRowBytes;
  uint64_t dump_size = kQaicHeaderBytes + table_size;
  for (const QaicFile& file : files) dump_size += file.bytes.size();

  std::vector<uint8_t> out;
  out.reserve(dump_size);
  for (const uint64_t field : {kQaicMagic, kQaicVersion, dump_size, table_size}) {
    AppendInteger(field, 8, endian, &out);
  }
  for (const QaicFile& file : files) {
    AppendInteger(1, 8, endian, &out);
    AppendInteger(file.base, 8, endian, &out);
    AppendInteger(file.bytes.size(), 8, endian, &out);
    AppendName(file.description, kSaharaNameBytes, &out);
    AppendName(file.file_name, kSaharaNameBytes, &out);
  }
  for (const QaicFile& file : files) out.insert(out.end(), file.bytes.begin(), file.bytes.end());
  return out;
}

}  // namespace corefleet
