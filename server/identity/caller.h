#ifndef COREFLEET_SERVER_IDENTITY_CALLER_H_
#define COREFLEET_SERVER_IDENTITY_CALLER_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/crash/ids.h"

namespace corefleet {

// Who is at the other end of a call on the devices' port. Comes from the connection alone, never from a
// message. A value type.
class DeviceCaller {
 public:
  // Plaintext on loopback: whoever can reach the port may speak for every device.
  static DeviceCaller Anyone() { return DeviceCaller(std::nullopt, true); }
  // A device with a certificate of its own.
  static DeviceCaller Device(DeviceId device) { return DeviceCaller(std::move(device), false); }
  // A host with a gateway's certificate, which uploads for devices that have no network.
  static DeviceCaller Gateway(DeviceId name) { return DeviceCaller(std::move(name), true); }

  // The device that a message which names `named` is about.
  //   PERMISSION_DENIED  it names another device than the certificate
  //   INVALID_ARGUMENT   `named` cannot be a device's name, or is empty where only the message can say
  absl::StatusOr<DeviceId> Speaking(absl::string_view named) const;

  // True when the sessions of `device` are the caller's business. For those of others answer NOT_FOUND: that
  // they exist is nobody else's knowledge.
  bool MayAct(const DeviceId& device) const;

  // The device that the caller is, and speaks for alone; null for who may speak for others.
  const DeviceId* only() const { return certified_ && !for_others_ ? &*certified_ : nullptr; }

 private:
  DeviceCaller(std::optional<DeviceId> certified, bool for_others)
      : certified_(std::move(certified)), for_others_(for_others) {}

  std::optional<DeviceId> certified_;
  bool for_others_;
};

// What an engineer may do. Each may do what those before it may. The words are those of certificates and
// token files.
enum class EngineerRole {
  kNone = 0,
  kViewer = 1,    // facts and logs
  kEngineer = 2,  // and memory: cores, regions, ranges
  kAdmin = 3,     // and change things: delete, pin, merge, reanalyze
};

// "none", "viewer", "engineer", "admin".
absl::string_view EngineerRoleName(EngineerRole role);
// INVALID_ARGUMENT for any other word.
absl::StatusOr<EngineerRole> ParseEngineerRole(absl::string_view word);

// Who is at the other end of a call on the engineers' port.
struct EngineerCaller {
  std::string name;  // of the certificate or the token, for the audit log; "anyone" in plaintext on loopback
  EngineerRole role = EngineerRole::kNone;
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_IDENTITY_CALLER_H_
