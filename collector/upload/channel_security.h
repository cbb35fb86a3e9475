#ifndef COREFLEET_COLLECTOR_UPLOAD_CHANNEL_SECURITY_H_
#define COREFLEET_COLLECTOR_UPLOAD_CHANNEL_SECURITY_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace corefleet {

// How a client speaks to a port, and what it shows there: paths of PEM files. Empty: plaintext.
struct ChannelSecurity {
  std::string ca;           // whose certificates servers have
  std::string certificate;  // the client's own, with the chain above it; empty: none
  std::string key;          // of `certificate`
  std::string token_file;   // holds a token that goes with every call; empty: none
  std::string server_name;  // in the server's certificate, where it is not the address's host

  bool empty() const { return ca.empty() && certificate.empty() && key.empty() && token_file.empty(); }
};

// What is in the files.
struct SecurityTexts {
  std::string ca, certificate, key, token;
};

// Reads the files and checks that they make sense together.
//   INVALID_ARGUMENT  a part is missing, a file is not what it should be, the key is not the certificate's;
//   the
//                     text names the file
//   NOT_FOUND, PERMISSION_DENIED, UNAVAILABLE  a file cannot be read
absl::StatusOr<SecurityTexts> ReadSecurity(const ChannelSecurity& security);

// Tells a file from what it was before.
struct FileStamp {
  dev_t device = 0;
  ino_t inode = 0;
  off_t size = -1;
  int64_t changed_ns = 0;
  friend bool operator==(const FileStamp&, const FileStamp&) = default;
};
std::vector<FileStamp> StampsOf(const ChannelSecurity& security);

// Why no connection to `address` comes about, in a person's words, for when gRPC only says that none does:
// tries one by hand, at most `timeout` long, and blocks. "" when nothing listens, or nothing is wrong that
// can be seen from here.
std::string WhyNoConnection(const std::string& address, const ChannelSecurity& security,
                            absl::Duration timeout);

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_UPLOAD_CHANNEL_SECURITY_H_
