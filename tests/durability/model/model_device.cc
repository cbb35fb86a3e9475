#include "tests/durability/model/model_device.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "storage/stored_regions.h"

namespace corefleet {
namespace {

constexpr uint64_t kMostRegionBytes = 150'000;  // three chunks

AnnouncedCrash MakeCrash(int number, Character character, Random* random) {
  std::vector<std::string> regions;
  for (uint64_t left = random->Between(1, 3); left > 0; --left) {
    regions.push_back(AnnouncedCrash::Noise(random->Between(1, kMostRegionBytes), random->Next()));
  }
  regions.push_back(absl::StrCat("crash ", number));
  AnnouncedCrash crash(std::move(regions));
  if (character == Character::kLiar) crash.manifest.regions[0].root[0] ^= 1;
  return crash;
}

}  // namespace

ModelDevice::ModelDevice(int number, Character character, Random random, Complain complain)
    : number_(number),
      character_(character),
      complain_(std::move(complain)),
      random_(random),
      crash_(MakeCrash(number, character, &random_)) {}

void ModelDevice::Say(const std::string& what) const {
  complain_(absl::StrCat("device ", number_, ": ", what));
}

void ModelDevice::Disconnect() {
  writer_ = nullptr;
  if (state_ != State::kDone) state_ = State::kBegin;
}

void ModelDevice::Step(Ingestor* ingestor) {
  switch (state_) {
    case State::kBegin:
      return Begin(ingestor);
    case State::kSend:
      return Send(ingestor);
    case State::kFinish:
      return Finish(ingestor);
    case State::kDone:
      // Sometimes the last answer never arrives, and the device asks again.
      if (has_crash() && random_.Below(8) == 0) Begin(ingestor);
      return;
  }
}

void ModelDevice::Begin(Ingestor* ingestor) {
  CrashOffer offer;
  offer.device = absl::StrCat("device-", number_);
  offer.manifest = crash_.manifest;
  const auto status = ingestor->Begin(DeviceCaller::Anyone(), offer);
  if (!status.ok()) return;
  if (!status->crash.empty()) return Finished(status->crash);
  if (!stored_.empty()) return Say("a crash that was acknowledged is not there any more");
  CheckPromises(*status);
  todo_.clear();
  for (const ChunkRange& range : status->missing) {
    for (uint64_t i = 0; i < range.count; ++i) todo_.emplace_back(range.region, range.first + i);
  }
  state_ = todo_.empty() ? State::kFinish : State::kSend;
}

void ModelDevice::CheckPromises(const SessionStatus& status) {
  if (status.session != session_) {
    if (!promised_.empty() && !may_be_gone_) Say("a session with acknowledged chunks is gone");
    session_ = status.session;
    promised_.clear();
    may_be_gone_ = false;
  }
  if (may_be_gone_) promised_.clear();
  for (const ChunkRange& range : status.missing) {
    for (uint64_t i = 0; i < range.count; ++i) {
      if (promised_.count({range.region, range.first + i}) == 0) continue;
      Say(absl::StrCat("region ", range.region, " chunk ", range.first + i,
                       " was acknowledged and is missing"));
    }
  }
}

void ModelDevice::Send(Ingestor* ingestor) {
  if (character_ == Character::kFickle && !abandoned_once_ && random_.Below(4) == 0) return Abandon(ingestor);
  if (random_.Below(20) == 0) return Disconnect();
  if (writer_ == nullptr) {
    auto writer = ingestor->OpenWriter(DeviceCaller::Anyone(), session_.value());
    if (!writer.ok()) return Disconnect();
    writer_ = *std::move(writer);
  }
  for (uint64_t left = random_.Between(1, 3); left > 0 && !todo_.empty(); --left) {
    const OwnedChunk chunk(crash_, todo_.front().first, todo_.front().second);
    if (const absl::Status added = writer_->Add(chunk.view()); !added.ok()) {
      Say(absl::StrCat("a good chunk was refused: ", added.ToString()));
      return Disconnect();
    }
    todo_.erase(todo_.begin());
  }
  if (todo_.empty() && random_.Below(2) == 0) return FlushAndFinish(ingestor);
  const bool now = todo_.empty() || random_.Below(3) == 0;
  if (now && !Flush()) return Disconnect();
  // As a server short of memory, whether it is or not.
  const bool aside = writer_->full() || random_.Below(2) == 0;
  if (aside && !MakeRoom()) return Disconnect();
  if (todo_.empty()) state_ = State::kFinish;
}

bool ModelDevice::Flush() {
  if (!writer_->Flush().ok()) return false;
  TakeAcks();
  return true;
}

bool ModelDevice::MakeRoom() {
  const bool made = writer_->MakeRoom().ok();
  TakeAcks();
  return made;
}

void ModelDevice::TakeAcks() {
  for (const ChunkRange& range : writer_->TakeAcks()) {
    for (uint64_t i = 0; i < range.count; ++i) promised_.emplace(range.region, range.first + i);
    acknowledged_ += static_cast<int>(range.count);
  }
}

void ModelDevice::FlushAndFinish(Ingestor* ingestor) {
  const auto finished = ingestor->FlushAndFinish(writer_.get());
  if (!finished.ok()) return Disconnect();
  TakeAcks();
  state_ = State::kFinish;
  if (!*finished) return;
  ++finished_with_last_;
  Finished((*finished)->crash);
}

void ModelDevice::Finish(Ingestor* ingestor) {
  const auto finished = ingestor->Finish(DeviceCaller::Anyone(), session_.value());
  if (finished.ok()) return Finished(finished->crash);
  // Its chunks are forgotten, or will be, whatever the answer was.
  if (character_ == Character::kLiar) may_be_gone_ = true;
  if (absl::IsDataLoss(finished.status())) {
    if (character_ != Character::kLiar) Say("the server has other bytes than were sent");
    return Abandon(ingestor);
  }
  if (absl::IsFailedPrecondition(finished.status()) && !may_be_gone_ && character_ != Character::kLiar) {
    Say(absl::StrCat("nothing was missing: ", finished.status().ToString()));
  }
  Disconnect();
}

void ModelDevice::Finished(const CrashId& crash) {
  if (!has_crash()) Say("bytes that do not match their root became a crash");
  if (!stored_.empty() && stored_ != crash) Say("one crash is stored twice");
  stored_ = crash;
  writer_ = nullptr;
  state_ = State::kDone;
}

void ModelDevice::Abandon(Ingestor* ingestor) {
  abandoned_once_ = true;
  may_be_gone_ = true;
  const absl::Status status = ingestor->Abandon(DeviceCaller::Anyone(), session_.value());
  Disconnect();
  if (character_ == Character::kLiar && status.ok()) state_ = State::kDone;
}

void ModelDevice::Check(CrashIndex* index, PackStore* store) const {
  const auto contents = index->Contents(stored_);
  if (!contents.ok()) return Say(absl::StrCat("its crash: ", contents.status().ToString()));
  const auto stored = OpenStoredRegions(*contents, store);
  if (!stored.ok()) return Say(absl::StrCat("its crash: ", stored.status().ToString()));
  if (!stored->unsent.empty()) Say("a part of its crash is missing");
  const std::vector<Region>& regions = stored->set.regions;
  for (size_t i = 0; i < regions.size(); ++i) {
    if (regions[i].bytes == nullptr) continue;
    const std::string& sent = crash_.regions()[i];
    const auto bytes = ReadBytes(*regions[i].bytes, 0, sent.size());
    if (!bytes.ok()) {
      Say(absl::StrCat("region ", i, ": ", bytes.status().ToString()));
    } else if (TextOf(*bytes) != sent) {
      Say(absl::StrCat("region ", i, " has other bytes than were sent"));
    }
  }
}

}  // namespace corefleet
