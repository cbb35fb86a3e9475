#ifndef COREFLEET_COLLECTOR_SOURCE_SCRATCH_FOLDER_H_
#define COREFLEET_COLLECTOR_SOURCE_SCRATCH_FOLDER_H_

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace corefleet {

// A folder for one test.
class ScratchFolder {
 public:
  ScratchFolder() : path_(absl::StrCat(testing::TempDir(), "/scratch.XXXXXX")) {
    EXPECT_NE(mkdtemp(path_.data()), nullptr);
  }
  ~ScratchFolder() { std::filesystem::remove_all(path_); }

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return absl::StrCat(path_, "/", name); }

  // Makes the folders that it takes.
  void Write(const std::string& name, const std::string& bytes = "x") const {
    const std::filesystem::path path = std::filesystem::path(path_) / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << bytes;
  }

 private:
  std::string path_;
};

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_SOURCE_SCRATCH_FOLDER_H_
