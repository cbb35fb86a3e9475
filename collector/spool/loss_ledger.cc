#include "collector/spool/loss_ledger.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "core/bytes/byte_reader.h"
#include "core/digest/digest.h"

namespace corefleet {
namespace {

constexpr absl::string_view kMagic("CFLEDG\x01\n", 8);
constexpr char kFreshName[] = "ledger.new";
constexpr size_t kEpochBytes = 32;
constexpr size_t kMaxBootId = 64;

void PutInteger(std::string* out, uint64_t value, size_t width) {
  for (size_t i = 0; i < width; ++i) out->push_back(static_cast<char>(value >> (8 * i)));
}

void PutNumbers(std::string* out, const std::vector<uint64_t>& numbers) {
  PutInteger(out, numbers.size(), 2);
  for (const uint64_t number : numbers) PutInteger(out, number, 8);
}

std::vector<uint64_t> GetNumbers(ByteReader* reader, size_t limit) {
  const size_t count = std::min<size_t>(reader->U16(), limit);
  std::vector<uint64_t> numbers(count);
  for (uint64_t& number : numbers) number = reader->U64();
  return numbers;
}

void PutAccount(std::string* out, const LossAccount& account) {
  absl::StrAppend(out, account.epoch);
  PutInteger(out, account.counts.size(), 1);
  for (const uint64_t count : account.counts) PutInteger(out, count, 8);
}

// Counts of reasons that only a later version knows are lost when an earlier one runs again.
LossAccount GetAccount(ByteReader* reader) {
  LossAccount account{.epoch = std::string(TextOf(reader->Bytes(kEpochBytes)))};
  const size_t count = reader->U8();
  for (size_t i = 0; i < count; ++i) {
    const uint64_t value = reader->U64();
    if (i < account.counts.size()) account.counts[i] = value;
  }
  return account;
}

LossAccount Difference(const LossAccount& now, const LossAccount& before) {
  LossAccount difference;
  for (size_t i = 0; i < now.counts.size(); ++i)
    difference.counts[i] = now.counts[i] - std::min(now.counts[i], before.counts[i]);
  return difference;
}

}  // namespace

std::string EncodePage(const LedgerPage& page) {
  std::string out(kMagic);
  for (const uint64_t number : {page.generation, page.next_id, page.up_seconds, page.boot_seconds})
    PutInteger(&out, number, 8);
  PutInteger(&out, std::min(page.boot_id.size(), kMaxBootId), 1);
  absl::StrAppend(&out, absl::string_view(page.boot_id).substr(0, kMaxBootId));
  PutInteger(&out, page.accounts.size(), 1);
  for (const LossAccount& account : page.accounts) PutAccount(&out, account);
  PutNumbers(&out, page.going);
  PutNumbers(&out, page.seen);
  out.resize(kLedgerSlotBytes - 4, '\0');
  PutInteger(&out, Crc32c(BytesOf(out)), 4);
  return out;
}

absl::StatusOr<LedgerPage> DecodePage(ByteView slot) {
  const absl::Status damaged = absl::DataLossError("no page of a loss ledger");
  if (slot.size() != kLedgerSlotBytes) return damaged;
  const uint64_t crc = LoadInteger(slot.last(4), 4, Endian::kLittle);
  if (crc != Crc32c(slot.first(kLedgerSlotBytes - 4))) return damaged;
  ByteReader reader(slot.first(kLedgerSlotBytes - 4));
  if (TextOf(reader.Bytes(kMagic.size())) != kMagic) return damaged;
  LedgerPage page;
  for (uint64_t* number : {&page.generation, &page.next_id, &page.up_seconds, &page.boot_seconds})
    *number = reader.U64();
  page.boot_id = std::string(TextOf(reader.Bytes(reader.U8())));
  const size_t accounts = reader.U8();
  for (size_t i = 0; i < accounts && i < kMaxAccounts; ++i) page.accounts.push_back(GetAccount(&reader));
  page.going = GetNumbers(&reader, kMaxGoing);
  page.seen = GetNumbers(&reader, kMaxSeen);
  if (!reader.ok() || page.accounts.empty() || page.generation == 0) return damaged;
  return page;
}

LossLedger::LossLedger(SpoolFolder* folder, std::function<std::string()> new_epoch)
    : folder_(folder), new_epoch_(std::move(new_epoch)) {
  if (const auto file = folder_->Read(kFileName); file.ok()) {
    for (const uint64_t slot : {0, 1}) {
      std::vector<uint8_t> bytes(kLedgerSlotBytes);
      if (!(*file)->ReadAt(slot * kLedgerSlotBytes, absl::MakeSpan(bytes)).ok()) continue;
      const auto page = DecodePage(bytes);
      if (page.ok() && page->generation > saved_.generation) saved_ = *page;
    }
  }
  page_ = saved_;
  if (page_.accounts.empty()) page_.accounts.push_back({.epoch = new_epoch_()});
}

bool LossLedger::WasGoing(SpoolId id) const {
  return std::find(page_.going.begin(), page_.going.end(), id) != page_.going.end();
}

absl::Status LossLedger::CountGoing(absl::Span<const std::pair<SpoolId, LossReason>> entries) {
  for (const auto& [id, reason] : entries) {
    page_.going.push_back(id);
    ++growing().counts[static_cast<size_t>(reason)];
  }
  return Save();
}

void LossLedger::Uncount(absl::Span<const std::pair<SpoolId, LossReason>> entries) {
  for (const auto& [id, reason] : entries) {
    page_.going.erase(std::remove(page_.going.begin(), page_.going.end(), id), page_.going.end());
    uint64_t& count = growing().counts[static_cast<size_t>(reason)];
    count -= std::min<uint64_t>(count, 1);
  }
}

void LossLedger::Gone(absl::Span<const SpoolId> ids) {
  const auto gone = [ids](SpoolId id) { return std::find(ids.begin(), ids.end(), id) != ids.end(); };
  page_.going.erase(std::remove_if(page_.going.begin(), page_.going.end(), gone), page_.going.end());
}

absl::Status LossLedger::CountOnce(LossReason reason, uint64_t mark) {
  std::vector<uint64_t>& seen = page_.seen;
  if (mark != 0) {
    if (std::find(seen.begin(), seen.end(), mark) != seen.end()) return absl::OkStatus();
    if (seen.size() == kMaxSeen) seen.erase(seen.begin());
    seen.push_back(mark);
  }
  ++growing().counts[static_cast<size_t>(reason)];
  return Save();
}

absl::Status LossLedger::Save() {
  // More would not fit; the files of the oldest are long gone, or will be counted again by whoever damages
  // the file system so often.
  if (page_.going.size() > kMaxGoing)
    page_.going.erase(page_.going.begin(), page_.going.end() - static_cast<ptrdiff_t>(kMaxGoing));
  const absl::Status status = Write();
  unsaved_ = !status.ok();
  if (!status.ok()) TurnOver();
  return status;
}

absl::Status LossLedger::MakeFile() {
  RETURN_IF_ERROR(folder_->Remove(kFreshName));
  ASSIGN_OR_RETURN(const std::unique_ptr<SpoolFile> file, folder_->Create(kFreshName));
  RETURN_IF_ERROR(file->WriteAt(0, BytesOf(std::string(2 * kLedgerSlotBytes, '\0'))));
  RETURN_IF_ERROR(file->Sync());
  RETURN_IF_ERROR(folder_->Rename(kFreshName, kFileName));
  return folder_->SyncNames();
}

absl::Status LossLedger::Write() {
  absl::StatusOr<std::unique_ptr<SpoolFile>> file = folder_->Change(kFileName);
  if (absl::IsNotFound(file.status())) {
    RETURN_IF_ERROR(MakeFile());
    file = folder_->Change(kFileName);
  }
  RETURN_IF_ERROR(file.status());
  LedgerPage page = page_;
  page.generation = saved_.generation + 1;
  RETURN_IF_ERROR((*file)->WriteAt((page.generation % 2) * kLedgerSlotBytes, BytesOf(EncodePage(page))));
  RETURN_IF_ERROR((*file)->Sync());
  page_ = saved_ = std::move(page);
  return absl::OkStatus();
}

void LossLedger::TurnOver() {
  if (saved_.accounts.empty() || growing().epoch != saved_.accounts.back().epoch) return;
  LossAccount unsaved = Difference(growing(), saved_.accounts.back());
  if (unsaved.total() == 0 || page_.accounts.size() == kMaxAccounts) return;
  growing() = saved_.accounts.back();
  unsaved.epoch = new_epoch_();
  // Of an epoch without losses there is nothing to report.
  if (growing().total() == 0) page_.accounts.pop_back();
  page_.accounts.push_back(std::move(unsaved));
}

void LossLedger::Reported(const LossAccount& account) {
  if (page_.accounts.size() > 1 && ToReport() == account) page_.accounts.erase(page_.accounts.begin());
}

}  // namespace corefleet
