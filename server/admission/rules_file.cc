#include "server/admission/rules_file.h"

#include <sys/stat.h>

#include <fstream>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status_macros.h"

namespace corefleet {

absl::StatusOr<AdmissionRules> ReadRulesFile(const std::string& path, const RulesParser& parse) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::UnavailableError(absl::StrCat(path, " cannot be opened"));
  std::string text(kMaxRulesFileBytes + 1, '\0');
  file.read(text.data(), text.size());
  if (file.bad()) return absl::UnavailableError(absl::StrCat(path, " cannot be read"));
  text.resize(file.gcount());
  if (text.size() > kMaxRulesFileBytes) {
    return absl::UnavailableError(absl::StrCat(path, " is larger than ", kMaxRulesFileBytes, " bytes"));
  }
  auto rules = parse(text);
  if (rules.ok()) return rules;
  return absl::Status(rules.status().code(), absl::StrCat(path, ":", rules.status().message()));
}

RulesFile::Stamp RulesFile::StampOf(const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return Stamp();
  return {.size = info.st_size,
          .modified_ns = info.st_mtim.tv_sec * int64_t{1'000'000'000} + info.st_mtim.tv_nsec,
          .inode = info.st_ino};
}

absl::StatusOr<std::unique_ptr<RulesFile>> RulesFile::Watch(const std::string& path, RulesParser parse,
                                                            std::function<void(AdmissionRules)> changed,
                                                            absl::Duration interval) {
  auto file = absl::WrapUnique(new RulesFile(path, std::move(parse), std::move(changed)));
  {
    absl::MutexLock lock(&file->mutex_);
    RETURN_IF_ERROR(file->Load());
  }
  file->looks_ = std::make_unique<Periodic>(interval, [file = file.get()] { file->Look(); });
  return file;
}

void RulesFile::Look() {
  absl::MutexLock lock(&mutex_);
  if (StampOf(path_) != stamp_) LoadOrKeep();
}

void RulesFile::Reload() {
  absl::MutexLock lock(&mutex_);
  LoadOrKeep();
}

void RulesFile::LoadOrKeep() {
  const absl::Status loaded = Load();
  good_ = loaded.ok();
  if (loaded.ok()) {
    Log(LogLevel::kInfo, "rules loaded", {{"file", path_}});
  } else {
    Log(LogLevel::kError, "the rules file is broken, the rules before it stay", {{"why", loaded.ToString()}});
  }
}

absl::Status RulesFile::Load() {
  // Before the reading: what is written meanwhile has another stamp, and is read again.
  stamp_ = StampOf(path_);
  ASSIGN_OR_RETURN(AdmissionRules rules, ReadRulesFile(path_, parse_));
  ++loads_;
  changed_(std::move(rules));
  return absl::OkStatus();
}

bool RulesFile::good() const {
  absl::MutexLock lock(&mutex_);
  return good_;
}

uint64_t RulesFile::loads() const {
  absl::MutexLock lock(&mutex_);
  return loads_;
}

}  // namespace corefleet
