#include "storage/postgres/list_query.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "storage/postgres/partitions.h"
#include "storage/postgres/statements.h"

namespace corefleet {
namespace {

// Gathers conditions and their parameters.
class Where {
 public:
  explicit Where(std::vector<std::string>* params) : params_(params) {}

  // The parameter's name, with its type.
  std::string Param(const std::string& value, absl::string_view type) {
    params_->push_back(value);
    return absl::StrCat("$", params_->size(), "::", type);
  }
  void Add(const std::string& condition) { conditions_.push_back(condition); }
  std::string Text() const {
    return conditions_.empty() ? "" : absl::StrCat(" WHERE ", absl::StrJoin(conditions_, " AND "));
  }

 private:
  std::vector<std::string>* const params_;
  std::vector<std::string> conditions_;
};

void AddTaint(const CrashFilter& filter, std::optional<int> taint_bit, Where* where) {
  if (filter.untainted) where->Add("f.taint_mask = 0");
  if (filter.taint_all == 0) return;
  // Written exactly as in the index.
  if (taint_bit) {
    const std::string bit = absl::StrCat(uint64_t{1} << *taint_bit, "::bigint");
    where->Add(absl::StrCat("(f.taint_mask & ", bit, ") = ", bit));
  }
  if (taint_bit && filter.taint_all == uint64_t{1} << *taint_bit) return;
  // The column is signed; its bits are not.
  const std::string mask = where->Param(absl::StrCat(static_cast<int64_t>(filter.taint_all)), "bigint");
  where->Add(absl::StrCat("(f.taint_mask & ", mask, ") = ", mask));
}

void AddFilter(const CrashFilter& filter, const CrashId& before, std::optional<int> taint_bit, Where* where) {
  AddTaint(filter, taint_bit, where);
  if (filter.device) where->Add(absl::StrCat("f.device = ", where->Param(filter.device->value(), "text")));
  if (filter.state) {
    where->Add(
        absl::StrCat("f.state = ", where->Param(absl::StrCat(static_cast<int>(*filter.state)), "smallint")));
  }
  // Times are in the ids, so they prune partitions.
  if (filter.since) where->Add(absl::StrCat("f.id >= ", where->Param(FirstUuidAt(*filter.since), "uuid")));
  if (filter.until) where->Add(absl::StrCat("f.id < ", where->Param(FirstUuidAt(*filter.until), "uuid")));
  if (!before.empty()) where->Add(absl::StrCat("f.id < ", where->Param(before.ToUuid(), "uuid")));
}

}  // namespace

ListQuery MakeListQuery(const CrashFilter& filter, const CrashId& before, int limit, const BuildRefs& builds,
                        std::optional<int> taint_bit) {
  ListQuery query;
  Where where(&query.params);
  const bool many = builds && builds->size() != 1;
  const std::string last =
      absl::StrCat(" ORDER BY f.id DESC LIMIT ", where.Param(absl::StrCat(limit), "bigint"));
  if (builds && !many) {
    where.Add(absl::StrCat("f.build = ", where.Param(absl::StrCat(builds->front()), "integer")));
  }
  std::string refs;
  if (many) {
    refs = where.Param(absl::StrCat("{", absl::StrJoin(*builds, ","), "}"), "integer[]");
    where.Add("f.build = wanted.ref");
  }
  AddFilter(filter, before, taint_bit, &where);
  query.sql = absl::StrCat("SELECT ", kCrashColumns, ", f.summary FROM crash_fact f", where.Text(), last);
  // Of several builds: the newest of each by its own scan, and the newest of these.
  if (many) {
    query.sql = absl::StrCat("SELECT ", kCrashColumns, ", f.summary FROM unnest(", refs,
                             ") AS wanted(ref) CROSS JOIN LATERAL (", query.sql, ") f", last);
  }
  return query;
}

}  // namespace corefleet
