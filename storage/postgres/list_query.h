#ifndef COREFLEET_STORAGE_POSTGRES_LIST_QUERY_H_
#define COREFLEET_STORAGE_POSTGRES_LIST_QUERY_H_

#include <optional>
#include <string>
#include <vector>

#include "core/crash/ids.h"
#include "storage/crash_index.h"

namespace corefleet {

// A query and the text of its parameters.
struct ListQuery {
  std::string sql;
  std::vector<std::string> params;
};

// The columns of the answer.
enum ListColumn {
  kListId,
  kListDevice,
  kListNote,
  kListRawBytes,
  kListStoredBytes,
  kListState,
  kListSummary
};

// What filter.build stands for, looked up before: nullopt when it is empty. An empty list matches nothing.
using BuildRefs = std::optional<std::vector<int>>;

// Each of the kernel's taint bits below this one has an index of its own.
inline constexpr int kIndexedTaintBits = 20;

// The query for one page of at most `limit` rows, newest first. It is one index scan per partition: of the
// build, of `taint_bit` (one that filter.taint_all has, best the rarest), of both, of the device or state, or
// of the id. `taint_bit` goes into the text, because only a literal lets the planner use a partial index.
ListQuery MakeListQuery(const CrashFilter& filter, const CrashId& before, int limit, const BuildRefs& builds,
                        std::optional<int> taint_bit);

}  // namespace corefleet

#endif  // COREFLEET_STORAGE_POSTGRES_LIST_QUERY_H_
