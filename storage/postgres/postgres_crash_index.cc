#include "storage/postgres/postgres_crash_index.h"

#include <algorithm>
#include <pqxx/pqxx>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "core/digest/digest.h"
#include "storage/facts_json.h"
#include "storage/postgres/fact_counts.h"
#include "storage/postgres/index_impl.h"
#include "storage/postgres/list_query.h"
#include "storage/postgres/migration.h"
#include "storage/postgres/partitions.h"
#include "storage/postgres/row_values.h"
#include "storage/postgres/statements.h"

namespace corefleet {
namespace {

constexpr size_t kCrashStates = 5;
constexpr size_t kMinBuildPrefix = 4;
// More builds than this are not listed together: a prefix of four digits, or a release, of a fleet that has
// more.
constexpr int kMaxBuildsOfFilter = 1000;
// Longer text is no release and no build id, and would not fit an index page.
constexpr size_t kMaxNameText = 255;
constexpr size_t kMaxReasonText = 4096;

bool IsHex(const std::string& text) { return std::all_of(text.begin(), text.end(), absl::ascii_isxdigit); }

std::optional<std::string> TextOf(const MaybeFact<std::string>& fact, size_t max_bytes) {
  if (!fact) return std::nullopt;
  return ToText(fact->value, max_bytes);
}

std::optional<std::string> BitsOf(const MaybeFact<uint64_t>& mask) {
  if (!mask) return std::nullopt;
  return absl::StrCat(ToBigint(mask->value));
}

std::optional<std::string> NumberOf(const std::optional<int>& number) {
  if (!number) return std::nullopt;
  return absl::StrCat(*number);
}

std::optional<std::string> UptimeOf(const CrashFacts& facts) {
  if (!facts.uptime_seconds) return std::nullopt;
  return pqxx::to_string(facts.uptime_seconds->value);
}

// What the crash counted for until now; nothing before its first analysis.
std::optional<Counted> CountedFromRow(const pqxx::row& row) {
  if (!row[0].as<bool>()) return std::nullopt;
  Counted counted{.state = static_cast<CrashState>(row[1].as<int>())};
  if (!row[2].is_null()) counted.build = row[2].as<int>();
  if (!row[3].is_null()) counted.mask = FromBigint(row[3].as<int64_t>());
  counted.weight = row[6].as<int64_t>();
  return counted;
}

// The build that the facts name, made if it is new; nullopt when they name none.
std::optional<int> BuildRefOf(pqxx::transaction_base& transaction, const CrashFacts& facts) {
  const std::string build_id = TextOf(facts.build_id, kMaxNameText).value_or("");
  const std::string release = TextOf(facts.release, kMaxNameText).value_or("");
  if (build_id.empty() && release.empty()) return std::nullopt;
  pqxx::result found = transaction.exec_prepared(sql::kFindBuild, build_id, release);
  if (found.empty()) {
    transaction.exec_prepared0(sql::kInsertBuild, build_id, release);
    found = transaction.exec_prepared(sql::kFindBuild, build_id, release);
  }
  return found[0][0].as<int>();
}

void UpdateFacts(pqxx::transaction_base& transaction, const CrashId& id, const CrashFacts& facts,
                 std::optional<int> build, const CountChanges& changes) {
  transaction.exec_prepared0(
      sql::kUpdateFacts, id.ToUuid(), static_cast<int>(facts.state), OrNull(NumberOf(build)),
      OrNull(TextOf(facts.build_id, kMaxNameText)), OrNull(TextOf(facts.release, kMaxNameText)),
      OrNull(TextOf(facts.version, kMaxNameText)), OrNull(TextOf(facts.arch, kMaxNameText)),
      OrNull(BitsOf(facts.taint.mask)), OrNull(BitsOf(facts.taint.before_mask)), OrNull(UptimeOf(facts)),
      OrNull(TextOf(facts.panic_reason, kMaxReasonText)), static_cast<int64_t>(facts.analyzer_version),
      EncodeFacts(facts, FactsDetail::kSummary), EncodeFacts(facts, FactsDetail::kAll), changes.Kinds(),
      changes.Keys(), changes.Amounts());
}

absl::Status PutFactsIn(pqxx::transaction_base& transaction, const CrashId& id, const CrashFacts& facts,
                        uint32_t revision) {
  // The lock makes two analyses of one crash take turns, so that each takes back what the other counted.
  const pqxx::result before = transaction.exec_prepared(sql::kLockFacts, id.ToUuid());
  if (before.empty()) return NoCrash(id);
  if (before[0][4].as<uint32_t>() != revision) {
    return absl::FailedPreconditionError("the crash has more bytes by now");
  }
  Counted counted{.state = facts.state, .build = BuildRefOf(transaction, facts)};
  counted.weight = before[0][5].as<int64_t>();
  if (facts.taint.mask) counted.mask = facts.taint.mask->value;
  CountChanges changes;
  if (const std::optional<Counted> old = CountedFromRow(before[0])) changes.Remove(*old);
  changes.Add(counted);
  UpdateFacts(transaction, id, facts, counted.build, changes);
  return absl::OkStatus();
}

BuildRefs FindBuilds(pqxx::transaction_base& transaction, const std::string& build) {
  if (build.empty()) return std::nullopt;
  std::optional<std::string> prefix;
  if (build.size() >= kMinBuildPrefix && IsHex(build)) prefix = absl::AsciiStrToLower(build);
  std::vector<int> refs;
  for (const pqxx::row& row :
       transaction.exec_prepared(sql::kFindBuilds, OrNull(prefix), ToText(build), kMaxBuildsOfFilter)) {
    refs.push_back(row[0].as<int>());
  }
  return refs;
}

// The bit of the mask whose index is the shortest.
std::optional<int> ChooseTaintBit(pqxx::transaction_base& transaction, uint64_t mask) {
  std::vector<int> bits;
  for (int bit = 0; bit < kIndexedTaintBits; ++bit) {
    if (mask >> bit & 1) bits.push_back(bit);
  }
  if (bits.empty()) return std::nullopt;
  if (bits.size() == 1) return bits[0];
  const pqxx::result rarest =
      transaction.exec_prepared(sql::kRarestTaint, absl::StrCat("{", absl::StrJoin(bits, ","), "}"));
  return rarest.empty() ? bits.back() : rarest[0][0].as<int>();
}

// The lists that dashboards and people ask for over and over are prepared: a connection plans each once.
// Their forms are few (about a hundred); those with other filters are planned each time, so that nobody can
// fill the server with plans.
pqxx::result RunList(pqxx::transaction_base& transaction, const CrashFilter& filter, const ListQuery& query) {
  const auto params = pqxx::prepare::make_dynamic_params(query.params);
  if (filter.device || filter.state || filter.since || filter.until)
    return transaction.exec_params(query.sql, params);
  const std::string name = absl::StrCat("list_", HexOf(Sha256Of(BytesOf(query.sql))).substr(0, 16));
  transaction.conn().prepare(name, query.sql);  // does nothing when it is there
  return transaction.exec_prepared(name, params);
}

absl::StatusOr<CrashPage> PageFromRows(const pqxx::result& rows, int limit) {
  CrashPage page;
  for (const pqxx::row& row : rows) {
    if (static_cast<int>(page.crashes.size()) == limit) {
      page.next = page.crashes.back().id;
      break;
    }
    ASSIGN_OR_RETURN(StoredCrash crash, CrashFromRow(row));
    page.crashes.push_back(std::move(crash));
  }
  return page;
}

void AddStat(const pqxx::row& row, IndexStats* stats) {
  const std::string what = row[0].as<std::string>();
  const int64_t key = row[1].as<int64_t>();
  const uint64_t n = FromBigint(std::max<int64_t>(0, row[2].as<int64_t>()));
  const uint64_t weight = n + FromBigint(std::max<int64_t>(0, row[3].as<int64_t>()));
  if (what == "state" && key >= 0 && key < static_cast<int64_t>(kCrashStates)) {
    stats->crashes_by_state[key] += n;
    stats->weight_by_state[key] += weight;
    stats->crashes += n;
  } else if (what == "taint" && key == kUntaintedKey) {
    stats->untainted = n;
    stats->untainted_weight = weight;
  } else if (what == "taint" && key >= 0 && key < 64) {
    stats->crashes_by_taint[key] = n;
    stats->weight_by_taint[key] = weight;
  } else if (what == "build") {
    stats->builds.push_back({BuildId(row[4].as<std::string>()), row[5].as<std::string>(), n, weight});
  } else if (what == "builds") {
    stats->other_builds = n;  // of all; the listed ones are taken off at the end
    stats->other_builds_weight = weight;
  } else if (what == "backlog") {
    stats->analysis_backlog = n;
  } else if (what == "unread") {
    stats->crashes_by_state[static_cast<size_t>(CrashState::kReceived)] += n;
    stats->weight_by_state[static_cast<size_t>(CrashState::kReceived)] += n;
    stats->crashes += n;
  } else if (what == "open" || what == "reopened") {
    stats->open_sessions += n;
  }
}

}  // namespace

absl::Status NoSession(const SessionId& id) {
  return absl::NotFoundError(absl::StrCat("no session ", id.value()));
}
absl::Status NoCrash(const CrashId& id) {
  return absl::NotFoundError(absl::StrCat("no crash ", id.ToString()));
}

// One row each, and an array of arrays of bytes: what one statement may take in.
constexpr size_t kMaxBatchBytes = 1 << 20;

template <typename Op>
std::function<void(const std::vector<Op*>&)> PostgresCrashIndex::Impl::Together(
    void (*all)(pqxx::transaction_base&, const std::vector<Op*>&)) {
  return [this, all](const std::vector<Op*>& ops) {
    const absl::Status status = Alone([&](pqxx::transaction_base& transaction) {
      for (Op* op : ops) op->settled = false;
      all(transaction, ops);
      return absl::OkStatus();
    });
    if (status.ok()) return;
    // Without a database nobody gets on. Whatever else it was, it was one of them; alone, each has its own
    // answer.
    const bool away = absl::IsUnavailable(status) || absl::IsUnknown(status);
    for (Op* op : ops) {
      op->settled = false;
      if (away) op->status = status;
    }
  };
}

PostgresCrashIndex::Impl::Impl(const std::string& connection_string, const PostgresCrashIndexOptions& options)
    : pool_(connection_string, options.max_connections, options.timeout),
      begins_(options.max_batch, kMaxBatchBytes, Together<BeginOp>(&BeginAll)),
      packs_(options.max_batch, kMaxBatchBytes, Together<AddPacksOp>(&AddAll)),
      ends_(options.max_batch, kMaxBatchBytes, Together<FinishOp>(&FinishAll)),
      last_packs_(options.max_batch, kMaxBatchBytes, Together<LastPacksOp>(&FinishAllWithPacks)) {}

absl::Status PostgresCrashIndex::Impl::Alone(Body body) {
  return pool_.Run([&](pqxx::connection& connection) {
    pqxx::nontransaction transaction(connection);
    return body(transaction);
  });
}

absl::Status PostgresCrashIndex::Impl::InTransaction(Body body) {
  return pool_.Run([&](pqxx::connection& connection) {
    pqxx::work transaction(connection);
    RETURN_IF_ERROR(body(transaction));
    transaction.commit();
    return absl::OkStatus();
  });
}

absl::Status PostgresCrashIndex::Impl::BringUp(const std::string& connection_string) {
  // Once, on a connection of its own without the limits of a request.
  ConnectionPool migration_pool(connection_string, 1, absl::Minutes(3));
  RETURN_IF_ERROR(
      migration_pool.Run([](pqxx::connection& connection) { return Migrate(connection, SchemaSteps()); }));
  absl::CivilMonth month;
  RETURN_IF_ERROR(Alone([&](pqxx::transaction_base& transaction) {
    // The database's clock: all replicas have the same one.
    const pqxx::row row = transaction.exec1("SELECT extract(epoch FROM now())::bigint");
    month = MonthOf(absl::FromUnixSeconds(row[0].as<int64_t>()));
    return absl::OkStatus();
  }));
  RETURN_IF_ERROR(EnsureMonth(month));
  return EnsureMonth(month + 1);
}

absl::Status PostgresCrashIndex::Impl::EnsureMonth(absl::CivilMonth month) {
  {
    absl::MutexLock lock(&mutex_);
    if (months_.count(month) != 0) return absl::OkStatus();
  }
  RETURN_IF_ERROR(InTransaction([&](pqxx::transaction_base& transaction) {
    transaction.exec(CreatePartitionsSql(month));
    return absl::OkStatus();
  }));
  absl::MutexLock lock(&mutex_);
  months_.insert(month);
  return absl::OkStatus();
}

PostgresCrashIndex::PostgresCrashIndex(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PostgresCrashIndex::~PostgresCrashIndex() = default;

absl::StatusOr<std::unique_ptr<PostgresCrashIndex>> PostgresCrashIndex::Open(
    const std::string& connection_string, PostgresCrashIndexOptions options) {
  auto impl = std::make_unique<Impl>(connection_string, options);
  RETURN_IF_ERROR(impl->BringUp(connection_string));
  return std::unique_ptr<PostgresCrashIndex>(new PostgresCrashIndex(std::move(impl)));
}

absl::Status PostgresCrashIndex::Ping() {
  return impl_->Alone([](pqxx::transaction_base& transaction) {
    transaction.exec1("SELECT 1");
    return absl::OkStatus();
  });
}

absl::StatusOr<StoredCrash> PostgresCrashIndex::GetCrash(const CrashId& id) {
  absl::StatusOr<StoredCrash> crash;
  RETURN_IF_ERROR(impl_->Alone([&](pqxx::transaction_base& transaction) {
    const pqxx::result rows = transaction.exec_prepared(sql::kGetCrash, id.ToUuid());
    if (rows.empty()) return NoCrash(id);
    crash = CrashFromRow(rows[0]);
    return crash.status();
  }));
  return crash;
}

absl::StatusOr<CrashContents> PostgresCrashIndex::Contents(const CrashId& id) {
  CrashContents contents;
  RETURN_IF_ERROR(impl_->Alone([&](pqxx::transaction_base& transaction) -> absl::Status {
    const pqxx::result rows = transaction.exec_prepared(sql::kCrashContents, id.ToUuid());
    if (rows.empty()) return NoCrash(id);
    ASSIGN_OR_RETURN(contents.packs, PacksFromRows(rows));
    const pqxx::row& first = rows[0];
    ASSIGN_OR_RETURN(contents.manifest, DecodeManifest(BytesOf(FromBytea(first[kPackColumns]))));
    contents.here_bytes = FromBigint(first[kPackColumns + 1].as<int64_t>());
    contents.revision = first[kPackColumns + 2].as<uint32_t>();
    return absl::OkStatus();
  }));
  return contents;
}

absl::StatusOr<std::vector<CrashId>> PostgresCrashIndex::FindByPrefix(const std::string& prefix, int limit) {
  std::vector<CrashId> found;
  if (!IsHex(prefix)) return found;
  RETURN_IF_ERROR(impl_->Alone([&](pqxx::transaction_base& transaction) -> absl::Status {
    found.clear();
    for (const pqxx::row& row : transaction.exec_prepared(sql::kFindByPrefix, prefix, limit)) {
      ASSIGN_OR_RETURN(const CrashId id, CrashId::FromUuid(row[0].as<std::string>()));
      found.push_back(id);
    }
    return absl::OkStatus();
  }));
  std::sort(found.rbegin(), found.rend());
  return found;
}

absl::StatusOr<CrashPage> PostgresCrashIndex::ListCrashes(const CrashFilter& filter, const CrashId& before,
                                                          int limit) {
  absl::StatusOr<CrashPage> page;
  RETURN_IF_ERROR(impl_->Alone([&](pqxx::transaction_base& transaction) {
    page = CrashPage();
    const BuildRefs builds = FindBuilds(transaction, filter.build);
    if (builds && builds->empty()) return absl::OkStatus();
    const std::optional<int> bit = ChooseTaintBit(transaction, filter.taint_all);
    const ListQuery query = MakeListQuery(filter, before, limit + 1, builds, bit);
    page = PageFromRows(RunList(transaction, filter, query), limit);
    return page.status();
  }));
  return page;
}

absl::StatusOr<std::vector<CrashIndex::AnalysisLease>> PostgresCrashIndex::ClaimAnalysis(
    int limit, absl::Time now, absl::Time lease_until) {
  std::vector<AnalysisLease> leases;
  RETURN_IF_ERROR(impl_->Alone([&](pqxx::transaction_base& transaction) -> absl::Status {
    leases.clear();
    for (const pqxx::row& row :
         transaction.exec_prepared(sql::kClaimAnalysis, limit, ToTimestamp(now), ToTimestamp(lease_until))) {
      ASSIGN_OR_RETURN(const CrashId id, CrashId::FromUuid(row[0].as<std::string>()));
      leases.push_back({id, row[1].as<int>(), row[2].as<uint32_t>()});
    }
    return absl::OkStatus();
  }));
  std::sort(leases.begin(), leases.end(),
            [](const AnalysisLease& a, const AnalysisLease& b) { return a.crash < b.crash; });
  return leases;
}

absl::Status PostgresCrashIndex::PutFacts(const CrashId& id, const CrashFacts& facts, uint32_t revision) {
  return impl_->InTransaction(
      [&](pqxx::transaction_base& transaction) { return PutFactsIn(transaction, id, facts, revision); });
}

absl::StatusOr<IndexStats> PostgresCrashIndex::Stats(int max_builds) {
  IndexStats stats;
  RETURN_IF_ERROR(impl_->Alone([&](pqxx::transaction_base& transaction) {
    stats = IndexStats();
    stats.crashes_by_taint.resize(64);
    stats.weight_by_taint.resize(64);
    stats.crashes_by_state.resize(kCrashStates);
    stats.weight_by_state.resize(kCrashStates);
    for (const pqxx::row& row : transaction.exec_prepared(sql::kStats, std::max(0, max_builds)))
      AddStat(row, &stats);
    for (const BuildCount& build : stats.builds) {
      stats.other_builds -= std::min(stats.other_builds, build.crashes);
      stats.other_builds_weight -= std::min(stats.other_builds_weight, build.weight);
    }
    return absl::OkStatus();
  }));
  return stats;
}

}  // namespace corefleet
