#ifndef COREFLEET_CORE_KDUMP_READER_READER_PROCESS_H_
#define COREFLEET_CORE_KDUMP_READER_READER_PROCESS_H_

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/kdump/reader/reader_protocol.h"
#include "core/kdump/reader/scratch_file.h"

namespace corefleet {

// A running reader of one dump. One owner at a time. The process is gone when the object is, whatever it was
// doing.
class ReaderProcess {
 public:
  // Starts `program` as the reader of `files`, at most kMaxReaderFiles. `timeout_ms` is how long it may take
  // for each answer, this first one included.
  //   INVALID_ARGUMENT  the dump cannot be opened, or took the reader's life; the message says what is wrong
  //   UNIMPLEMENTED     a format or compression that libkdumpfile does not read
  //   UNAVAILABLE       no process could be started
  static absl::StatusOr<std::unique_ptr<ReaderProcess>> Start(const std::string& program,
                                                              const std::vector<ReaderFd>& files,
                                                              int timeout_ms);
  ReaderProcess(const ReaderProcess&) = delete;
  ReaderProcess& operator=(const ReaderProcess&) = delete;
  ~ReaderProcess();

  // Fills `out`, at most kMaxReaderBytes.
  //   NOT_FOUND  not in the dump
  //   DATA_LOSS  there, and damaged; or the reader died or did not answer, now or before
  absl::Status Read(ReaderOp op, uint64_t address, absl::Span<uint8_t> out);

 private:
  ReaderProcess(pid_t pid, ReaderFd socket, int timeout_ms)
      : pid_(pid), socket_(std::move(socket)), timeout_ms_(timeout_ms) {}

  // The reader's next reply; its bytes, which must be as many, into `out`.
  absl::Status Await(absl::Span<uint8_t> out);
  absl::Status Receive(absl::Span<uint8_t> out);
  // Ends the process; every later question is answered with this.
  absl::Status GiveUp(absl::string_view why);

  pid_t pid_;
  ReaderFd socket_;
  const int timeout_ms_;
  absl::Status dead_;
};

}  // namespace corefleet

#endif  // COREFLEET_CORE_KDUMP_READER_READER_PROCESS_H_
