#include "server/http/http_server.h"

#include <httplib.h>

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

}  // namespace

class HttpServer::Impl {
 public:
  explicit Impl(Pages pages) : pages_(std::move(pages)) {
    Limit(&server_);
    Route(pages_, &server_);
  }
  ~Impl() {
    server_.stop();
    if (thread_.joinable()) thread_.join();
  }

  absl::Status Listen(const std::string& host, int port) {
    port_ = port == 0 ? server_.bind_to_any_port(host) : server_.bind_to_port(host, port) ? port : -1;
    if (port_ < 0) {
      return absl::UnavailableError(
          absl::StrCat("cannot listen on ", host, ":", port, " (is something else there?)"));
    }
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    // stop() does nothing to a server that does not run yet, and the thread would then never end.
    while (!server_.is_running()) std::this_thread::yield();
    return absl::OkStatus();
  }

  int port() const { return port_; }

 private:
  const Pages pages_;
  httplib::Server server_;
  int port_ = -1;
  std::thread thread_;
};

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const std::string& host, int port,
                                                              Pages pages) {
  auto impl = std::make_unique<Impl>(std::move(pages));
  if (absl::Status status = impl->Listen(host, port); !status.ok()) return status;
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

HttpServer::~HttpServer() = default;

int HttpServer::port() const { return impl_->port(); }

}  // namespace corefleet
