#ifndef COREFLEET_CORE_MINIDUMP_TABLES_WRITER_H_
#define COREFLEET_CORE_MINIDUMP_TABLES_WRITER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "core/minidump/address_table.h"
#include "core/minidump/tables.h"

namespace corefleet {

// The table of `rows` in any form, as the firmware or the tool writes it; kNone gives no bytes. A form has
// what it has: 32 bits of address (kSahara32), no ids (all but kRegionRows), no sizes (kLoadScript). Names
// are cut at the field's width. A row without file_name gets the one that the firmware makes of it.
std::vector<uint8_t> WriteTable(TableForm form, const std::vector<AddressRow>& rows);

// `md_NAMEid.BIN`, or without the number for id 0.
std::string FileNameOfRow(const AddressRow& row);

}  // namespace corefleet

#endif  // COREFLEET_CORE_MINIDUMP_TABLES_WRITER_H_
