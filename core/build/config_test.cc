#include "core/build/config.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include "absl/strings/str_cat.h"
#include "core/digest/digest.h"

namespace corefleet {
namespace {

std::string Gzip(const std::string& text) {
  z_stream stream = {};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 9, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = text.size();
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = out.size();
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string Region(const std::string& config) { return absl::StrCat("IKCFG_ST", Gzip(config), "IKCFG_ED"); }

constexpr char kConfig[] = "#\n# Linux/arm64\n#\nCONFIG_HZ=250\n# CONFIG_SMP is not set\nCONFIG_B=\"x y\" \n";

TEST(ConfigTest, InflatesWhatIsBetweenTheMarks) {
  const auto config = ConfigFromRegion(BytesOf(absl::StrCat("junk", Region(kConfig), "tail")));
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->text, kConfig);
  EXPECT_TRUE(config->whole);
}

TEST(ConfigTest, SaysWhenItIsCut) {
  const std::string region = Region(kConfig);
  const auto unmarked = ConfigFromRegion(BytesOf(absl::string_view(region).substr(0, region.size() - 8)));
  ASSERT_TRUE(unmarked.ok());
  EXPECT_EQ(unmarked->text, kConfig);
  EXPECT_FALSE(unmarked->whole);
  for (size_t length = 0; length < region.size(); ++length) {
    const auto cut = ConfigFromRegion(BytesOf(absl::string_view(region).substr(0, length)));
    EXPECT_FALSE(cut.ok() && cut->whole) << length;
  }
}

TEST(ConfigTest, RefusesWhatIsNone) {
  EXPECT_EQ(ConfigFromRegion({}).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ConfigFromRegion(BytesOf("IKCFG_STnothing")).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ConfigFromRegion(BytesOf("IKCFG_ST\x1f\x8b\x08garbage")).status().code(),
            absl::StatusCode::kDataLoss);
}

TEST(ConfigTest, ABombGoesOff) {
  const auto bomb = ConfigFromRegion(BytesOf(Region(std::string(kMaxConfig + 1, 'x'))));
  EXPECT_EQ(bomb.status().code(), absl::StatusCode::kOutOfRange);
}

TEST(ConfigTest, TheDigestIsOfTheChoicesAlone) {
  EXPECT_EQ(ConfigSha256(kConfig),
            HexOf(Sha256Of(BytesOf("# CONFIG_SMP is not set\nCONFIG_B=\"x y\"\nCONFIG_HZ=250"))));
  EXPECT_EQ(ConfigSha256("CONFIG_HZ=250\r\nCONFIG_B=\"x y\"\n# other\n# CONFIG_SMP is not set\n"),
            ConfigSha256(kConfig));
  EXPECT_NE(ConfigSha256("CONFIG_HZ=100\n"), ConfigSha256("CONFIG_HZ=250\n"));
}

TEST(ConfigTest, FindsSwitches) {
  EXPECT_EQ(ConfigValue(kConfig, "CONFIG_HZ"), "250");
  EXPECT_EQ(ConfigValue(kConfig, "CONFIG_B"), "\"x y\"");
  EXPECT_EQ(ConfigValue(kConfig, "CONFIG_SMP"), std::nullopt);
  EXPECT_EQ(ConfigValue(kConfig, "CONFIG_H"), std::nullopt);
}

}  // namespace
}  // namespace corefleet
