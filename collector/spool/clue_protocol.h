#ifndef COREFLEET_COLLECTOR_SPOOL_CLUE_PROTOCOL_H_
#define COREFLEET_COLLECTOR_SPOOL_CLUE_PROTOCOL_H_

#include <cstddef>

namespace corefleet {

// What the collector and its child that reads clues have agreed on. Both are the same program. The child says
// once: the mark, then build id, release and panic, each behind its size in two bytes, little-endian; and
// ends. Without all of that it died.

// The child's first argument; then the seconds of processor time and the bytes of memory that it may have.
inline constexpr char kClueArgument[] = "--corefleet-clue-reader";
inline constexpr int kClueSocket = 3;  // the descriptor of the child's end
inline constexpr int kClueEntry = 4;   // of the entry's file
inline constexpr char kClueMark[] = "CLUE";
inline constexpr size_t kMaxClueBytes = 256;  // of each
inline constexpr size_t kMaxClueAnswer = 1024;

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_SPOOL_CLUE_PROTOCOL_H_
