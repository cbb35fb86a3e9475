#include "server/admission/device_table.h"

#include "absl/hash/hash.h"

namespace corefleet {

DeviceState* DeviceTable::Touch(const DeviceId& device) {
  const uint64_t key = absl::Hash<DeviceId>()(device);
  if (const auto found = devices_.find(key); found != devices_.end()) {
    by_age_.splice(by_age_.begin(), by_age_, found->second);
    return &by_age_.front().state;
  }
  if (devices_.size() >= capacity_) {
    devices_.erase(by_age_.back().key);
    by_age_.pop_back();
  }
  by_age_.push_front({key, fresh_});
  devices_[key] = by_age_.begin();
  return &by_age_.front().state;
}

}  // namespace corefleet
