#include "server/http/http_server.h"

#include <gtest/gtest.h>
#include <httplib.h>

#include <atomic>
#include <stdexcept>

namespace corefleet {
namespace {

class HttpServerTest : public testing::Test {
 protected:
  HttpServerTest() {
    auto server = HttpServer::Start(
        "127.0.0.1", 0,
        {.metrics = [this]() -> std::string {
           if (metrics_throw) throw std::runtime_error("bug");
           return "corefleet_x 1\n";
         },
         .ready =
             [this] {
               return is_ready ? absl::OkStatus() : absl::UnavailableError("the database does not answer");
             },
         .front = "corefleetd\n"});
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    client_ = std::make_unique<httplib::Client>("127.0.0.1", server_->port());
  }

  std::atomic<bool> is_ready = true;
  std::atomic<bool> metrics_throw = false;
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<httplib::Client> client_;
};

TEST_F(HttpServerTest, AnswersWhatMonitoringAsks) {
  EXPECT_EQ(client_->Get("/healthz")->status, 200);
  EXPECT_EQ(client_->Get("/readyz")->status, 200);
  EXPECT_EQ(client_->Get("/metrics")->body, "corefleet_x 1\n");
  EXPECT_EQ(client_->Get("/metrics")->get_header_value("Content-Type"),
            "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_EQ(client_->Get("/")->body, "corefleetd\n");
  EXPECT_EQ(client_->Get("/nothing")->status, 404);
}

TEST_F(HttpServerTest, SaysWhyItIsNotReady) {
  is_ready = false;
  const auto answer = client_->Get("/readyz");
  EXPECT_EQ(answer->status, 503);
  EXPECT_EQ(answer->body, "the database does not answer\n");
  EXPECT_EQ(client_->Get("/healthz")->status, 200);
}

TEST_F(HttpServerTest, AnExceptionIsOneBadAnswer) {
  metrics_throw = true;
  EXPECT_EQ(client_->Get("/metrics")->status, 500);
  metrics_throw = false;
  EXPECT_EQ(client_->Get("/metrics")->status, 200);
}

TEST_F(HttpServerTest, APortThatIsTakenIsSaid) {
  const auto second = HttpServer::Start("127.0.0.1", server_->port(), {});
  EXPECT_TRUE(absl::IsUnavailable(second.status()));
}

}  // namespace
}  // namespace corefleet
