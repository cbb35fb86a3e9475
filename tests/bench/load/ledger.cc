#include "tests/bench/load/ledger.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace corefleet {
namespace {

bool Read(const std::vector<std::string>& words, LedgerEntries* entries) {
  if (words[0] == "B" && words.size() == 3) {
    entries->begun[words[1]] = words[2];
    return true;
  }
  if (words[0] == "F" && words.size() == 4) {
    entries->finished[words[1]] = {words[2], words[3]};
    return true;
  }
  uint32_t region = 0;
  uint64_t first = 0;
  uint64_t count = 0;
  if (words[0] != "A" || words.size() != 5 || !absl::SimpleAtoi(words[2], &region) ||
      !absl::SimpleAtoi(words[3], &first) || !absl::SimpleAtoi(words[4], &count)) {
    return false;
  }
  for (uint64_t i = 0; i < count; ++i) entries->acknowledged[words[1]].emplace(region, first + i);
  return true;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Ledger>> Ledger::Open(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
  if (descriptor < 0) return absl::InvalidArgumentError(absl::StrCat("cannot write ", path));
  return std::unique_ptr<Ledger>(new Ledger(descriptor));
}

Ledger::~Ledger() { ::close(descriptor_); }

void Ledger::Append(const std::string& line) {
  if (::write(descriptor_, line.data(), line.size()) == static_cast<ssize_t>(line.size())) return;
  // Without its ledger a run proves nothing.
  std::perror("corefleet-load: ledger");
  std::abort();
}

void Ledger::Begun(const std::string& session, const std::string& content) {
  Append(absl::StrCat("B ", session, " ", content, "\n"));
}

void Ledger::Acknowledged(const std::string& session, const v1::ChunkRange& range) {
  Append(absl::StrCat("A ", session, " ", range.region(), " ", range.first(), " ", range.count(), "\n"));
}

void Ledger::Finished(const std::string& session, const std::string& content, const std::string& crash) {
  // A crash that was there before a session was opened has none.
  Append(absl::StrCat("F ", session.empty() ? absl::StrCat("crash-", crash) : session, " ", content, " ",
                      crash, "\n"));
}

absl::StatusOr<LedgerEntries> ReadLedger(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return absl::InvalidArgumentError(absl::StrCat("cannot read ", path));
  const std::string text((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  std::vector<std::string> lines = absl::StrSplit(text, '\n');
  lines.pop_back();  // what follows the last newline: nothing, or torn
  LedgerEntries entries;
  for (size_t i = 0; i < lines.size(); ++i) {
    if (!Read(absl::StrSplit(lines[i], ' '), &entries)) {
      return absl::InvalidArgumentError(absl::StrCat(path, ":", i + 1, ": no line of a ledger"));
    }
  }
  return entries;
}

}  // namespace corefleet
