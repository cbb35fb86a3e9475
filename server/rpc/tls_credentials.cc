#include "server/rpc/tls_credentials.h"

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>

#include <cstdlib>
#include <utility>

#include "base/log.h"
#include "server/rpc/tls_buffers.h"

namespace corefleet {
namespace {

// gRPC's C++ interface takes certificates once; its C interface, which is as public, asks for them at every
// handshake.
class ReloadedTlsCredentials final : public grpc::ServerCredentials {
 public:
  ReloadedTlsCredentials(std::shared_ptr<const TlsIdentity> identity,
                         grpc_ssl_client_certificate_request_type request)
      : identity_(std::move(identity)),
        credentials_(grpc_ssl_server_credentials_create_with_options(
            grpc_ssl_server_credentials_create_options_using_config_fetcher(request, &Fetch, this))) {}
  ~ReloadedTlsCredentials() override { grpc_server_credentials_release(credentials_); }

  // Who may do what is the rim's business.
  void SetAuthMetadataProcessor(const std::shared_ptr<grpc::AuthMetadataProcessor>&) override {
    std::abort();
  }

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    return grpc_server_add_http2_port(server, address.c_str(), credentials_);
  }

  // gRPC calls this before each handshake, one at a time.
  static grpc_ssl_certificate_config_reload_status Fetch(void* self,
                                                         grpc_ssl_server_certificate_config** config) {
    return static_cast<ReloadedTlsCredentials*>(self)->FetchChanged(config);
  }
  grpc_ssl_certificate_config_reload_status FetchChanged(grpc_ssl_server_certificate_config** config) {
    std::shared_ptr<const TlsMaterial> material = identity_->current();
    if (material == given_) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    const grpc_ssl_pem_key_cert_pair pair = {material->private_key.c_str(),
                                             material->certificate_chain.c_str()};
    const char* roots = material->client_roots.empty() ? nullptr : material->client_roots.c_str();
    *config = grpc_ssl_server_certificate_config_create(roots, &pair, 1);
    if (*config == nullptr) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_FAIL;
    given_ = std::move(material);
    return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
  }

  const std::shared_ptr<const TlsIdentity> identity_;
  std::shared_ptr<const TlsMaterial> given_;
  grpc_server_credentials* const credentials_;  // last: making it may fetch
};

}  // namespace

void SpeakOnlyTls13() {
  static const bool once = setenv("GRPC_SSL_CIPHER_SUITES", "PSK-AES128-GCM-SHA256", /*overwrite=*/1) == 0;
  if (!once) Log(LogLevel::kError, "cannot choose TLS ciphers");
}

std::shared_ptr<grpc::ServerCredentials> MakeTlsCredentials(std::shared_ptr<const TlsIdentity> identity,
                                                            ClientCertificates clients) {
  SpeakOnlyTls13();
  ReleaseIdleTlsBuffers();
  const auto request = clients == ClientCertificates::kRequired
                           ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                           : GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY;
  return std::make_shared<ReloadedTlsCredentials>(std::move(identity), request);
}

}  // namespace corefleet
