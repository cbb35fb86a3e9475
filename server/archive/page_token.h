#ifndef COREFLEET_SERVER_ARCHIVE_PAGE_TOKEN_H_
#define COREFLEET_SERVER_ARCHIVE_PAGE_TOKEN_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/crash/ids.h"
#include "storage/crash_index.h"

namespace corefleet {

// A page token says where the next page of one filter's list starts. Opaque to clients.
std::string MakePageToken(const CrashFilter& filter, const CrashId& before);

// The empty id for an empty token: the first page.
//   INVALID_ARGUMENT  it is no token, or one of another filter
absl::StatusOr<CrashId> ParsePageToken(const CrashFilter& filter, absl::string_view token);

}  // namespace corefleet

#endif  // COREFLEET_SERVER_ARCHIVE_PAGE_TOKEN_H_
