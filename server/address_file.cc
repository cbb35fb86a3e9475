#include "server/address_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace corefleet {
namespace {

std::string PathIn(const std::string& data_dir) { return absl::StrCat(data_dir, "/addresses"); }

}  // namespace

void AddressFile::RemoveStale(const std::string& data_dir) { unlink(PathIn(data_dir).c_str()); }

absl::StatusOr<std::unique_ptr<AddressFile>> AddressFile::Write(
    const std::string& data_dir, std::initializer_list<std::pair<std::string, std::string>> addresses) {
  const std::string path = PathIn(data_dir);
  std::string text;
  for (const auto& [key, address] : addresses) absl::StrAppend(&text, key, "=", address, "\n");
  const std::string fresh = absl::StrCat(path, ".new");
  const int fd = open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  const bool written = fd >= 0 && write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (fd >= 0) close(fd);
  if (!written || std::rename(fresh.c_str(), path.c_str()) != 0) {
    return absl::InternalError(absl::StrCat("cannot write ", path, ": ", std::strerror(errno)));
  }
  return std::unique_ptr<AddressFile>(new AddressFile(path));
}

AddressFile::~AddressFile() { unlink(path_.c_str()); }

}  // namespace corefleet
