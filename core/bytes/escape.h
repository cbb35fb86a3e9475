#ifndef COREFLEET_CORE_BYTES_ESCAPE_H_
#define COREFLEET_CORE_BYTES_ESCAPE_H_

#include <string>

#include "absl/strings/string_view.h"

namespace corefleet {

// Untrusted bytes made fit to be shown. Neither form can be turned back: a backslash stands for itself, so a
// reader cannot tell four characters `\xff` in the original from one escaped byte. Keep the raw bytes where
// that matters.

// One line that a terminal may print: valid UTF-8 stays, and every byte that is no UTF-8 or that belongs to a
// character a terminal could act upon (C0 with newline and tab, DEL, C1, line separators, marks that reorder
// text) becomes \xNN, lower case. Total; at most four times as long as `raw`.
std::string EscapeForTerminal(absl::string_view raw);

// Text that a JSON or protobuf string may hold: valid UTF-8 stays, whatever the character; bytes that are no
// UTF-8 become \xNN. Total; at most four times as long as `raw`.
std::string Utf8OrHex(absl::string_view raw);

}  // namespace corefleet

#endif  // COREFLEET_CORE_BYTES_ESCAPE_H_
