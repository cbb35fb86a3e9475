#include "server/ingest/device_account.h"

#include <algorithm>
#include <map>

#include "absl/hash/hash.h"
#include "absl/strings/ascii.h"

namespace corefleet {
namespace {

constexpr size_t kMaxEpoch = 64;
constexpr char kOther[] = "other";

// The names that collector/spool has for its LossReasons.
constexpr absl::string_view kReasons[] = {
    "consent",       "other",          "policy",       "spool_age", "spool_bytes", "spool_damaged",
    "spool_entries", "spool_headroom", "spool_inodes", "too_large", "unreadable",
};

}  // namespace

absl::Span<const absl::string_view> DeviceLossReasons() { return kReasons; }

bool IsValidEpoch(absl::string_view epoch) {
  return !epoch.empty() && epoch.size() <= kMaxEpoch && std::all_of(epoch.begin(), epoch.end(), [](char c) {
    return absl::ascii_isgraph(static_cast<unsigned char>(c));
  });
}

std::vector<ReasonCount> KnownLosses(const DeviceAccount& account) {
  std::map<std::string, uint64_t> by_reason;
  for (const ReasonCount& loss : account.lost) {
    const bool known = std::find(std::begin(kReasons), std::end(kReasons), loss.reason) != std::end(kReasons);
    uint64_t& count = by_reason[known ? loss.reason : kOther];
    count = std::min(count + std::min(loss.count, CrashIndex::kMaxLoss), CrashIndex::kMaxLoss);
  }
  std::vector<ReasonCount> losses;
  for (const auto& [reason, count] : by_reason) {
    if (count > 0) losses.push_back({reason, count});
  }
  return losses;
}

uint64_t FingerprintOf(const DeviceAccount& account) {
  std::vector<std::pair<std::string, uint64_t>> counts;
  for (const ReasonCount& loss : KnownLosses(account)) counts.emplace_back(loss.reason, loss.count);
  return absl::HashOf(account.epoch, counts);
}

}  // namespace corefleet
