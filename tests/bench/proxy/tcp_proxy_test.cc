#include "tests/bench/proxy/tcp_proxy.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <thread>

namespace corefleet {
namespace {

// Takes connections one after the other; gives back what each one sent when it has ended.
class EchoServer {
 public:
  EchoServer() : listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_, 8), 0);
    EXPECT_EQ(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Serve(); });
  }
  ~EchoServer() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  int port() const { return port_; }

 private:
  void Serve() {
    for (;;) {
      const int client = ::accept(listener_, nullptr, nullptr);
      if (client < 0) return;
      std::string all;
      char buffer[4096];
      ssize_t count;
      while ((count = ::recv(client, buffer, sizeof(buffer), 0)) > 0)
        all.append(buffer, static_cast<size_t>(count));
      (void)!::send(client, all.data(), all.size(), MSG_NOSIGNAL);
      ::close(client);
    }
  }

  int listener_;
  int port_ = 0;
  std::thread thread_;
};

class TcpProxyTest : public testing::Test {
 protected:
  void Start(const LinkFaults& faults) {
    proxy_ = *TcpProxy::Listen(0, server_.port(), faults, Clock::Real());
    thread_ = std::thread([this] { proxy_->Run(); });
  }
  ProxyCounts Stop() {
    proxy_->Stop();
    thread_.join();
    return proxy_->counts();
  }

  // Sends `text`, ends its side, and reads to the end; "reset" when the connection broke.
  std::string Talk(const std::string& text) {
    const int client = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(proxy_->port()));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(client, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    std::string answer;
    size_t sent = 0;
    while (sent < text.size()) {
      const ssize_t count = ::send(client, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
      if (count <= 0) break;
      sent += static_cast<size_t>(count);
    }
    ::shutdown(client, SHUT_WR);
    char buffer[4096];
    ssize_t count;
    while ((count = ::recv(client, buffer, sizeof(buffer), 0)) > 0)
      answer.append(buffer, static_cast<size_t>(count));
    ::close(client);
    return count < 0 ? "reset" : answer;
  }

  EchoServer server_;
  std::unique_ptr<TcpProxy> proxy_;
  std::thread thread_;
};

TEST_F(TcpProxyTest, CarriesBytesUnchangedAndCountsThem) {
  Start({});
  const std::string text(3 << 20, 'x');
  EXPECT_EQ(Talk(text), text);
  EXPECT_EQ(Talk("again"), "again");
  const ProxyCounts counts = Stop();
  EXPECT_EQ(counts.connections, 2u);
  EXPECT_EQ(counts.upstream_bytes, text.size() + 5);
  EXPECT_EQ(counts.downstream_bytes, text.size() + 5);
}

TEST_F(TcpProxyTest, CutsAfterItsDistance) {
  Start({.cut_after = 100'000});
  EXPECT_EQ(Talk(std::string(1 << 20, 'x')), "reset");
  EXPECT_EQ(Talk("short"), "short");
  const ProxyCounts counts = Stop();
  EXPECT_EQ(counts.cuts, 1u);
  EXPECT_EQ(counts.upstream_bytes, 100'000u + 5);
}

TEST_F(TcpProxyTest, HalfClosesSoThatTheServerSeesAnEnd) {
  Start({.half_close_after = 10});
  EXPECT_EQ(Talk("0123456789abcdef"), "0123456789");
  EXPECT_EQ(Stop().half_closes, 1u);
}

TEST_F(TcpProxyTest, CorruptsOneByteEverySoMany) {
  Start({.corrupt_every = 4});
  EXPECT_EQ(Talk("aaaaaaaaaa"), "aaaaqaaaqa");
  EXPECT_EQ(Stop().corrupted_bytes, 2u);
}

TEST_F(TcpProxyTest, AStalledDelayedLimitedLinkStillCarriesEverything) {
  Start({.stall_after = 1000,
         .stall = absl::Milliseconds(20),
         .delay = absl::Milliseconds(5),
         .bytes_per_second = 10 << 20});
  const std::string text(300'000, 'y');
  EXPECT_EQ(Talk(text), text);
  EXPECT_EQ(Stop().stalls, 1u);
}

TEST(ConnectionFaults, TheSeedDecidesAndJitterStaysInItsBounds) {
  const LinkFaults faults = {.cut_after = 1000, .jitter = 0.5, .seed = 3};
  uint64_t least = ConnectionFaults::kNever;
  uint64_t most = 0;
  for (uint64_t connection = 0; connection < 200; ++connection) {
    const uint64_t at = ConnectionFaults(faults, connection).cut_at();
    EXPECT_EQ(at, ConnectionFaults(faults, connection).cut_at());
    least = std::min(least, at);
    most = std::max(most, at);
  }
  EXPECT_GE(least, 500u);
  EXPECT_LT(least, 600u);
  EXPECT_GT(most, 1400u);
  EXPECT_LE(most, 1500u);
  EXPECT_EQ(ConnectionFaults({}, 0).cut_at(), ConnectionFaults::kNever);
}

}  // namespace
}  // namespace corefleet
