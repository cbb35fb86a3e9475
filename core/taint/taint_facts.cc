#include "core/taint/taint_facts.h"

#include <algorithm>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/bytes/byte_reader.h"
#include "core/oops/panic_line.h"

namespace corefleet {
namespace {

constexpr uint64_t kMaxTaintFlags = 4096;
constexpr uint64_t kMaskBytes = 8;
// Distributions use bits up to 31 for themselves. A mask with more is no mask.
constexpr uint32_t kHighestBits = 32;

// Where a report starts. Searched for at the start of a line; "watchdog: BUG:" and the like are listed with
// their prefix.
constexpr absl::string_view kHeaders[] = {
    "------------[ cut here ]------------",
    "BUG: ",
    "WARNING: ",
    "kernel BUG at ",
    "Kernel BUG at ",
    "Unable to handle ",
    "Internal error: ",
    "Oops: ",
    "general protection fault",
    "divide error: ",
    "invalid opcode: ",
    "watchdog: ",
    "Watchdog detected ",
    "rcu: INFO: ",
    "INFO: ",
    "SError Interrupt ",
    "Unhandled ",
    "UBSAN: ",
};
constexpr absl::string_view kEndOfReport = "---[ end trace ";

bool IsHeader(absl::string_view line) {
  return std::any_of(std::begin(kHeaders), std::end(kHeaders),
                     [&](absl::string_view header) { return absl::StartsWith(line, header); });
}

// The taint in the first record of the kernel's own, from `first` on, that has one.
std::optional<TaintText> FirstTaint(const KernelLog& log, size_t first, const TaintTable& table) {
  for (size_t i = first; i < log.records.size(); ++i) {
    if (log.records[i].facility != 0) continue;
    if (const auto taint = ParseTaintText(log.records[i].text, table)) return taint;
  }
  return {};
}

std::optional<TaintText> LastReport(const KernelLog& log, size_t end, const TaintTable& table) {
  std::optional<TaintText> last;
  bool open = false;  // inside a report that has said its taint
  for (size_t i = 0; i < end; ++i) {
    const LogRecord& record = log.records[i];
    if (record.facility != 0) continue;
    if (IsHeader(record.text) || absl::StartsWith(record.text, kEndOfReport)) open = false;
    const std::optional<TaintText> taint = ParseTaintText(record.text, table);
    if (!taint || open) continue;
    last = taint;
    open = true;
  }
  return last;
}

// What the log says last: the nearest to the final mask that text can come.
std::optional<uint64_t> LastTaint(const KernelLog& log, const TaintTable& table) {
  for (size_t i = log.records.size(); i-- > 0;) {
    if (log.records[i].facility != 0) continue;
    if (const auto taint = ParseTaintText(log.records[i].text, table)) return taint->mask;
  }
  return {};
}

bool HasBitsFrom(uint64_t mask, uint32_t bit) { return bit < 64 && mask >> bit != 0; }

MaybeFact<uint64_t> ReadMask(const ImageRegions& regions, const TaintTable& table,
                             std::vector<Defect>* defects) {
  if (const auto region = regions.WithId(RegionId::kTaintedMask, kMaskBytes + 1)) {
    const size_t size = region->bytes.size();
    const uint64_t mask =
        size == 4 || size == 8 ? LoadInteger(region->bytes, size, Endian::kLittle) : UINT64_MAX;
    if (!HasBitsFrom(mask, kHighestBits)) return Fact<uint64_t>{mask, region->from};
    defects->push_back({DefectCode::kFactImplausible, "", absl::StrFormat("tainted_mask: 0x%x", mask)});
  }
  // Not in VMCOREINFO: only its place tells, so its value must be above suspicion.
  if (const auto region = regions.RightBefore(RegionId::kTaintFlags, "PG", kMaskBytes)) {
    const uint64_t mask = LoadInteger(region->bytes, kMaskBytes, Endian::kLittle);
    if (!HasBitsFrom(mask, table.bits())) return Fact<uint64_t>{mask, region->from};
  }
  return {};
}

TaintTable ReadTable(const ImageRegions& regions, std::vector<Defect>* defects) {
  const auto region = regions.WithId(RegionId::kTaintFlags, kMaxTaintFlags);
  std::optional<TaintTable> table;
  if (region) table = TaintTable::FromRegion(region->bytes);
  if (!table) return TaintTable();
  if (table->differs()) {
    defects->push_back({DefectCode::kFactConflict, "",
                        absl::StrCat("taint letters: this kernel's own are ",
                                     table->Letters(~uint64_t{0} >> (64 - table->bits())))});
  }
  return *table;
}

}  // namespace

std::optional<TaintText> TaintBeforeDeath(const KernelLog& log, const TaintTable& table) {
  const std::optional<PanicLine> panic = FindPanicLine(log);
  if (!panic) return LastReport(log, log.records.size(), table);
  if (!IsConsequence(panic->reason)) {
    if (const auto own = FirstTaint(log, panic->record, table)) return own;
  }
  return LastReport(log, panic->record, table);
}

void ReadTaintFacts(const ImageRegions& regions, const KernelLog& log, CrashFacts* facts) {
  const TaintTable table = ReadTable(regions, &facts->defects);
  TaintFacts& taint = facts->taint;
  taint.mask = ReadMask(regions, table, &facts->defects);
  if (!taint.mask) {
    if (const auto said = LastTaint(log, table)) taint.mask = Fact<uint64_t>{*said, Provenance::kLogText};
  }
  if (taint.mask) taint.letters = table.Letters(taint.mask->value);
  if (const auto before = TaintBeforeDeath(log, table)) {
    taint.before_mask = Fact<uint64_t>{before->mask, Provenance::kLogText};
  }
}

}  // namespace corefleet
