#ifndef COREFLEET_SERVER_INGEST_CRASH_OFFER_H_
#define COREFLEET_SERVER_INGEST_CRASH_OFFER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/manifest/manifest.h"
#include "storage/crash_index.h"

namespace corefleet {

// What became of crashes on the device that never got as far as an offer (proto DeviceAccount). Untrusted.
struct DeviceAccount {
  std::string epoch;
  std::vector<ReasonCount> lost;  // the device's own words, since the epoch began
  uint64_t spooled = 0;           // crashes that wait on the device now

  friend bool operator==(const DeviceAccount&, const DeviceAccount&) = default;
};

// What a BeginCrash says, with nothing of it checked but the number of regions.
struct CrashOffer {
  std::string device;  // as the message names it; who really calls is the DeviceCaller's business
  Manifest manifest;
  std::string note;
  CrashHints hints;
  std::optional<DeviceAccount> account;
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_INGEST_CRASH_OFFER_H_
