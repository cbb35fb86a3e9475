#ifndef COREFLEET_CORE_MINIDUMP_TABLES_H_
#define COREFLEET_CORE_MINIDUMP_TABLES_H_

#include <string>

#include "core/bytes/byte_view.h"
#include "core/minidump/address_table.h"

namespace corefleet {

// Every form in which somebody wrote down which region lies where.
enum class TableForm {
  kNone,
  kRegionRows,  // minidump_toc.bin: 40 bytes a row
  kSahara64,    // the saved debug table of the download protocol: 64 bytes a row
  kSahara32,    // the same of 32-bit devices: 52 bytes a row
  kEdlLog,      // what edl printed
  kDumpInfo,    // dump_info.txt
  kLoadScript,  // load.cmm
};

// By content; `name` decides nothing but between text forms. `head` as Recognise's.
TableForm RecogniseTable(const std::string& name, ByteView head, uint64_t size);

// The rows of a table of any form; kNone gives none. Total.
AddressTable ParseAnyTable(TableForm form, ByteView bytes);

}  // namespace corefleet

#endif  // COREFLEET_CORE_MINIDUMP_TABLES_H_
