#ifndef COREFLEET_BASE_STRONG_ID_H_
#define COREFLEET_BASE_STRONG_ID_H_

#include <compare>
#include <string>
#include <utility>

namespace corefleet {

// A string that is an identity of one kind, so that a device cannot be passed where a crash is wanted. `Tag`
// is any incomplete type. Compares and hashes by value.
//
//   using DeviceId = StrongId<struct DeviceIdTag>;
template <typename Tag>
class StrongId {
 public:
  StrongId() = default;
  explicit StrongId(std::string value) : value_(std::move(value)) {}

  const std::string& value() const { return value_; }
  bool empty() const { return value_.empty(); }

  friend bool operator==(const StrongId&, const StrongId&) = default;
  friend auto operator<=>(const StrongId&, const StrongId&) = default;

  template <typename H>
  friend H AbslHashValue(H h, const StrongId& id) {
    return H::combine(std::move(h), id.value_);
  }

 private:
  std::string value_;
};

}  // namespace corefleet

#endif  // COREFLEET_BASE_STRONG_ID_H_
