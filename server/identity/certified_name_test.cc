#include "server/identity/certified_name.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace corefleet {
namespace {

using ::testing::HasSubstr;

using Uris = std::vector<absl::string_view>;

DeviceId Device(absl::string_view name) { return *ParseDeviceId(name); }

TEST(CertifiedName, ADeviceSpeaksForItselfOnly) {
  const auto caller = DeviceOfCertificate(Uris{"corefleet:device:pixel-7"});
  ASSERT_TRUE(caller.ok()) << caller.status();
  EXPECT_EQ(*caller->Speaking(""), Device("pixel-7"));
  EXPECT_EQ(*caller->Speaking("pixel-7"), Device("pixel-7"));
  EXPECT_TRUE(absl::IsPermissionDenied(caller->Speaking("pixel-8").status()));
  EXPECT_TRUE(caller->MayAct(Device("pixel-7")));
  EXPECT_FALSE(caller->MayAct(Device("pixel-8")));
}

TEST(CertifiedName, AGatewaySpeaksForOthers) {
  const auto caller = DeviceOfCertificate(Uris{"corefleet:gateway:lab-host"});
  ASSERT_TRUE(caller.ok()) << caller.status();
  EXPECT_EQ(*caller->Speaking("pixel-8"), Device("pixel-8"));
  EXPECT_TRUE(caller->MayAct(Device("pixel-8")));
}

TEST(CertifiedName, AnEngineersKindIsTheRole) {
  const auto viewer = EngineerOfCertificate(Uris{"corefleet:viewer:ann@example.com"});
  ASSERT_TRUE(viewer.ok()) << viewer.status();
  EXPECT_EQ(viewer->name, "ann@example.com");
  EXPECT_EQ(viewer->role, EngineerRole::kViewer);
  EXPECT_EQ(EngineerOfCertificate(Uris{"corefleet:engineer:bob"})->role, EngineerRole::kEngineer);
  EXPECT_EQ(EngineerOfCertificate(Uris{"corefleet:admin:eve"})->role, EngineerRole::kAdmin);
}

TEST(CertifiedName, ANameMayHaveColonsOfItsOwn) {
  EXPECT_EQ(*DeviceOfCertificate(Uris{"corefleet:device:rack:7"})->Speaking(""), Device("rack:7"));
}

TEST(CertifiedName, OtherUrisMayStandBeside) {
  const Uris uris = {"spiffe://example.org/ns/a", "corefleet:device:a", "urn:x:corefleet:device:b", ""};
  ASSERT_TRUE(DeviceOfCertificate(uris).ok());
  EXPECT_EQ(*DeviceOfCertificate(uris)->Speaking(""), Device("a"));
}

TEST(CertifiedName, EachPortTakesItsOwnKindsOnly) {
  for (const absl::string_view uri : {"corefleet:viewer:a", "corefleet:engineer:a", "corefleet:admin:a"}) {
    EXPECT_TRUE(absl::IsUnauthenticated(DeviceOfCertificate(Uris{uri}).status())) << uri;
  }
  for (const absl::string_view uri : {"corefleet:device:a", "corefleet:gateway:a", "corefleet:none:a"}) {
    EXPECT_TRUE(absl::IsUnauthenticated(EngineerOfCertificate(Uris{uri}).status())) << uri;
  }
}

TEST(CertifiedName, HostileNamesNameNobody) {
  const std::string long_name = "corefleet:device:" + std::string(129, 'a');
  const std::string huge_kind = "corefleet:" + std::string(1 << 20, 'k') + ":a";
  const std::vector<Uris> hostile = {
      {},
      {""},
      {"corefleet"},
      {"corefleet:"},
      {"corefleet:device"},
      {"corefleet:device:"},
      {"corefleet::a"},
      {"COREFLEET:device:a"},
      {"corefleet:Device:a"},
      {" corefleet:device:a"},
      {"corefleet:device:a b"},
      {"corefleet:device:a\n"},
      {"corefleet:device:\xc3\xa9"},
      {absl::string_view("corefleet:device:a\0b", 20)},
      {absl::string_view("corefleet:device\0:a", 19)},
      {absl::string_view("corefleet:device:a\0", 19)},
      {"corefleet:device:a", "corefleet:device:b"},
      {"corefleet:device:a", "corefleet:device:a"},
      {"corefleet:device:a", "corefleet:viewer:a"},
      {long_name},
      {huge_kind},
  };
  for (const Uris& uris : hostile) {
    const std::string shown = uris.empty() ? "(none)" : std::string(uris[0].substr(0, 40));
    const absl::Status device = DeviceOfCertificate(uris).status();
    EXPECT_TRUE(absl::IsUnauthenticated(device)) << shown;
    EXPECT_TRUE(absl::IsUnauthenticated(EngineerOfCertificate(uris).status())) << shown;
    EXPECT_LT(device.message().size(), 1000u) << shown;
    EXPECT_EQ(device.message().find('\n'), absl::string_view::npos) << shown;
  }
}

TEST(CertifiedName, WhatIsWrongIsSaid) {
  EXPECT_THAT(std::string(DeviceOfCertificate(Uris{}).status().message()), HasSubstr("no name corefleet:"));
  EXPECT_THAT(std::string(DeviceOfCertificate(Uris{"corefleet:viewer:a"}).status().message()),
              HasSubstr("'viewer' is no device's"));
}

}  // namespace
}  // namespace corefleet
