#include "core/kinfo/kinfo_area.h"
#include "core/kinfo/kinfo_layout.h"
#include "core/kinfo/kinfo_writer.h"
#include "tests/support/fuzz_target.h"

namespace corefleet {

std::vector<std::string> FuzzSeeds() {
  std::vector<std::string> seeds;
  for (const KinfoLayout& layout : kKinfoLayouts) {
    seeds.push_back(WriteKinfo(layout.name, {.build_info = "user"}));
    seeds.push_back(WriteKinfo(layout.name, {.release = "5.4.0-g1"}) + std::string(64, '\0'));
  }
  return seeds;
}

}  // namespace corefleet

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace corefleet;
  const std::optional<Kinfo> kinfo = ParseKinfo(ByteView(data, size));
  if (!kinfo) return 0;
  FUZZ_CHECK(LooksLikeKinfo(ByteView(data, size)));
  FUZZ_CHECK(!kinfo->layout.empty());
  FUZZ_CHECK(kinfo->release.size() < kKinfoReleaseBytes && kinfo->build_info.size() < kKinfoBuildInfoBytes);
  FUZZ_CHECK(kinfo->thread_size == 0 || (kinfo->thread_size & (kinfo->thread_size - 1)) == 0);
  FUZZ_CHECK(kinfo->stext_pa.has_value() == kinfo->etext_pa.has_value());
  FUZZ_CHECK(!kinfo->stext_pa || *kinfo->stext_pa < *kinfo->etext_pa);
  FUZZ_CHECK(!kinfo->text_pa || *kinfo->text_pa <= *kinfo->stext_pa);
  return 0;
}
