#include "cli/arguments.h"

#include "absl/strings/match.h"
#include "cli/duration.h"
#include "gtest/gtest.h"

namespace corefleet {
namespace {

const std::vector<Option> kOptions = {
    {"device", 'd', "NAME", "whose"}, {"wait", 'w', "", "wait"}, {"o", 'o', "FILE", "where"}};

TEST(ParseArguments, TakesOptionsInEveryFormAndPlace) {
  const absl::StatusOr<Arguments> got =
      ParseArguments({"a", "--device=x=y", "-w", "b", "-o", "-", "--", "--wait-for-it"}, kOptions);
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->Get("device"), "x=y");
  EXPECT_TRUE(got->Has("wait"));
  EXPECT_EQ(got->Get("o"), "-");
  EXPECT_EQ(got->operands(), (std::vector<std::string>{"a", "b", "--wait-for-it"}));
  EXPECT_EQ(ParseArguments({"--device", "--odd"}, kOptions)->Get("device"), "--odd");
  EXPECT_EQ(ParseArguments({"-dx", "-d", "y"}, kOptions)->Get("device"), "y");
  EXPECT_EQ(ParseArguments({"-"}, kOptions)->operands(), std::vector<std::string>{"-"});
}

TEST(ParseArguments, SaysWhatIsWrong) {
  EXPECT_EQ(ParseArguments({"--devise", "x"}, kOptions).status().message(),
            "unknown option --devise; did you mean --device?");
  EXPECT_EQ(ParseArguments({"--device"}, kOptions).status().message(), "--device needs a value: NAME");
  EXPECT_EQ(ParseArguments({"--wait=1"}, kOptions).status().message(), "--wait takes no value");
  EXPECT_FALSE(ParseArguments({"-x"}, kOptions).ok());
}

TEST(ParseArguments, CanStopBeforeTheVerb) {
  std::vector<std::string> rest;
  ASSERT_TRUE(ParseArguments({"-w", "list", "--unknown"}, kOptions, true, &rest).ok());
  EXPECT_EQ(rest, (std::vector<std::string>{"list", "--unknown"}));
}

TEST(Arguments, NumbersHaveLimits) {
  const Arguments got = *ParseArguments({"-d", "12x"}, kOptions);
  EXPECT_FALSE(got.GetNumber("device", 0, 0, 100).ok());
  EXPECT_EQ(*got.GetNumber("absent", 7, 0, 100), 7);
  EXPECT_FALSE(ParseArguments({"-d", "101"}, kOptions)->GetNumber("device", 0, 0, 100).ok());
  EXPECT_EQ(*ParseArguments({"-d", "100"}, kOptions)->GetNumber("device", 0, 0, 100), 100);
}

TEST(DescribeOptions, IsMadeOfTheSameTable) {
  EXPECT_EQ(DescribeOptions(kOptions),
            "  -d, --device NAME         whose\n"
            "  -w, --wait                wait\n"
            "  -o FILE                   where\n");
}

TEST(Nearest, FindsWhatWasMeant) {
  const std::vector<std::string> verbs = {"upload", "list", "log", "info", "fetch"};
  EXPECT_EQ(Nearest("lst", verbs), "list");
  EXPECT_EQ(Nearest("upl", verbs), "upload");
  EXPECT_EQ(Nearest("ftech", verbs), "fetch");
  EXPECT_EQ(Nearest("xyzzy", verbs), std::nullopt);
}

TEST(ParseSize, KnowsUnits) {
  EXPECT_EQ(*ParseSize("64"), 64u);
  EXPECT_EQ(*ParseSize("0x40"), 64u);
  EXPECT_EQ(*ParseSize("4k"), 4096u);
  EXPECT_EQ(*ParseSize("1M"), 1048576u);
  for (const char* wrong : {"", "k", "-1", "4g", "99999999999999999999", "18446744073709551615k"}) {
    EXPECT_FALSE(ParseSize(wrong).ok()) << wrong;
  }
}

TEST(ParseAddress, KnowsHexAndDecimal) {
  EXPECT_EQ(*ParseAddress("0xffffffff81000000"), 0xffffffff81000000u);
  EXPECT_EQ(*ParseAddress("4096"), 4096u);
  for (const char* wrong : {"", "0x", "ffff", "0x1ffffffffffffffff"})
    EXPECT_FALSE(ParseAddress(wrong).ok()) << wrong;
}

TEST(ParseDuration, KnowsUnits) {
  EXPECT_EQ(*ParseDuration("90"), absl::Seconds(90));
  EXPECT_EQ(*ParseDuration("15m"), absl::Minutes(15));
  EXPECT_EQ(*ParseDuration("1.5h"), absl::Minutes(90));
  EXPECT_EQ(*ParseDuration("1w"), absl::Hours(168));
  for (const char* wrong : {"", "h", "-1s", "nan", "inf", "2y", "1e300"})
    EXPECT_FALSE(ParseDuration(wrong).ok()) << wrong;
}

}  // namespace
}  // namespace corefleet
