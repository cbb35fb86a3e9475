#include "core/bytes/escape.h"

#include <gtest/gtest.h>

namespace corefleet {
namespace {

TEST(EscapeForTerminalTest, KeepsPrintableUtf8AndTheBackslash) {
  EXPECT_EQ(EscapeForTerminal("plain ~ \\x41 \\"), "plain ~ \\x41 \\");
  EXPECT_EQ(EscapeForTerminal("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\xa7"),
            "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\xa7");
  EXPECT_EQ(EscapeForTerminal(""), "");
}

TEST(EscapeForTerminalTest, EscapesWhatATerminalWouldActUpon) {
  EXPECT_EQ(EscapeForTerminal(absl::string_view("\0\t\n\x1b[2J\x7f", 8)), "\\x00\\x09\\x0a\\x1b[2J\\x7f");
  EXPECT_EQ(EscapeForTerminal("\xc2\x9b"
                              "31m"),
            "\\xc2\\x9b31m");  // C1's control sequence introducer
  EXPECT_EQ(EscapeForTerminal("a\xe2\x80\xae"
                              "b\xe2\x81\xa6"),
            "a\\xe2\\x80\\xaeb\\xe2\\x81\\xa6");
  EXPECT_EQ(EscapeForTerminal("\xe2\x80\xa8\xef\xbb\xbf"), "\\xe2\\x80\\xa8\\xef\\xbb\\xbf");
  EXPECT_EQ(EscapeForTerminal("\xc2\xa0"), "\xc2\xa0");
}

TEST(EscapeForTerminalTest, EscapesEveryByteThatIsNoUtf8) {
  EXPECT_EQ(EscapeForTerminal("\xff\xfe"), "\\xff\\xfe");
  EXPECT_EQ(EscapeForTerminal("\xc0\xaf"), "\\xc0\\xaf");           // overlong
  EXPECT_EQ(EscapeForTerminal("\xe0\x80\xaf"), "\\xe0\\x80\\xaf");  // overlong
  EXPECT_EQ(EscapeForTerminal("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // surrogate
  EXPECT_EQ(EscapeForTerminal("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
  EXPECT_EQ(EscapeForTerminal("\xe2\x82"), "\\xe2\\x82");  // cut short
  EXPECT_EQ(EscapeForTerminal("\xe2\x82z"), "\\xe2\\x82z");
}

TEST(Utf8OrHexTest, KeepsControlCharacters) {
  EXPECT_EQ(Utf8OrHex("\x01 tab\t\\ \n"), "\x01 tab\t\\ \n");
  EXPECT_EQ(Utf8OrHex("\xff"
                      "a\xc3\xa9\xc3"),
            "\\xff"
            "a\xc3\xa9\\xc3");
}

}  // namespace
}  // namespace corefleet
