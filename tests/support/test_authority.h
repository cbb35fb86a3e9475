#ifndef COREFLEET_TESTS_SUPPORT_TEST_AUTHORITY_H_
#define COREFLEET_TESTS_SUPPORT_TEST_AUTHORITY_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace corefleet {

// PEM texts.
struct TestCertificate {
  std::string certificate;
  std::string key;
};

// An authority that signs whatever a test wants, bytes that no authority would sign among it. Keys are P-256.
class TestAuthority {
 public:
  struct Names {
    std::vector<std::string> uris;  // as they are, whatever is in them
    std::vector<std::string> dns;
    std::vector<std::string> ips;  // "127.0.0.1"
    absl::Time not_before = absl::UnixEpoch();
    absl::Time not_after = absl::FromCivil(absl::CivilSecond(2090, 1, 1), absl::UTCTimeZone());
  };

  TestAuthority();
  ~TestAuthority();

  // PEM.
  const std::string& root() const;
  TestCertificate Sign(const Names& names) const;
  // A server's, for localhost and 127.0.0.1.
  TestCertificate SignServer() const { return Sign({.dns = {"localhost"}, .ips = {"127.0.0.1"}}); }

 private:
  struct Keys;
  const std::unique_ptr<Keys> keys_;
};

}  // namespace corefleet

#endif  // COREFLEET_TESTS_SUPPORT_TEST_AUTHORITY_H_
