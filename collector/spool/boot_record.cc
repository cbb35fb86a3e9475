#include "collector/spool/boot_record.h"

#include <sys/utsname.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"
#include "core/bytes/escape.h"

namespace corefleet {
namespace {

constexpr char kName[] = "boots";
constexpr char kFreshName[] = "boots.new";
constexpr size_t kMaxBoots = 32;
constexpr size_t kMaxText = 256;
constexpr uint64_t kMaxFile = 64 << 10;

// Tabs and newlines separate what is in the file.
std::string Cleaned(absl::string_view text) {
  return EscapeForTerminal(text.substr(0, kMaxText)).substr(0, kMaxText);
}

Boot Cleaned(const Boot& boot) {
  return {Cleaned(boot.boot_id), Cleaned(boot.os_version), Cleaned(boot.kernel_release)};
}

std::vector<Boot> ReadBoots(SpoolFolder* folder) {
  const auto file = folder->Read(kName);
  if (!file.ok()) return {};
  std::string text(std::min((*file)->size(), kMaxFile), '\0');
  if (!(*file)->ReadAt(0, {reinterpret_cast<uint8_t*>(text.data()), text.size()}).ok()) return {};
  std::vector<Boot> boots;
  for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const std::vector<absl::string_view> fields = absl::StrSplit(line, '\t');
    if (fields.size() != 3) continue;
    boots.push_back(Cleaned(Boot{std::string(fields[0]), std::string(fields[1]), std::string(fields[2])}));
  }
  return boots;
}

absl::Status WriteBoots(SpoolFolder* folder, const std::vector<Boot>& boots) {
  std::string text;
  for (const Boot& boot : boots)
    absl::StrAppend(&text, boot.boot_id, "\t", boot.os_version, "\t", boot.kernel_release, "\n");
  RETURN_IF_ERROR(folder->Remove(kFreshName));
  ASSIGN_OR_RETURN(const std::unique_ptr<SpoolFile> file, folder->Create(kFreshName));
  absl::Status status = file->WriteAt(0, BytesOf(text));
  if (status.ok()) status = file->Sync();
  if (status.ok()) status = folder->Rename(kFreshName, kName);
  if (status.ok()) return folder->SyncNames();
  folder->Remove(kFreshName).IgnoreError();
  return status;
}

std::string FirstLineOf(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line.substr(0, kMaxText);
}

// The value of a line of an os-release file: shell quoting, without anything that a shell would run.
std::string Unquoted(absl::string_view value) {
  value = absl::StripAsciiWhitespace(value);
  const bool quoted = value.size() >= 2 && (value[0] == '"' || value[0] == '\'') && value.back() == value[0];
  if (quoted) value = value.substr(1, value.size() - 2);
  std::string out;
  for (size_t i = 0; i < value.size(); ++i) {
    if (value[i] == '\\' && i + 1 < value.size()) ++i;
    out.push_back(value[i]);
  }
  return out;
}

}  // namespace

BootRecord BootRecord::Open(SpoolFolder* folder, const Boot& now, absl::Status* written) {
  BootRecord record;
  record.boots_ = ReadBoots(folder);
  const Boot clean = Cleaned(now);
  const bool again = !record.boots_.empty() && record.boots_.back().boot_id == clean.boot_id;
  record.new_boot_ = !again;
  *written = absl::OkStatus();
  // The same boot may say more by now: its version may have come from a command that failed before.
  if (again && record.boots_.back() == clean) return record;
  if (again) record.boots_.pop_back();
  record.boots_.push_back(clean);
  if (record.boots_.size() > kMaxBoots)
    record.boots_.erase(record.boots_.begin(), record.boots_.end() - kMaxBoots);
  *written = WriteBoots(folder, record.boots_);
  return record;
}

const Boot* BootRecord::Blamed(absl::string_view source, absl::string_view kernel_release,
                               absl::string_view found_in) const {
  size_t found = boots_.size() - 1;
  if (!found_in.empty()) {
    while (boots_[found].boot_id != found_in) {
      if (found-- == 0) return nullptr;
    }
  }
  if (source == "devcoredump") return &boots_[found];
  for (size_t i = found; i-- > 0;) {
    if (kernel_release.empty() || boots_[i].kernel_release == kernel_release) return &boots_[i];
  }
  return nullptr;
}

Boot ThisBoot(const std::string& os_version) {
  Boot boot{.boot_id = FirstLineOf("/proc/sys/kernel/random/boot_id"), .os_version = os_version};
  utsname names;
  if (uname(&names) == 0) boot.kernel_release = names.release;
  return Cleaned(boot);
}

std::string OsVersionOf(absl::string_view os_release) {
  std::map<std::string, std::string> values;
  for (const absl::string_view line : absl::StrSplit(os_release.substr(0, kMaxFile), '\n')) {
    const std::pair<absl::string_view, absl::string_view> field =
        absl::StrSplit(line, absl::MaxSplits('=', 1));
    values[std::string(absl::StripAsciiWhitespace(field.first))] = Unquoted(field.second);
  }
  std::string name = values["PRETTY_NAME"];
  if (name.empty()) name = absl::StrCat(values["NAME"], " ", values["VERSION_ID"]);
  const std::string& build = values["IMAGE_VERSION"].empty() ? values["BUILD_ID"] : values["IMAGE_VERSION"];
  if (!build.empty()) absl::StrAppend(&name, " [", build, "]");
  return Cleaned(absl::StripAsciiWhitespace(name));
}

std::string InstalledOsVersion() {
  for (const char* path : {"/etc/os-release", "/usr/lib/os-release"}) {
    std::ifstream file(path, std::ios::binary);
    if (!file) continue;
    std::string text(kMaxFile, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<size_t>(file.gcount()));
    return OsVersionOf(text);
  }
  return "";
}

}  // namespace corefleet
