#include "core/minidump/tables.h"

namespace corefleet {

TableForm RecogniseTable(const std::string&, ByteView head, uint64_t size) {
  return head.size() == size && LooksLikeAddressTable(head) ? TableForm::kRegionRows : TableForm::kNone;
}

AddressTable ParseAnyTable(TableForm form, ByteView bytes) {
  return form == TableForm::kRegionRows ? ParseAddressTable(bytes) : AddressTable();
}

}  // namespace corefleet
