#include "core/unpack/recognise.h"

#include "core/kdump/vmcore.h"
#include "core/kinfo/kinfo_area.h"
#include "core/minidump/assembled.h"
#include "core/minidump/coprocessor.h"
#include "core/minidump/qaic.h"
#include "core/minidump/raw_dump.h"
#include "core/minidump/tables.h"
#include "core/printk/log_text.h"
#include "core/pstore/ramoops.h"
#include "core/pstore/records.h"

namespace corefleet {

Format Recognise(const std::string& file_name, ByteView head, uint64_t size) {
  // Magic numbers first, the surest before the others; then what only looks like something.
  if (LooksLikeRawDump(head)) return Format::kRawDump;
  if (LooksLikeQaic(head, size)) return Format::kQaic;
  if (LooksLikeCompressedDump(head)) return Format::kCompressedDump;
  if (LooksLikeAssembled(head)) return Format::kAssembled;
  if (LooksLikeCoprocessorDump(head)) return Format::kCoprocessor;
  if (LooksLikeVmcore(head)) return Format::kVmcore;
  if (LooksLikeKinfo(head)) return Format::kKinfo;
  if (LooksLikeRamoops(head)) return Format::kRamoops;
  if (RecogniseTable(file_name, head, size) != TableForm::kNone) return Format::kAddressTable;
  if (LooksLikePstoreFile(file_name, head)) return Format::kPstoreRecord;
  if (LooksLikeKernelLog(file_name, head)) return Format::kLogText;
  return Format::kUnknown;
}

absl::string_view FormatWords(Format format) {
  switch (format) {
    case Format::kUnknown:
      return "of no known kind";
    case Format::kAddressTable:
      return "a list of regions";
    case Format::kRawDump:
      return "a Raw_Dmp! container";
    case Format::kQaic:
      return "an AIC100 dump";
    case Format::kAssembled:
      return "an assembled meminspect core";
    case Format::kCoprocessor:
      return "a co-processor's dump";
    case Format::kKinfo:
      return "a Debug Kinfo area";
    case Format::kPstoreRecord:
      return "a pstore record";
    case Format::kRamoops:
      return "raw ramoops zones";
    case Format::kVmcore:
      return "a vmcore";
    case Format::kCompressedDump:
      return "a compressed kdump";
    case Format::kLogText:
      return "a kernel log";
  }
  return "of no known kind";
}

}  // namespace corefleet
