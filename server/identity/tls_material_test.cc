#include "server/identity/tls_material.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/test_authority.h"

namespace corefleet {
namespace {

using ::testing::HasSubstr;

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

class TlsMaterialTest : public testing::Test {
 protected:
  std::string WhyNot(const std::string& certificate, const std::string& key, const std::string& roots) {
    const auto material = CheckTlsMaterial(certificate, key, roots, kNow);
    EXPECT_TRUE(absl::IsInvalidArgument(material.status())) << material.status();
    return std::string(material.status().message());
  }

  const TestAuthority authority_;
  const TestCertificate server_ = authority_.SignServer();
};

TEST_F(TlsMaterialTest, TakesWhatFits) {
  const auto material = CheckTlsMaterial(server_.certificate, server_.key, authority_.root(), kNow);
  ASSERT_TRUE(material.ok()) << material.status();
  EXPECT_EQ(material->certificate_chain, server_.certificate);
  EXPECT_EQ(material->client_roots, authority_.root());
  EXPECT_GT(material->not_after, kNow);
  EXPECT_TRUE(CheckTlsMaterial(server_.certificate, server_.key, "", kNow).ok());
}

TEST_F(TlsMaterialTest, KeyAndChainMayBeOneFile) {
  const std::string both = server_.key + server_.certificate + authority_.root();
  EXPECT_TRUE(CheckTlsMaterial(both, both, authority_.root(), kNow).ok());
}

TEST_F(TlsMaterialTest, SaysWhatIsMissing) {
  EXPECT_THAT(WhyNot("", server_.key, ""), HasSubstr("no certificate"));
  EXPECT_THAT(WhyNot(server_.key, server_.key, ""), HasSubstr("no certificate"));
  EXPECT_THAT(WhyNot(server_.certificate, "", ""), HasSubstr("no private key"));
  EXPECT_THAT(WhyNot(server_.certificate, server_.certificate, ""), HasSubstr("no private key"));
  EXPECT_THAT(WhyNot(server_.certificate.substr(0, 200), server_.key, ""), HasSubstr("no certificate"));
  EXPECT_THAT(WhyNot(std::string(1000, '\0'), server_.key, ""), HasSubstr("no certificate"));
}

TEST_F(TlsMaterialTest, TheKeyIsTheCertificates) {
  EXPECT_THAT(WhyNot(server_.certificate, authority_.SignServer().key, ""),
              HasSubstr("not the certificate's"));
}

TEST_F(TlsMaterialTest, TimeCounts) {
  const TestCertificate old = authority_.Sign({.not_after = kNow});
  EXPECT_THAT(WhyNot(old.certificate, old.key, ""), HasSubstr("has expired on 2027-01-15 08:00 UTC"));
  const TestCertificate early = authority_.Sign({.not_before = kNow + absl::Hours(1)});
  EXPECT_THAT(WhyNot(early.certificate, early.key, ""), HasSubstr("valid from 2027-01-15 09:00 UTC on"));
}

TEST_F(TlsMaterialTest, EveryRootCanBeRead) {
  EXPECT_THAT(WhyNot(server_.certificate, server_.key, "none"), HasSubstr("hold no certificate"));
  EXPECT_THAT(WhyNot(server_.certificate, server_.key,
                     authority_.root() + authority_.root().substr(0, authority_.root().size() / 2)),
              HasSubstr("certificate 2 of the client roots"));
  const TestAuthority other;
  EXPECT_TRUE(
      CheckTlsMaterial(server_.certificate, server_.key, authority_.root() + "\n" + other.root(), kNow).ok());
}

}  // namespace
}  // namespace corefleet
