#include "server/identity/engineer_tokens.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace corefleet {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string Line(absl::string_view who, absl::string_view token) {
  return absl::StrCat(who, ":", HexOf(Sha256Of(BytesOf(token))), "\n");
}

TEST(EngineerTokens, FindsWhoseItIs) {
  const auto tokens = EngineerTokens::Parse(
      absl::StrCat("# ours\n\n", Line("ann:viewer", "t-ann"), Line("bob:engineer", "t-bob"),
                   Line("bob:engineer", "t-bob-new"), " ", Line("eve:admin", "t-eve")));
  ASSERT_TRUE(tokens.ok()) << tokens.status();
  EXPECT_EQ(tokens->size(), 4u);
  EXPECT_EQ(tokens->Find("t-ann")->name, "ann");
  EXPECT_EQ(tokens->Find("t-ann")->role, EngineerRole::kViewer);
  EXPECT_EQ(tokens->Find("t-bob")->role, EngineerRole::kEngineer);
  EXPECT_EQ(tokens->Find("t-bob-new")->name, "bob");
  EXPECT_EQ(tokens->Find("t-eve")->role, EngineerRole::kAdmin);
}

TEST(EngineerTokens, OthersAreNobody) {
  const auto tokens = EngineerTokens::Parse(Line("ann:viewer", "t-ann"));
  ASSERT_TRUE(tokens.ok());
  const std::string digest = HexOf(Sha256Of(BytesOf("t-ann")));
  for (const std::string& token : {std::string(), std::string("t-an"), std::string("t-ann "), digest,
                                   std::string("t-ann\0", 6), std::string(1 << 20, 'x')}) {
    EXPECT_TRUE(absl::IsUnauthenticated(tokens->Find(token).status())) << token.substr(0, 80);
  }
}

TEST(EngineerTokens, AnEmptyFileLetsNobodyIn) {
  const auto tokens = EngineerTokens::Parse("");
  ASSERT_TRUE(tokens.ok());
  EXPECT_TRUE(absl::IsUnauthenticated(tokens->Find("").status()));
}

TEST(EngineerTokens, BrokenLinesAreNamedAndNotShown) {
  const std::string good = Line("ann:viewer", "t-ann");
  const std::string digest = HexOf(Sha256Of(BytesOf("t-bob")));
  const std::vector<std::string> bad = {
      "bob",
      "bob:viewer",
      absl::StrCat("bob:viewer:", digest, ":x"),
      absl::StrCat("bob:boss:", digest),
      absl::StrCat(":viewer:", digest),
      absl::StrCat("b b:viewer:", digest),
      absl::StrCat("bob:viewer:", digest.substr(1)),
      absl::StrCat("bob:viewer:", digest.substr(1), "G"),
      absl::StrCat("bob:viewer:", std::string(64, 'A')),
  };
  for (const std::string& line : bad) {
    const auto tokens = EngineerTokens::Parse(absl::StrCat(good, line));
    ASSERT_TRUE(absl::IsInvalidArgument(tokens.status())) << line;
    EXPECT_THAT(std::string(tokens.status().message()), HasSubstr("line 2")) << line;
    EXPECT_THAT(std::string(tokens.status().message()), Not(HasSubstr(digest.substr(8, 16)))) << line;
  }
}

TEST(EngineerTokens, ATokenIsOnePersons) {
  EXPECT_TRUE(absl::IsInvalidArgument(
      EngineerTokens::Parse(Line("ann:viewer", "t") + Line("bob:admin", "t")).status()));
}

}  // namespace
}  // namespace corefleet
