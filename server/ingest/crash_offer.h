#ifndef COREFLEET_SERVER_INGEST_CRASH_OFFER_H_
#define COREFLEET_SERVER_INGEST_CRASH_OFFER_H_

#include <optional>
#include <string>

#include "core/manifest/manifest.h"
#include "server/ingest/device_account.h"
#include "storage/crash_index.h"

namespace corefleet {

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
