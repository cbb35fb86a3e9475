#ifndef COREFLEET_CORE_UNPACK_RECOGNISE_H_
#define COREFLEET_CORE_UNPACK_RECOGNISE_H_

#include <string>

#include "core/bytes/byte_view.h"
#include "core/unpack/pieces.h"

namespace corefleet {

// What a file is, by its content; the name only decides where content cannot (a pstore file of plain text).
// `head` is its first kArtifactHeadBytes, or all of it; `size` is the whole file's. Reads nothing else, so
// that it can be asked of a partition. Total.
Format Recognise(const std::string& file_name, ByteView head, uint64_t size);

// "a Raw_Dmp! container", for a person.
absl::string_view FormatWords(Format format);

}  // namespace corefleet

#endif  // COREFLEET_CORE_UNPACK_RECOGNISE_H_
