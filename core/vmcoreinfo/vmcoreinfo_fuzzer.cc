#include <cstdlib>

#include "core/vmcoreinfo/vmcoreinfo.h"
#include "tests/support/fuzz_target.h"

namespace corefleet {

std::vector<std::string> FuzzSeeds() {
  return {
      "OSRELEASE=6.1.0-47-cloud-amd64\nBUILD-ID=4f61d8f6405b1c6eed15a7a3e2e27067394202d3\nPAGESIZE=4096\n"
      "SYMBOL(prb)=ffffffff8b462540\nSIZE(page)=64\nOFFSET(page.lru)=8\nLENGTH(mem_section)=2048\n"
      "NUMBER(phys_base)=-90177536\nNUMBER(VMALLOC_START)=0xffff800008000000\nKERNELOFFSET=8a00000\n",
      "OFFSET(" + std::string(65, 'a') + ".b)=12SYMBOL(prb)=10\n",
      "SIZE(a)=1SIZE(b)=2\nSIZE(a)=3\n",
  };
}

}  // namespace corefleet

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<corefleet::Defect> defects;
  const corefleet::Vmcoreinfo info = corefleet::Vmcoreinfo::Parse(corefleet::ByteView(data, size), &defects);
  FUZZ_CHECK(info.text().size() <= size);
  FUZZ_CHECK(info.text().find('\0') == std::string::npos);
  FUZZ_CHECK(defects.size() <= 1);
  FUZZ_CHECK(info.Size("page").value_or(0) <= 1 << 20);
  FUZZ_CHECK(info.Offset("page.lru").value_or(0) <= 1 << 20);
  FUZZ_CHECK(info.Length("mem_section").value_or(0) <= uint64_t{1} << 31);
  // The same text gives the same answer.
  const corefleet::Vmcoreinfo again = corefleet::Vmcoreinfo::Parse(corefleet::BytesOf(info.text()), nullptr);
  FUZZ_CHECK(again.Symbol("prb") == info.Symbol("prb"));
  FUZZ_CHECK(again.Number("phys_base") == info.Number("phys_base"));
  return 0;
}
