#include "server/rpc/upload_streams.h"

#include <gtest/gtest.h>

#include <vector>

#include "server/admission/refusal.h"

namespace corefleet {
namespace {

class UploadStreamsTest : public testing::Test {
 protected:
  using Place = std::unique_ptr<UploadStreams::Place>;

  Place Enter(const std::string& session, const std::string& device) {
    auto place =
        streams_.Enter(SessionId(session), DeviceId(device), [this, session] { ended_.push_back(session); });
    status_ = place.status();
    return place.ok() ? *std::move(place) : nullptr;
  }

  UploadStreams streams_{{.of_session = 2, .of_device = 3}};
  std::vector<std::string> ended_;
  absl::Status status_;
};

TEST_F(UploadStreamsTest, TheOldestStreamOfASessionMakesRoom) {
  const Place first = Enter("s", "d");
  const Place second = Enter("s", "d");
  EXPECT_TRUE(ended_.empty());
  const Place third = Enter("s", "d");
  EXPECT_NE(third, nullptr);
  EXPECT_EQ(ended_, std::vector<std::string>{"s"});
}

TEST_F(UploadStreamsTest, ADeviceWithManyHangingStreamsOfASessionStillGetsANewOne) {
  std::vector<Place> places;
  for (int i = 0; i < 10; ++i) {
    places.push_back(Enter("s", "d"));
    ASSERT_NE(places.back(), nullptr) << i;
  }
  EXPECT_EQ(ended_.size(), 8u) << "each is told once";
}

TEST_F(UploadStreamsTest, ADeviceHasSoManyAndAnotherHasItsOwn) {
  Place first = Enter("1", "d");
  const Place second = Enter("2", "d");
  const Place third = Enter("3", "d");
  EXPECT_EQ(Enter("4", "d"), nullptr);
  const auto refused = RefusedBy(status_);
  ASSERT_TRUE(refused.has_value());
  EXPECT_EQ(refused->reason, RefusalReason::kTooManyCalls);
  EXPECT_TRUE(refused->delay.has_value());
  EXPECT_NE(Enter("4", "other"), nullptr);
  first.reset();
  EXPECT_NE(Enter("4", "d"), nullptr) << "one has ended, and who was refused does not count";
}

TEST_F(UploadStreamsTest, NothingIsRememberedOfWhatHasEnded) {
  Place first = Enter("s", "d");
  Place second = Enter("s", "d");
  Place third = Enter("s", "d");
  EXPECT_EQ(streams_.sessions(), 1u);
  third.reset();
  first.reset();
  second.reset();
  EXPECT_EQ(streams_.sessions(), 0u);
}

}  // namespace
}  // namespace corefleet
