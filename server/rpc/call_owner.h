#ifndef COREFLEET_SERVER_RPC_CALL_OWNER_H_
#define COREFLEET_SERVER_RPC_CALL_OWNER_H_

#include <string>

namespace corefleet {

// Whose calls are counted together, and how many of them there may be at a time. A value type.
struct CallOwner {
  std::string name;  // empty: nobody in particular
  int most = 0;
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_RPC_CALL_OWNER_H_
