#ifndef COREFLEET_SERVER_INGEST_UNGUESSABLE_H_
#define COREFLEET_SERVER_INGEST_UNGUESSABLE_H_

#include "absl/time/time.h"
#include "core/crash/ids.h"

namespace corefleet {

// Fresh identities from the kernel's random source. A session's id is the right to continue it, so it must
// not be guessable; a crash's id only has to be unique. The process dies when the kernel gives no random
// bytes.
SessionId NewSessionId();
CrashId NewCrashId(absl::Time received_at);

}  // namespace corefleet

#endif  // COREFLEET_SERVER_INGEST_UNGUESSABLE_H_
