#include "storage/postgres/batches.h"

#include <algorithm>
#include <unordered_map>

#include "absl/strings/str_cat.h"
#include "storage/postgres/row_values.h"
#include "storage/postgres/statements.h"

namespace corefleet {
namespace {

// '{1,2}': a parameter of an array type, one element for each operation, or for each pack of all of them.
template <typename Item, typename ValueOf>
std::string Numbers(const std::vector<Item>& items, ValueOf value_of) {
  std::string array = "{";
  for (const Item& item : items) absl::StrAppend(&array, array.size() == 1 ? "" : ",", value_of(item));
  return array + "}";
}

template <typename Item, typename ValueOf>
std::string Texts(const std::vector<Item>& items, ValueOf value_of) {
  std::vector<std::string> texts;
  for (const Item& item : items) texts.push_back(value_of(item));
  return TextArray(texts);
}

// The bytes of all in one parameter, and where each one's are: arrays of bytea would double them.
struct Joined {
  std::string bytes, starts = "{", sizes = "{";
};

template <typename Item, typename ValueOf>
Joined Join(const std::vector<Item>& items, ValueOf value_of) {
  Joined joined;
  for (const Item& item : items) {
    const std::string& value = value_of(item);
    const char* separator = joined.starts.size() == 1 ? "" : ",";
    absl::StrAppend(&joined.starts, separator, joined.bytes.size() + 1);  // SQL counts from 1
    absl::StrAppend(&joined.sizes, separator, value.size());
    joined.bytes += value;
  }
  joined.starts += "}";
  joined.sizes += "}";
  return joined;
}

// A pack, and the operation that adds it.
template <typename Op>
struct PackOf {
  const Op* op;
  const PackRow* pack;
};

template <typename Op>
std::vector<PackOf<Op>> PacksOf(const std::vector<Op*>& ops) {
  std::vector<PackOf<Op>> packs;
  for (const Op* op : ops) {
    for (const PackRow& pack : op->packs) packs.push_back({op, &pack});
  }
  return packs;
}

// Locks are taken in this order, so that two batches do not wait for each other in a circle.
template <typename Op>
std::vector<Op*> BySession(std::vector<Op*> ops) {
  std::stable_sort(ops.begin(), ops.end(), [](const Op* a, const Op* b) { return a->session < b->session; });
  return ops;
}

}  // namespace

size_t BytesOfIndexes(const std::vector<PackRow>& packs) {
  size_t bytes = 0;
  for (const PackRow& pack : packs) bytes += pack.index.size();
  return bytes;
}

void BeginAll(pqxx::transaction_base& transaction, const std::vector<BeginOp*>& unsorted) {
  std::vector<BeginOp*> ops = unsorted;
  std::stable_sort(ops.begin(), ops.end(), [](const BeginOp* a, const BeginOp* b) {
    return std::tie(a->device, a->uid) < std::tie(b->device, b->uid);
  });
  const Joined manifests = Join(ops, [](const BeginOp* op) -> const std::string& { return op->manifest; });
  const pqxx::result rows = transaction.exec_prepared(
      sql::kBeginSessions, Texts(ops, [](const BeginOp* op) { return op->id.value(); }),
      Texts(ops, [](const BeginOp* op) { return op->device.value(); }),
      Texts(ops, [](const BeginOp* op) { return op->uid.value(); }),
      Texts(ops, [](const BeginOp* op) { return ToTimestamp(op->expires_at); }),
      Texts(ops, [](const BeginOp* op) { return op->note; }),
      Numbers(ops, [](const BeginOp* op) { return static_cast<int>(op->want); }),
      Texts(ops, [](const BeginOp* op) { return op->rule; }),
      Numbers(ops, [](const BeginOp* op) { return op->weight; }),
      Texts(ops, [](const BeginOp* op) { return op->hints; }), ToBytea(manifests.bytes), manifests.starts,
      manifests.sizes);
  std::unordered_map<std::string, BeginOp*> by_id;
  for (BeginOp* op : ops) by_id[op->id.value()] = op;
  for (const pqxx::row& row : rows) by_id.at(row[0].as<std::string>())->settled = true;
}

void AddAll(pqxx::transaction_base& transaction, const std::vector<AddPacksOp*>& unsorted) {
  using Row = PackOf<AddPacksOp>;
  const std::vector<AddPacksOp*> ops = BySession(unsorted);
  const std::vector<Row> packs = PacksOf(ops);
  const Joined indexes = Join(packs, [](const Row& row) -> const std::string& { return row.pack->index; });
  const pqxx::result rows = transaction.exec_prepared(
      sql::kAddPacks, Texts(packs, [](const Row& row) { return row.op->session.value(); }),
      Texts(packs, [](const Row& row) { return row.pack->ref.key; }),
      Numbers(packs, [](const Row& row) { return ToBigint(row.pack->ref.offset); }),
      Numbers(packs, [](const Row& row) { return ToBigint(row.pack->ref.size); }),
      Texts(packs, [](const Row& row) { return ToTimestamp(row.op->expires_at); }),
      Texts(packs, [](const Row& row) { return ToTimestamp(row.op->extend_before); }), ToBytea(indexes.bytes),
      indexes.starts, indexes.sizes);
  // The sessions that were open. Of the others it is not known why they were not.
  std::unordered_map<std::string, bool> open;
  for (const pqxx::row& row : rows) open[row[0].as<std::string>()] = true;
  for (AddPacksOp* op : ops) op->settled = open.count(op->session.value()) != 0;
}

namespace {

// By crash: two that finish one session at once have two fresh crashes, of which one was taken.
template <typename Op>
void SettleFinished(const pqxx::result& rows, const std::vector<Op*>& ops) {
  std::unordered_map<std::string, bool> finished;
  for (const pqxx::row& row : rows) finished[row[0].as<std::string>()] = true;
  for (Op* op : ops) op->settled = finished.count(op->crash.ToUuid()) != 0;
}

}  // namespace

void FinishAll(pqxx::transaction_base& transaction, const std::vector<FinishOp*>& unsorted) {
  const std::vector<FinishOp*> ops = BySession(unsorted);
  const pqxx::result rows = transaction.exec_prepared(
      sql::kFinishSessions, Texts(ops, [](const FinishOp* op) { return op->session.value(); }),
      Texts(ops, [](const FinishOp* op) { return op->crash.ToUuid(); }),
      Texts(ops, [](const FinishOp* op) { return op->crash.ToString(); }),
      Texts(ops, [](const FinishOp* op) { return ToTimestamp(op->crash.time()); }),
      Numbers(ops, [](const FinishOp* op) { return ToBigint(op->size.raw); }),
      Numbers(ops, [](const FinishOp* op) { return ToBigint(op->size.stored); }),
      Numbers(ops, [](const FinishOp* op) { return ToBigint(op->size.here); }));
  SettleFinished(rows, ops);
}

void FinishAllWithPacks(pqxx::transaction_base& transaction, const std::vector<LastPacksOp*>& unsorted) {
  using Row = PackOf<LastPacksOp>;
  const std::vector<LastPacksOp*> ops = BySession(unsorted);
  const std::vector<Row> packs = PacksOf(ops);
  const Joined indexes = Join(packs, [](const Row& row) -> const std::string& { return row.pack->index; });
  const pqxx::result rows = transaction.exec_prepared(
      sql::kFinishWithPacks, Texts(ops, [](const LastPacksOp* op) { return op->session.value(); }),
      Texts(ops, [](const LastPacksOp* op) { return op->crash.ToUuid(); }),
      Texts(ops, [](const LastPacksOp* op) { return op->crash.ToString(); }),
      Texts(ops, [](const LastPacksOp* op) { return ToTimestamp(op->crash.time()); }),
      Numbers(ops, [](const LastPacksOp* op) { return ToBigint(op->size.raw); }),
      Numbers(ops, [](const LastPacksOp* op) { return ToBigint(op->size.stored); }),
      Numbers(ops, [](const LastPacksOp* op) { return ToBigint(op->size.here); }),
      Numbers(ops, [](const LastPacksOp* op) { return ToBigint(op->pack_changes); }),
      Numbers(ops, [](const LastPacksOp* op) { return op->packs.size(); }),
      Texts(packs, [](const Row& row) { return row.op->crash.ToUuid(); }),
      Texts(packs, [](const Row& row) { return row.pack->ref.key; }),
      Numbers(packs, [](const Row& row) { return ToBigint(row.pack->ref.offset); }),
      Numbers(packs, [](const Row& row) { return ToBigint(row.pack->ref.size); }), ToBytea(indexes.bytes),
      indexes.starts, indexes.sizes);
  SettleFinished(rows, ops);
}

}  // namespace corefleet
