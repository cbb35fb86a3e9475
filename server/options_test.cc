#include "server/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace corefleet {
namespace {

using ::testing::HasSubstr;

ServerOptions Good() { return {.data_dir = "/var/lib/corefleet"}; }

TEST(OptionsTest, DefaultsAreGoodOnceThereIsADirectory) {
  EXPECT_TRUE(Validate(Good()).ok());
  const absl::Status status = Validate(ServerOptions());
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("--data_dir=DIR"));
  EXPECT_FALSE(Validate(ServerOptions{.database = "postgres://x"}).ok());
}

TEST(OptionsTest, AddressesThatOthersReachNeedInsecure) {
  for (const char* address :
       {"0.0.0.0:7443", "[::]:7443", "192.168.0.1:0", "example.org:80", "128.0.0.1:1"}) {
    ServerOptions options = Good();
    options.ingest_address = address;
    EXPECT_THAT(std::string(Validate(options).message()), HasSubstr("--insecure")) << address;
    options.insecure = true;
    EXPECT_TRUE(Validate(options).ok()) << address;
  }
  for (const char* address : {"127.0.0.1:0", "127.9.8.7:1", "[::1]:7443", "localhost:65535"}) {
    ServerOptions options = Good();
    options.archive_address = address;
    EXPECT_TRUE(Validate(options).ok()) << address;
  }
}

TEST(OptionsTest, WithTlsOthersMayReachAPort) {
  ServerOptions options = Good();
  options.ingest_address = "0.0.0.0:7443";
  options.ingest_tls = {.certificate = "c", .key = "k", .client_roots = "r"};
  EXPECT_TRUE(Validate(options).ok()) << Validate(options);
  options.archive_address = "0.0.0.0:7444";
  EXPECT_THAT(std::string(Validate(options).message()), HasSubstr("--archive_cert"));
  options.archive_tls = {.certificate = "c", .key = "k"};
  options.archive_tokens = "t";
  EXPECT_TRUE(Validate(options).ok()) << Validate(options);
}

TEST(OptionsTest, TlsNeedsAllItsFiles) {
  const auto refused = [](const TlsFiles& ingest, const TlsFiles& archive) {
    ServerOptions options = Good();
    options.ingest_tls = ingest;
    options.archive_tls = archive;
    return absl::IsInvalidArgument(Validate(options));
  };
  EXPECT_TRUE(refused({.certificate = "c"}, {}));
  EXPECT_TRUE(refused({.key = "k"}, {}));
  EXPECT_TRUE(refused({.client_roots = "r"}, {}));
  EXPECT_TRUE(refused({.certificate = "c", .key = "k"}, {})) << "devices without certificates";
  EXPECT_TRUE(refused({}, {.certificate = "c", .key = "k"})) << "engineers without certificate or token";
  EXPECT_TRUE(refused({}, {.certificate = "c", .client_roots = "r"}));
  EXPECT_FALSE(refused({}, {.certificate = "c", .key = "k", .client_roots = "r"}));
}

TEST(OptionsTest, RefusesWhatIsNoAddress) {
  for (const char* address :
       {"", "7443", ":7443", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:65536", "[::1:80"}) {
    ServerOptions options = Good();
    options.http_address = address;
    EXPECT_TRUE(absl::IsInvalidArgument(Validate(options))) << address;
  }
  EXPECT_EQ(ParseHostPort("[::1]:80")->host, "::1");
  EXPECT_EQ(ParseHostPort("[::1]:80")->port, 80);
}

TEST(OptionsTest, NumbersHaveBounds) {
  ServerOptions options = Good();
  options.workers = 0;
  EXPECT_FALSE(Validate(options).ok());
  options = Good();
  options.stall = absl::Milliseconds(10);
  EXPECT_FALSE(Validate(options).ok());
  options = Good();
  options.session_ttl = absl::Seconds(1);
  EXPECT_FALSE(Validate(options).ok());
  EXPECT_FALSE(ParseLogLevel("loud").ok());
  EXPECT_EQ(*ParseLogLevel("error"), LogLevel::kError);
}

TEST(OptionsTest, NoPackIsReleasedWhoseRowIsOnItsWay) {
  ServerOptions options = Good();
  options.reconcile.grace = absl::Minutes(59);
  EXPECT_THAT(std::string(Validate(options).message()), HasSubstr("--orphan_grace"));
  EXPECT_EQ(*ParseOrphanRelease("never"), OrphanRelease::kNever);
  EXPECT_EQ(*ParseOrphanRelease("auto"), OrphanRelease::kAuto);
  EXPECT_EQ(*ParseOrphanRelease("always"), OrphanRelease::kAlways);
  EXPECT_FALSE(ParseOrphanRelease("").ok());
}

}  // namespace
}  // namespace corefleet
