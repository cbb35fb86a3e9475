#ifndef COREFLEET_CORE_MEMINSPECT_PLAUSIBLE_CONTENT_H_
#define COREFLEET_CORE_MEMINSPECT_PLAUSIBLE_CONTENT_H_

#include "absl/strings/string_view.h"
#include "core/bytes/byte_view.h"

namespace corefleet {

// False when bytes that start with `head` cannot be what a 64-bit little-endian kernel has under `symbol`
// (a word of SymbolOfId): a count of threads in the billions, a pointer that leaves the kernel, a table of
// offsets that does not rise. True for symbols of which nothing is known, for a `head` that is too short, and
// for zeros, which is what a tool pads a short region with.
bool IsPossibleContent(absl::string_view symbol, ByteView head);

}  // namespace corefleet

#endif  // COREFLEET_CORE_MEMINSPECT_PLAUSIBLE_CONTENT_H_
