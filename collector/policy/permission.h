#ifndef COREFLEET_COLLECTOR_POLICY_PERMISSION_H_
#define COREFLEET_COLLECTOR_POLICY_PERMISSION_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace corefleet {

// What a device does on a link whose bytes cost money.
enum class OnMeteredLink {
  kNever,    // wait for another link
  kLogOnly,  // send what the server asks the log alone of; the rest waits
  kAllow,
};

// Where a device stands at the moment that it would send.
struct Standing {
  bool consent_needed = false;
  bool consent_given = false;
  OnMeteredLink on_metered = OnMeteredLink::kNever;
  bool link_metered = false;
};

enum class Permission {
  kSend,
  kLogOnly,    // only what the server asks the log alone of
  kWait,       // not on this link
  kNoConsent,  // never: what waits is to be dropped
};

Permission PermissionFor(const Standing& standing);

// The network interface that packets to the world leave through, from the texts of /proc/net/route and
// /proc/net/ipv6_route; IPv4 is asked first, the smallest metric wins. "" when there is none.
std::string DefaultInterface(absl::string_view route, absl::string_view ipv6_route);

// True when `name` matches one of `patterns`, in which a '*' at the end stands for anything: "wwan*", "ppp0".
bool MatchesInterface(absl::string_view name, const std::vector<std::string>& patterns);

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_POLICY_PERMISSION_H_
