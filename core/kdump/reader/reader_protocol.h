#ifndef COREFLEET_CORE_KDUMP_READER_READER_PROTOCOL_H_
#define COREFLEET_CORE_KDUMP_READER_READER_PROTOCOL_H_

#include <cstdint>

namespace corefleet {

// What a program and the reader that it started say to each other over a socket: a ReaderRequest, then a
// ReaderReply with `size` bytes behind it. Both are the same program, so there is no version and no byte
// order. The reader speaks first: a reply without bytes when the dump is open, or one that says why not.

// The program's first argument when it is to be the reader; the second is the number of dump files.
inline constexpr char kReaderArgument[] = "--corefleet-kdump-reader";
inline constexpr int kReaderSocket = 3;     // the descriptor of the reader's end
inline constexpr int kReaderFirstFile = 4;  // of the first dump file; the others follow
inline constexpr int kMaxReaderFiles = 64;
inline constexpr uint32_t kMaxReaderBytes = 256 * 1024;  // of one reply

enum class ReaderOp : uint32_t {
  kPhysical = 1,  // `size` bytes from the physical address
  kVirtual = 2,   // the same from the virtual one, as libkdumpfile translates it
};

struct ReaderRequest {
  ReaderOp op;
  uint32_t size;
  uint64_t address;
};

struct ReaderReply {
  uint32_t code;  // absl::StatusCode
  uint32_t size;  // of what follows: the bytes, or with another code than OK the message
};

}  // namespace corefleet

#endif  // COREFLEET_CORE_KDUMP_READER_READER_PROTOCOL_H_
