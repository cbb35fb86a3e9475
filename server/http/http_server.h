#ifndef COREFLEET_SERVER_HTTP_HTTP_SERVER_H_
#define COREFLEET_SERVER_HTTP_HTTP_SERVER_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/identity/tls_material.h"

namespace corefleet {

// The HTTP port: what monitoring asks.
//
//   /metrics  Prometheus' text format
//   /healthz  200 while the process lives
//   /readyz   200 when crashes can be taken and given; else 503 with the reason
//   /         which ports there are
//
// A few threads, bounded, with timeouts: a client that stalls holds one of them for seconds at most.
class HttpServer {
 public:
  struct Pages {
    std::function<std::string()> metrics;
    // Thread-safe, does not block for long.
    std::function<absl::Status()> ready;
    std::string front;  // plain text
  };

  // `host` is a name or an address, without brackets; port 0 takes a free one. With `tls`, TLS 1.3 only, with
  // what `tls` holds at the time of each connection; without, plaintext.
  //   UNAVAILABLE  the address cannot be listened on
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const std::string& host, int port, Pages pages,
                                                           std::shared_ptr<const TlsIdentity> tls = nullptr);
  // Stops at once.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  int port() const;

 private:
  class Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  const std::unique_ptr<Impl> impl_;
};

}  // namespace corefleet

#endif  // COREFLEET_SERVER_HTTP_HTTP_SERVER_H_
