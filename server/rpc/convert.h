#ifndef COREFLEET_SERVER_RPC_CONVERT_H_
#define COREFLEET_SERVER_RPC_CONVERT_H_

#include "absl/status/statusor.h"
#include "core/manifest/manifest.h"
#include "corefleet/v1/archive.pb.h"
#include "corefleet/v1/crash.pb.h"
#include "corefleet/v1/ingest.pb.h"
#include "proto/convert/facts_to_proto.h"
#include "server/ingest/ingestor.h"
#include "storage/crash_index.h"

namespace corefleet {

// Between the domain's words and the wire's. Everything that came from a device leaves as valid UTF-8.

// INVALID_ARGUMENT for a root that has not 32 bytes, and for more regions than there may be. What else an
// offer may hold is checked in the domain. Hints are cut at 256 bytes and losses at 32; a time that is none
// is left out.
absl::StatusOr<CrashOffer> FromProto(const v1::BeginCrashRequest& request);
// Takes the payload out of `chunk`; the rest are views into it.
ReceivedChunk TakeFromProto(v1::Chunk* chunk);
void ToProto(const FinishedCrash& crash, v1::FinishCrashResponse* out);
// INVALID_ARGUMENT, saying which field, for unknown taint letters, states, devices and times.
absl::StatusOr<CrashFilter> FromProto(const v1::CrashFilter& filter);

void ToProto(const ChunkRange& range, v1::ChunkRange* out);
void ToProto(const SessionStatus& status, const IngestLimits& limits, v1::BeginCrashResponse* out);
// At most `max_ranges` of what is missing.
void ToProto(const SessionStatus& status, size_t max_ranges, v1::GetSessionResponse* out);

// The facts are those of proto/convert.
void ToProto(const StoredCrash& crash, Detail detail, v1::Crash* out);

}  // namespace corefleet

#endif  // COREFLEET_SERVER_RPC_CONVERT_H_
