#include "core/pstore/grouping.h"

#include <algorithm>
#include <cstdlib>
#include <tuple>
#include <utility>

#include "absl/strings/strip.h"
#include "core/pstore/record_name.h"

namespace corefleet {
namespace {

// Parts of one dump are written one after the other, and firmware may be slow; so are the oops and the panic
// that it ends in.
constexpr int64_t kSameDeathSeconds = 60;
// erst numbers every error record of the machine, so a few of others may stand between two parts.
constexpr uint64_t kErstIdReach = 64;

// A file of a dump, as far as its name and its first line tell.
struct DumpFile {
  size_t index = 0;
  PstoreName name;  // backend "" when only the first line says that it is a dump
  std::string reason;
  std::optional<uint32_t> count;
  std::optional<uint32_t> part;
  std::optional<int64_t> seconds;
  uint64_t id() const { return name.id.value_or(0); }
};

std::optional<DumpFile> AsDump(const PstoreFile& file, size_t index) {
  std::optional<PstoreName> name = ParsePstoreName(file.name);
  const std::optional<RecordHeader> header = ParseRecordHeader(file.head);
  if (name ? name->type != PstoreName::Type::kDmesg : !header) return std::nullopt;
  DumpFile dump{.index = index, .name = name.value_or(PstoreName{}), .seconds = file.seconds};
  if (dump.name.backend == "efi") {
    const EfiRecordId id = SplitEfiId(dump.id());
    dump.seconds = static_cast<int64_t>(id.seconds);
    dump.count = id.count;
    dump.part = id.part;
  }
  if (header) {
    dump.reason = header->reason;
    dump.count = header->count;
    dump.part = header->part;
  }
  return dump;
}

uint64_t Distance(uint64_t a, uint64_t b) { return a > b ? a - b : b - a; }

// True where one of the two is not known, too.
bool SameMinute(const std::optional<int64_t>& a, const std::optional<int64_t>& b) {
  if (!a || !b) return true;
  return Distance(static_cast<uint64_t>(*a), static_cast<uint64_t>(*b)) <=
         static_cast<uint64_t>(kSameDeathSeconds);
}

// A record that is being put together; its parts in the order in which they were found.
struct Joining {
  PstoreRecord record;
  uint64_t last_id = 0;
};

bool HasPart(const PstoreRecord& record, uint32_t number) {
  return std::any_of(record.parts.begin(), record.parts.end(),
                     [&](const PstoreRecord::Part& part) { return part.number == number; });
}

bool Fits(const Joining& joining, const DumpFile& file) {
  const PstoreRecord& record = joining.record;
  // Each of ramoops' zones is a dump of its own: what does not fit into it is cut off.
  if (record.backend != file.name.backend || record.backend == "ramoops") return false;
  if (record.count != file.count) return false;
  if (!record.reason.empty() && !file.reason.empty() && record.reason != file.reason) return false;
  if (file.part && HasPart(record, *file.part)) return false;
  if (record.backend == "efi") return SameMinute(record.seconds, file.seconds);
  const uint64_t distance = Distance(file.id(), joining.last_id);
  if (!file.part) return distance == 1;
  return record.backend != "erst" || distance <= kErstIdReach;
}

void Join(const DumpFile& file, Joining* joining) {
  PstoreRecord& record = joining->record;
  if (record.reason.empty()) record.reason = file.reason;
  record.parts.push_back({.file = file.index, .number = file.part});
  joining->last_id = file.id();
}

Joining Begin(const DumpFile& file) {
  Joining joining{.record = {.backend = file.name.backend,
                             .reason = file.reason,
                             .count = file.count,
                             .seconds = file.seconds,
                             .id = file.id()}};
  Join(file, &joining);
  return joining;
}

// Ids rise from part 1 on, so the last file found is the oldest text; where parts have numbers these decide.
void OrderParts(PstoreRecord* record) {
  std::reverse(record->parts.begin(), record->parts.end());
  std::stable_sort(record->parts.begin(), record->parts.end(),
                   [](const PstoreRecord::Part& a, const PstoreRecord::Part& b) {
                     return a.number.value_or(0) > b.number.value_or(0);
                   });
}

bool IsNewer(const PstoreRecord& a, const PstoreRecord& b) {
  const auto rank = [](const PstoreRecord& record) {
    return std::make_tuple(record.seconds.value_or(-1), record.reason == "Panic", record.count.value_or(0),
                           record.id);
  };
  return rank(a) > rank(b);
}

// A dump after which the machine did not go on. A packed record does not say, and is taken for one.
bool EndsBoot(const PstoreRecord& record) { return record.reason != "Oops"; }

bool LedTo(const PstoreRecord& before, const PstoreRecord& after) {
  if (before.backend != after.backend || (before.reason != "Oops" && !before.reason.empty())) return false;
  return before.count && after.count && *before.count + uint64_t{1} == *after.count &&
         SameMinute(before.seconds, after.seconds);
}

// Of several that could have led to `after`, the one saved next to it.
std::optional<size_t> FindCause(const std::vector<PstoreRecord>& records, const std::vector<bool>& taken,
                                const PstoreRecord& after) {
  std::optional<size_t> best;
  for (size_t i = 0; i < records.size(); ++i) {
    if (taken[i] || !LedTo(records[i], after)) continue;
    if (!best || Distance(records[i].id, after.id) < Distance(records[*best].id, after.id)) best = i;
  }
  return best;
}

// Indexes of records, the death first and what led to it behind it.
std::vector<std::vector<size_t>> ChainRecords(const std::vector<PstoreRecord>& records) {
  std::vector<std::vector<size_t>> chains;
  std::vector<bool> taken(records.size(), false);
  for (const bool deaths : {true, false}) {
    for (size_t i = 0; i < records.size(); ++i) {
      if (taken[i] || EndsBoot(records[i]) != deaths) continue;
      std::vector<size_t> chain = {i};
      taken[i] = true;
      while (deaths) {
        const std::optional<size_t> cause = FindCause(records, taken, records[chain.back()]);
        if (!cause) break;
        taken[*cause] = true;
        chain.push_back(*cause);
      }
      chains.push_back(std::move(chain));
    }
  }
  std::sort(chains.begin(), chains.end());  // records are newest first, and so are chains by their death
  return chains;
}

void Finish(absl::Span<const PstoreFile> files, PstoreGroup* group) {
  std::sort(group->files.begin(), group->files.end());
  std::string first;
  for (const size_t file : group->files) {
    if (first.empty() || files[file].name < first) first = files[file].name;
  }
  group->key = std::string(absl::StripSuffix(first, ".enc.z"));
}

}  // namespace

std::vector<PstoreRecord> JoinParts(absl::Span<const PstoreFile> files) {
  std::vector<DumpFile> dumps;
  for (size_t i = 0; i < files.size(); ++i) {
    if (std::optional<DumpFile> dump = AsDump(files[i], i)) dumps.push_back(*std::move(dump));
  }
  std::stable_sort(dumps.begin(), dumps.end(), [&](const DumpFile& a, const DumpFile& b) {
    return std::make_tuple(a.id(), files[a.index].name) < std::make_tuple(b.id(), files[b.index].name);
  });
  std::vector<Joining> open;
  for (const DumpFile& dump : dumps) {
    const auto fits =
        std::find_if(open.begin(), open.end(), [&](const Joining& joining) { return Fits(joining, dump); });
    if (fits == open.end()) {
      open.push_back(Begin(dump));
    } else {
      Join(dump, &*fits);
    }
  }
  std::vector<PstoreRecord> records;
  for (Joining& joining : open) {
    OrderParts(&joining.record);
    records.push_back(std::move(joining.record));
  }
  std::stable_sort(records.begin(), records.end(), IsNewer);
  return records;
}

std::vector<PstoreGroup> GroupPstoreFiles(absl::Span<const PstoreFile> files) {
  const std::vector<PstoreRecord> records = JoinParts(files);
  std::vector<PstoreGroup> groups;
  std::vector<bool> is_dump(files.size(), false);
  for (const std::vector<size_t>& chain : ChainRecords(records)) {
    PstoreGroup group;
    for (const size_t record : chain) {
      for (const PstoreRecord::Part& part : records[record].parts) {
        group.files.push_back(part.file);
        is_dump[part.file] = true;
      }
    }
    groups.push_back(std::move(group));
  }
  PstoreGroup rest;
  for (size_t i = 0; i < files.size(); ++i) {
    if (!is_dump[i] && ParsePstoreName(files[i].name)) rest.files.push_back(i);
  }
  if (groups.empty() && !rest.files.empty()) {
    groups.push_back(std::move(rest));
  } else if (!groups.empty()) {
    groups[0].files.insert(groups[0].files.end(), rest.files.begin(), rest.files.end());
  }
  for (PstoreGroup& group : groups) Finish(files, &group);
  return groups;
}

}  // namespace corefleet
