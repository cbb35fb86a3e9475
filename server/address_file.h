#ifndef COREFLEET_SERVER_ADDRESS_FILE_H_
#define COREFLEET_SERVER_ADDRESS_FILE_H_

#include <initializer_list>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"

namespace corefleet {

// DATA_DIR/addresses: where a server that is ready listens, one `key=host:port` a line. It appears whole, by
// rename, and goes with this object.
class AddressFile {
 public:
  // Takes away what a server that was killed left behind, so that nobody reads its ports. Call it with the
  // lock held.
  static void RemoveStale(const std::string& data_dir);
  //   INTERNAL  it cannot be written
  static absl::StatusOr<std::unique_ptr<AddressFile>> Write(
      const std::string& data_dir, std::initializer_list<std::pair<std::string, std::string>> addresses);
  ~AddressFile();
  AddressFile(const AddressFile&) = delete;
  AddressFile& operator=(const AddressFile&) = delete;

 private:
  explicit AddressFile(std::string path) : path_(std::move(path)) {}
  const std::string path_;
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_ADDRESS_FILE_H_
