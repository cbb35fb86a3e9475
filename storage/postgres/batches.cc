#include "storage/postgres/batches.h"

#include <algorithm>
#include <unordered_map>

#include "absl/strings/str_cat.h"
#include "storage/postgres/row_values.h"
#include "storage/postgres/statements.h"

namespace corefleet {
namespace {

// '{1,2}': a parameter of an array type, one element for each operation.
template <typename Op, typename ValueOf>
std::string Numbers(const std::vector<Op*>& ops, ValueOf value_of) {
  std::string array = "{";
  for (const Op* op : ops) absl::StrAppend(&array, array.size() == 1 ? "" : ",", value_of(*op));
  return array + "}";
}

template <typename Op, typename ValueOf>
std::string Texts(const std::vector<Op*>& ops, ValueOf value_of) {
  std::vector<std::string> texts;
  for (const Op* op : ops) texts.push_back(value_of(*op));
  return TextArray(texts);
}

// The bytes of all operations in one parameter, and where each one's are: arrays of bytea would double them.
struct Joined {
  std::string bytes, starts = "{", sizes = "{";
};

template <typename Op, typename ValueOf>
Joined Join(const std::vector<Op*>& ops, ValueOf value_of) {
  Joined joined;
  for (const Op* op : ops) {
    const std::string& value = value_of(*op);
    const char* separator = joined.starts.size() == 1 ? "" : ",";
    absl::StrAppend(&joined.starts, separator, joined.bytes.size() + 1);  // SQL counts from 1
    absl::StrAppend(&joined.sizes, separator, value.size());
    joined.bytes += value;
  }
  joined.starts += "}";
  joined.sizes += "}";
  return joined;
}

// Locks are taken in this order, so that two batches do not wait for each other in a circle.
template <typename Op>
std::vector<Op*> BySession(std::vector<Op*> ops) {
  std::stable_sort(ops.begin(), ops.end(), [](const Op* a, const Op* b) { return a->session < b->session; });
  return ops;
}

}  // namespace

void BeginAll(pqxx::transaction_base& transaction, const std::vector<BeginOp*>& unsorted) {
  std::vector<BeginOp*> ops = unsorted;
  std::stable_sort(ops.begin(), ops.end(), [](const BeginOp* a, const BeginOp* b) {
    return std::tie(a->device, a->uid) < std::tie(b->device, b->uid);
  });
  const Joined manifests = Join(ops, [](const BeginOp& op) -> const std::string& { return op.manifest; });
  const pqxx::result rows = transaction.exec_prepared(
      sql::kBeginSessions, Texts(ops, [](const BeginOp& op) { return op.id.value(); }),
      Texts(ops, [](const BeginOp& op) { return op.device.value(); }),
      Texts(ops, [](const BeginOp& op) { return op.uid.value(); }),
      Texts(ops, [](const BeginOp& op) { return ToTimestamp(op.expires_at); }),
      Texts(ops, [](const BeginOp& op) { return op.note; }),
      Numbers(ops, [](const BeginOp& op) { return static_cast<int>(op.want); }),
      Texts(ops, [](const BeginOp& op) { return op.rule; }),
      Numbers(ops, [](const BeginOp& op) { return op.weight; }),
      Texts(ops, [](const BeginOp& op) { return op.hints; }), ToBytea(manifests.bytes), manifests.starts,
      manifests.sizes);
  std::unordered_map<std::string, BeginOp*> by_id;
  for (BeginOp* op : ops) by_id[op->id.value()] = op;
  for (const pqxx::row& row : rows) by_id.at(row[0].as<std::string>())->settled = true;
}

void AddAll(pqxx::transaction_base& transaction, const std::vector<AddPackOp*>& unsorted) {
  const std::vector<AddPackOp*> ops = BySession(unsorted);
  const Joined indexes = Join(ops, [](const AddPackOp& op) -> const std::string& { return op.index; });
  const pqxx::result rows = transaction.exec_prepared(
      sql::kAddPacks, Texts(ops, [](const AddPackOp& op) { return op.session.value(); }),
      Texts(ops, [](const AddPackOp& op) { return op.ref.key; }),
      Numbers(ops, [](const AddPackOp& op) { return ToBigint(op.ref.offset); }),
      Numbers(ops, [](const AddPackOp& op) { return ToBigint(op.ref.size); }),
      Texts(ops, [](const AddPackOp& op) { return ToTimestamp(op.expires_at); }),
      Texts(ops, [](const AddPackOp& op) { return ToTimestamp(op.extend_before); }), ToBytea(indexes.bytes),
      indexes.starts, indexes.sizes);
  // The sessions that were open. Of the others it is not known why they were not.
  std::unordered_map<std::string, bool> open;
  for (const pqxx::row& row : rows) open[row[0].as<std::string>()] = true;
  for (AddPackOp* op : ops) op->settled = open.count(op->session.value()) != 0;
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
      sql::kFinishSessions, Texts(ops, [](const FinishOp& op) { return op.session.value(); }),
      Texts(ops, [](const FinishOp& op) { return op.crash.ToUuid(); }),
      Texts(ops, [](const FinishOp& op) { return op.crash.ToString(); }),
      Texts(ops, [](const FinishOp& op) { return ToTimestamp(op.crash.time()); }),
      Numbers(ops, [](const FinishOp& op) { return ToBigint(op.size.raw); }),
      Numbers(ops, [](const FinishOp& op) { return ToBigint(op.size.stored); }),
      Numbers(ops, [](const FinishOp& op) { return ToBigint(op.size.here); }));
  SettleFinished(rows, ops);
}

void FinishAllWithPacks(pqxx::transaction_base& transaction, const std::vector<LastPackOp*>& unsorted) {
  const std::vector<LastPackOp*> ops = BySession(unsorted);
  const Joined indexes = Join(ops, [](const LastPackOp& op) -> const std::string& { return op.index; });
  const pqxx::result rows = transaction.exec_prepared(
      sql::kFinishWithPacks, Texts(ops, [](const LastPackOp& op) { return op.session.value(); }),
      Texts(ops, [](const LastPackOp& op) { return op.crash.ToUuid(); }),
      Texts(ops, [](const LastPackOp& op) { return op.crash.ToString(); }),
      Texts(ops, [](const LastPackOp& op) { return ToTimestamp(op.crash.time()); }),
      Numbers(ops, [](const LastPackOp& op) { return ToBigint(op.size.raw); }),
      Numbers(ops, [](const LastPackOp& op) { return ToBigint(op.size.stored); }),
      Numbers(ops, [](const LastPackOp& op) { return ToBigint(op.size.here); }),
      Numbers(ops, [](const LastPackOp& op) { return ToBigint(op.pack_changes); }),
      Texts(ops, [](const LastPackOp& op) { return op.ref.key; }),
      Numbers(ops, [](const LastPackOp& op) { return ToBigint(op.ref.offset); }),
      Numbers(ops, [](const LastPackOp& op) { return ToBigint(op.ref.size); }), ToBytea(indexes.bytes),
      indexes.starts, indexes.sizes);
  SettleFinished(rows, ops);
}

}  // namespace corefleet
