#ifndef COREFLEET_SERVER_ADMISSION_DEVICE_TABLE_H_
#define COREFLEET_SERVER_ADMISSION_DEVICE_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <list>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "core/crash/ids.h"

namespace corefleet {

// What is remembered of one device between its calls.
struct DeviceState {
  double crashes = 0;                          // that it may bring now, at most the burst
  absl::Time refilled = absl::InfinitePast();  // when `crashes` was true
  absl::Time turn = absl::InfinitePast();      // its place in the queue; InfinitePast: it has none
  absl::Time reported = absl::InfinitePast();  // its last account was taken
  uint64_t report = 0;                         // a fingerprint of that account
};

// The devices that called last, at most `capacity`. Who is evicted is as good as new: it has its whole burst,
// and no place in the queue. With 100,000 devices' room an attacker needs as many names to make the server
// forget one, and gains one burst by it. Not thread-safe.
class DeviceTable {
 public:
  DeviceTable(size_t capacity, const DeviceState& fresh) : capacity_(capacity), fresh_(fresh) {}

  // The device's state, made if there is none. Valid until the next call.
  DeviceState* Touch(const DeviceId& device);
  size_t size() const { return devices_.size(); }

 private:
  struct Entry {
    uint64_t key;
    DeviceState state;
  };

  const size_t capacity_;
  const DeviceState fresh_;
  std::list<Entry> by_age_;  // the one that called last in front
  // By a hash of the name, seeded for each process: two names with one hash share a bucket, and nobody can
  // choose them.
  absl::flat_hash_map<uint64_t, std::list<Entry>::iterator> devices_;
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_ADMISSION_DEVICE_TABLE_H_
