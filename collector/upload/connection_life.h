#ifndef COREFLEET_COLLECTOR_UPLOAD_CONNECTION_LIFE_H_
#define COREFLEET_COLLECTOR_UPLOAD_CONNECTION_LIFE_H_

#include <cstdint>
#include <limits>

namespace corefleet {

// Learns how much a link carries before it breaks. Some cut every connection at nearly the same place: a
// proxy with a limit, a modem that drops a session after some kilobytes. There, whatever is on the way at the
// cut travels twice, each time; who ends the connection a little before, and begins a new one, sends nothing
// twice. Not thread-safe.
class ConnectionLife {
 public:
  static constexpr uint64_t kUnlimited = std::numeric_limits<uint64_t>::max();

  // Encoded bytes that the next connection should carry at most before it is ended on purpose.
  uint64_t allowance() const { return allowance_; }

  // A connection broke after the server had acknowledged `durable` encoded bytes on it. Two breaks in a row
  // at about the same place are a pattern. One without any progress is not a matter of bytes and says
  // nothing.
  void Broke(uint64_t durable);
  // A connection was ended on purpose and all of it was acknowledged. Now and then the allowance grows a
  // little, so that a link that became better is found out.
  void EndedOnPurpose();

 private:
  uint64_t allowance_ = kUnlimited;
  uint64_t last_break_ = 0;
  int good_ = 0;
};

}  // namespace corefleet

#endif  // COREFLEET_COLLECTOR_UPLOAD_CONNECTION_LIFE_H_
