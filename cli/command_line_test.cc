#include "cli/command_line.h"

#include <sstream>

#include "absl/strings/match.h"
#include "gtest/gtest.h"

namespace corefleet {
namespace {

class CommandLineTest : public testing::Test {
 protected:
  int Run(const std::vector<std::string>& words) {
    const Verb verb{.name = "list",
                    .operands = "[ID]",
                    .max_operands = 1,
                    .summary = "lists",
                    .options = {{"build", 0, "BUILD", "a build"}},
                    .run = [this](const Arguments& arguments, const Surroundings& where) {
                      build_ = arguments.Get("build");
                      server_ = where.server;
                      json_ = where.json;
                      *where.out << "ran";
                      return answer_;
                    }};
    out_.str("");
    err_.str("");
    return RunCommandLine(words, {verb}, {.out = &out_, .err = &err_, .server = "default:1"});
  }

  std::ostringstream out_, err_;
  std::string build_, server_;
  bool json_ = false;
  int answer_ = kDone;
};

TEST_F(CommandLineTest, TakesGlobalOptionsBeforeAndAfterTheVerb) {
  EXPECT_EQ(Run({"--server", "a:1", "list", "--build=x", "--json"}), kDone);
  EXPECT_EQ(server_, "a:1");
  EXPECT_EQ(build_, "x");
  EXPECT_TRUE(json_);
  EXPECT_EQ(Run({"--json", "list", "--server=b:2"}), kDone);
  EXPECT_EQ(server_, "b:2");
  EXPECT_TRUE(json_);
  EXPECT_EQ(Run({"list"}), kDone);
  EXPECT_EQ(server_, "default:1");
  EXPECT_FALSE(json_);
}

TEST_F(CommandLineTest, PassesTheVerbsExitCodeOn) {
  answer_ = kTimedOut;
  EXPECT_EQ(Run({"list"}), 124);
}

TEST_F(CommandLineTest, ExplainsWrongUsage) {
  EXPECT_EQ(Run({"lsit"}), kUsage);
  EXPECT_EQ(Run({"lis"}), kUsage);
  EXPECT_EQ(err_.str(),
            "corefleet: no verb 'lis'; did you mean 'list'?\n'corefleet help' lists all verbs.\n");
  EXPECT_EQ(Run({"list", "--biuld", "x"}), kUsage);
  EXPECT_TRUE(absl::StrContains(err_.str(), "'corefleet help list' says how")) << err_.str();
  EXPECT_EQ(Run({"list", "a", "b"}), kUsage);
  EXPECT_EQ(err_.str(), "corefleet: list takes [ID], and 'b' is too much\n'corefleet help list' says how.\n");
  EXPECT_EQ(Run({"a\x1b[2J"}), kUsage);
  EXPECT_FALSE(absl::StrContains(err_.str(), "\x1b"));
  EXPECT_EQ(out_.str(), "");
}

TEST_F(CommandLineTest, TeachesWhenAsked) {
  EXPECT_EQ(Run({}), kDone);
  EXPECT_TRUE(absl::StrContains(out_.str(), "A first session:"));
  EXPECT_TRUE(absl::StrContains(out_.str(), "  list    lists\n"));
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"help", "list"}, {"list", "--help"}, {"--help", "list"}, {"list", "-h"}}) {
    EXPECT_EQ(Run(words), kDone);
    EXPECT_TRUE(absl::StrContains(out_.str(), "--build BUILD")) << out_.str();
    EXPECT_FALSE(absl::StrContains(out_.str(), "ran"));
  }
}

TEST_F(CommandLineTest, OutputThatCannotBeWrittenIsAFailure) {
  out_.setstate(std::ios::badbit);
  EXPECT_EQ(Run({"list"}), kNotFoundOrRefused);
}

TEST(ExitCodeFor, IsWhatScriptsRelyOn) {
  EXPECT_EQ(ExitCodeFor(absl::StatusCode::kOk), 0);
  EXPECT_EQ(ExitCodeFor(absl::StatusCode::kNotFound), 1);
  EXPECT_EQ(ExitCodeFor(absl::StatusCode::kFailedPrecondition), 1);
  EXPECT_EQ(ExitCodeFor(absl::StatusCode::kInvalidArgument), 2);
  EXPECT_EQ(ExitCodeFor(absl::StatusCode::kUnavailable), 3);
  EXPECT_EQ(ExitCodeFor(absl::StatusCode::kDeadlineExceeded), 3);
}

}  // namespace
}  // namespace corefleet
