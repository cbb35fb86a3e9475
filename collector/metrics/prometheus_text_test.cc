#include "collector/metrics/prometheus_text.h"

#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace corefleet {
namespace {

TEST(PrometheusText, WritesWhatPrometheusReads) {
  PrometheusText page;
  page.Metric("a_total", "counter", "Things.\nAnd more.");
  page.Value(1795000123);
  page.Metric("b", "gauge", "By kind.");
  page.Value("kind", "x\"y\\", 0.5);
  EXPECT_EQ(page.text(),
            "# HELP a_total Things.\\nAnd more.\n# TYPE a_total counter\na_total 1795000123\n"
            "# HELP b By kind.\n# TYPE b gauge\nb{kind=\"x\\\"y\\\\\"} 0.5\n");
}

TEST(ReplaceFile, TakesThePlaceOfWhatWasThere) {
  const std::string path = absl::StrCat(testing::TempDir(), "/page.prom");
  ASSERT_TRUE(ReplaceFile(path, "one").ok());
  ASSERT_TRUE(ReplaceFile(path, "two", /*sync=*/true).ok());
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  EXPECT_EQ(text.str(), "two");
  EXPECT_FALSE(std::ifstream(path + ".part").good());
}

TEST(ReplaceFile, SaysWhatIsWrong) {
  EXPECT_FALSE(ReplaceFile(absl::StrCat(testing::TempDir(), "/no/such/folder/page.prom"), "x").ok());
}

}  // namespace
}  // namespace corefleet
