#ifndef COREFLEET_CORE_PSTORE_ECC_NOTICE_H_
#define COREFLEET_CORE_PSTORE_ECC_NOTICE_H_

#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"

namespace corefleet {

// What ramoops writes behind a record of a zone with error correction.
struct EccNotice {
  uint32_t corrected_bytes = 0;
  uint32_t unrecoverable_blocks = 0;
};

// Takes the notice off the end of `record`, if it has one: "\nECC: No errors detected\n" or "\nECC: 3
// Corrected bytes, 1 unrecoverable blocks\n". It is there also behind a record that is still compressed.
std::optional<EccNotice> TakeEccNotice(absl::string_view* record);

}  // namespace corefleet

#endif  // COREFLEET_CORE_PSTORE_ECC_NOTICE_H_
