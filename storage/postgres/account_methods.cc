// The account of the index, and what keeps it and the packs reconciled.
#include <algorithm>
#include <map>
#include <pqxx/pqxx>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "storage/postgres/index_impl.h"
#include "storage/postgres/partitions.h"
#include "storage/postgres/row_values.h"
#include "storage/postgres/statements.h"

namespace corefleet {
namespace {

// ingest_count.what
constexpr int kOffered = 0;
constexpr int kAccepted = 1;
constexpr int kRefused = 2;
constexpr int kExpired = 3;

template <typename Numbers>
std::string NumberArray(const Numbers& numbers) {
  return absl::StrCat("{", absl::StrJoin(numbers, ","), "}");
}

// What was lost by reason, each reason once.
std::map<std::string, uint64_t> Totals(const std::vector<ReasonCount>& lost) {
  std::map<std::string, uint64_t> totals;
  for (const ReasonCount& one : lost) {
    uint64_t& total = totals[ToText(one.reason)];
    total = std::min(CrashIndex::kMaxLoss, total + std::min(CrashIndex::kMaxLoss, one.count));
  }
  return totals;
}

void AddToAccount(const pqxx::row& row, IngestAccount* account) {
  const uint64_t n = FromBigint(row[2].as<int64_t>());
  if (row[0].is_null()) {
    account->pending = n;
    return;
  }
  const int what = row[0].as<int>();
  if (what == kOffered) account->offered = n;
  if (what == kAccepted) account->accepted = n;
  if (what == kRefused) account->refused.push_back({row[1].as<std::string>(), n});
  if (what == kExpired) account->expired.push_back({row[1].as<std::string>(), n});
}

void SortByReason(std::vector<ReasonCount>* counts) {
  std::sort(counts->begin(), counts->end(),
            [](const ReasonCount& a, const ReasonCount& b) { return a.reason < b.reason; });
}

}  // namespace

absl::Status PostgresCrashIndex::AddRefusals(const std::vector<ReasonCount>& refused) {
  std::map<std::string, uint64_t> totals;
  uint64_t all = 0;
  for (const ReasonCount& one : refused) {
    if (one.count == 0) continue;
    totals[ToText(one.reason)] += one.count;
    all += one.count;
  }
  if (all == 0) return absl::OkStatus();
  std::vector<int> whats = {kOffered};
  std::vector<std::string> reasons = {""};
  std::vector<uint64_t> counts = {all};
  for (const auto& [reason, count] : totals) {
    whats.push_back(kRefused);
    reasons.push_back(reason);
    counts.push_back(count);
  }
  return impl_->Alone([&](pqxx::transaction_base& transaction) {
    transaction.exec_prepared0(sql::kAddCounts, NumberArray(whats), TextArray(reasons), NumberArray(counts));
    return absl::OkStatus();
  });
}

absl::Status PostgresCrashIndex::ReportLosses(const DeviceId& device, const std::string& epoch,
                                              const std::vector<ReasonCount>& lost, absl::Time now) {
  std::vector<std::string> reason_list;
  std::vector<uint64_t> count_list;
  for (const auto& [reason, count] : Totals(lost)) {
    if (count == 0) continue;
    reason_list.push_back(reason);
    count_list.push_back(count);
  }
  if (reason_list.empty()) return absl::OkStatus();
  const std::string reasons = TextArray(reason_list);
  const std::string counts = NumberArray(count_list);
  const std::string epoch_text = ToText(epoch);
  // Most reports say what the last one said: those cost one question and no lock.
  bool grown = false;
  RETURN_IF_ERROR(impl_->Alone([&](pqxx::transaction_base& transaction) {
    const pqxx::row row =
        transaction.exec_prepared1(sql::kLossesGrown, device.value(), epoch_text, reasons, counts);
    grown = row[0].as<bool>();
    return absl::OkStatus();
  }));
  if (!grown) return absl::OkStatus();
  return impl_->InTransaction([&](pqxx::transaction_base& transaction) {
    transaction.exec_prepared(sql::kLockDevice, device.value());
    transaction.exec_prepared0(sql::kReportLosses, device.value(), epoch_text, reasons, counts,
                               ToTimestamp(now));
    transaction.exec_prepared0(sql::kPruneLosses, device.value(), kLossEpochs);
    return absl::OkStatus();
  });
}

absl::StatusOr<IngestAccount> PostgresCrashIndex::Account() {
  IngestAccount account;
  RETURN_IF_ERROR(impl_->Alone([&](pqxx::transaction_base& transaction) {
    account = IngestAccount();
    for (const pqxx::row& row : transaction.exec_prepared(sql::kAccount)) AddToAccount(row, &account);
    return absl::OkStatus();
  }));
  SortByReason(&account.refused);
  SortByReason(&account.expired);
  return account;
}

absl::StatusOr<std::vector<IndexedPack>> PostgresCrashIndex::PacksUnder(const std::string& key) {
  std::vector<IndexedPack> packs;
  RETURN_IF_ERROR(impl_->Alone([&](pqxx::transaction_base& transaction) {
    packs.clear();
    for (const pqxx::row& row : transaction.exec_prepared(sql::kPacksUnder, key)) {
      packs.push_back({.ref = {.key = row[0].as<std::string>(),
                               .offset = FromBigint(row[1].as<int64_t>()),
                               .size = FromBigint(row[2].as<int64_t>())},
                       .session = SessionId(row[3].as<std::string>())});
    }
    return absl::OkStatus();
  }));
  return packs;
}

absl::StatusOr<std::vector<std::string>> PostgresCrashIndex::PackKeys() {
  std::vector<std::string> keys;
  RETURN_IF_ERROR(impl_->Alone([&](pqxx::transaction_base& transaction) {
    keys.clear();
    for (const pqxx::row& row : transaction.exec_prepared(sql::kPackKeys)) {
      keys.push_back(row[0].as<std::string>());
    }
    return absl::OkStatus();
  }));
  return keys;
}

absl::StatusOr<int64_t> PostgresCrashIndex::RequestLostAnalyses(absl::Time before, int64_t limit) {
  int64_t requested = 0;
  RETURN_IF_ERROR(impl_->Alone([&](pqxx::transaction_base& transaction) {
    const pqxx::result rows =
        transaction.exec_prepared(sql::kRequestLost, FirstUuidAt(before), std::max<int64_t>(0, limit));
    requested = static_cast<int64_t>(rows.affected_rows());
    return absl::OkStatus();
  }));
  return requested;
}

}  // namespace corefleet
