#ifndef COREFLEET_CORE_MINIDUMP_TABLES_H_
#define COREFLEET_CORE_MINIDUMP_TABLES_H_

#include <string>

#include "absl/strings/string_view.h"
#include "core/bytes/byte_view.h"
#include "core/minidump/address_table.h"

namespace corefleet {

// Every form in which somebody wrote down which region lies where. Source: docs/formats/address-tables.md. In
// the order of how much they say: where two tables of a crash disagree, the first in this order is believed.
enum class TableForm {
  kNone,
  kRegionRows,  // minidump_toc.bin: 40 bytes a row
  kSahara64,    // the saved debug table of the download protocol: 64 bytes a row
  kSahara32,    // the same of 32-bit devices: 52 bytes a row
  kDumpInfo,    // dump_info.txt
  kEdlLog,      // what edl printed
  kLoadScript,  // load.cmm
};

// "minidump_toc.bin's region rows", for a person.
absl::string_view TableFormWords(TableForm form);

// No table is larger; of a longer text (a log can go on for ever) the beginning is read.
inline constexpr size_t kMaxTableBytes = 1024 * 1024;

// By content alone; `name` is not believed, because edl's log is called whatever the person typed. `head` as
// Recognise's. A table may be cut: what is left of it is recognised as long as it has a whole row.
TableForm RecogniseTable(const std::string& name, ByteView head, uint64_t size);

// The rows of a table of any form, at most kMaxAddressRows of the first kMaxTableBytes; kNone gives none.
// Rows that name a file of a Linux region ("md_Kprb_info24.BIN") have its name ("Kprb_info") and id (24), as
// a region table's rows have; others the file name without its ending. Rows that cannot be (no name, an
// address outside of any machine) are left out and make the table damaged. Total.
AddressTable ParseAnyTable(TableForm form, ByteView bytes);

}  // namespace corefleet

#endif  // COREFLEET_CORE_MINIDUMP_TABLES_H_
