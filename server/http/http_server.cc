#include "server/http/http_server.h"

#include <httplib.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <exception>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"

namespace corefleet {
namespace {

constexpr size_t kThreads = 4;
constexpr int kTimeoutSeconds = 5;
constexpr size_t kMaxRequestBytes = 64 * 1024;
constexpr char kMetricsType[] = "text/plain; version=0.0.4; charset=utf-8";
constexpr char kPlain[] = "text/plain; charset=utf-8";

void Route(const HttpServer::Pages& pages, httplib::Server* server) {
  server->Get("/metrics", [&pages](const httplib::Request&, httplib::Response& response) {
    response.set_content(pages.metrics(), kMetricsType);
  });
  server->Get("/healthz", [](const httplib::Request&, httplib::Response& response) {
    response.set_content("ok\n", kPlain);
  });
  server->Get("/readyz", [&pages](const httplib::Request&, httplib::Response& response) {
    const absl::Status ready = pages.ready();
    response.status = ready.ok() ? 200 : 503;
    response.set_content(ready.ok() ? "ok\n" : absl::StrCat(ready.message(), "\n"), kPlain);
  });
  server->Get("/", [&pages](const httplib::Request&, httplib::Response& response) {
    response.set_content(pages.front, kPlain);
  });
}

void Limit(httplib::Server* server) {
  server->new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
  server->set_read_timeout(kTimeoutSeconds);
  server->set_write_timeout(kTimeoutSeconds);
  server->set_keep_alive_timeout(kTimeoutSeconds);
  server->set_payload_max_length(kMaxRequestBytes);
  // httplib's own default is SO_REUSEPORT: a second server would share the port instead of failing.
  server->set_socket_options([](int socket) {
    const int yes = 1;
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  });
  server->set_exception_handler(
      [](const httplib::Request&, httplib::Response& response, std::exception_ptr e) {
        std::string what = "not a std::exception";
        try {
          if (e) std::rethrow_exception(e);
        } catch (const std::exception& thrown) {
          what = thrown.what();
        } catch (...) {
        }
        Log(LogLevel::kError, "exception in an http call", {{"what", what}});
        response.status = 500;
      });
}

struct FreeSsl {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};

// Gives a connection the chain and the key that are in force. 0: it cannot, and the handshake fails.
int Show(SSL* ssl, const TlsMaterial& material) {
  const auto read = [](const std::string& text) {
    return std::unique_ptr<BIO, FreeSsl>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  };
  const auto chain = read(material.certificate_chain);
  const std::unique_ptr<X509, FreeSsl> own(PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr));
  const std::unique_ptr<EVP_PKEY, FreeSsl> key(
      PEM_read_bio_PrivateKey(read(material.private_key).get(), nullptr, nullptr, nullptr));
  if (SSL_use_certificate(ssl, own.get()) != 1 || SSL_use_PrivateKey(ssl, key.get()) != 1) return 0;
  while (X509* above = PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr)) {
    if (SSL_add0_chain_cert(ssl, above) != 1) return 0;
  }
  ERR_clear_error();  // the end of the text
  return 1;
}

int ShowCurrent(SSL* ssl, void* identity) {
  return Show(ssl, *static_cast<const TlsIdentity*>(identity)->current());
}

std::unique_ptr<httplib::Server> MakeServer(const TlsIdentity* tls) {
  if (tls == nullptr) return std::make_unique<httplib::Server>();
  return std::make_unique<httplib::SSLServer>([tls](SSL_CTX& context) {
    SSL_CTX_set_cert_cb(&context, &ShowCurrent, const_cast<TlsIdentity*>(tls));
    return SSL_CTX_set_min_proto_version(&context, TLS1_3_VERSION) == 1;
  });
}

}  // namespace

class HttpServer::Impl {
 public:
  Impl(Pages pages, std::shared_ptr<const TlsIdentity> tls)
      : pages_(std::move(pages)), tls_(std::move(tls)), server_(MakeServer(tls_.get())) {
    Limit(server_.get());
    Route(pages_, server_.get());
  }
  ~Impl() {
    server_->stop();
    if (thread_.joinable()) thread_.join();
  }

  absl::Status Listen(const std::string& host, int port) {
    port_ = port == 0 ? server_->bind_to_any_port(host) : server_->bind_to_port(host, port) ? port : -1;
    if (port_ < 0) {
      return absl::UnavailableError(
          absl::StrCat("cannot listen on ", host, ":", port, " (is something else there?)"));
    }
    thread_ = std::thread([this] { server_->listen_after_bind(); });
    // stop() does nothing to a server that does not run yet, and the thread would then never end.
    while (!server_->is_running()) std::this_thread::yield();
    return absl::OkStatus();
  }

  int port() const { return port_; }

 private:
  const Pages pages_;
  const std::shared_ptr<const TlsIdentity> tls_;
  const std::unique_ptr<httplib::Server> server_;
  int port_ = -1;
  std::thread thread_;
};

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const std::string& host, int port, Pages pages,
                                                              std::shared_ptr<const TlsIdentity> tls) {
  auto impl = std::make_unique<Impl>(std::move(pages), std::move(tls));
  if (absl::Status status = impl->Listen(host, port); !status.ok()) return status;
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

HttpServer::~HttpServer() = default;

int HttpServer::port() const { return impl_->port(); }

}  // namespace corefleet
