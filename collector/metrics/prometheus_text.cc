#include "collector/metrics/prometheus_text.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "collector/source/file_bytes.h"

namespace corefleet {
namespace {

bool WriteAll(int file, absl::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(file, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

// Counts and timestamps in full: six digits would be days off.
std::string NumberText(double value) {
  return std::floor(value) == value && std::abs(value) < 1e15 ? absl::StrCat(static_cast<int64_t>(value))
                                                              : absl::StrCat(value);
}

}  // namespace

void PrometheusText::Metric(absl::string_view name, absl::string_view type, absl::string_view help) {
  name_ = std::string(name);
  absl::StrAppend(&text_, "# HELP ", name, " ", absl::StrReplaceAll(help, {{"\\", "\\\\"}, {"\n", "\\n"}}),
                  "\n# TYPE ", name, " ", type, "\n");
}

void PrometheusText::Value(double value) { absl::StrAppend(&text_, name_, " ", NumberText(value), "\n"); }

void PrometheusText::Value(absl::string_view label, absl::string_view label_value, double value) {
  absl::StrAppend(&text_, name_, "{", label, "=\"",
                  absl::StrReplaceAll(label_value, {{"\\", "\\\\"}, {"\"", "\\\""}, {"\n", "\\n"}}), "\"} ",
                  NumberText(value), "\n");
}

absl::Status ReplaceFile(const std::string& path, absl::string_view text, bool sync) {
  const std::string fresh = absl::StrCat(path, ".part");
  const OwnedFd file(open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (file.get() < 0) return FileError(errno, path);
  if (!WriteAll(file.get(), text) || (sync && fdatasync(file.get()) != 0) ||
      rename(fresh.c_str(), path.c_str()) != 0) {
    const absl::Status status = FileError(errno, path);
    unlink(fresh.c_str());
    return status;
  }
  return absl::OkStatus();
}

}  // namespace corefleet
