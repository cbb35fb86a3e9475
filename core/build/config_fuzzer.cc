#include <zlib.h>

#include "core/build/config.h"
#include "tests/support/fuzz_target.h"

namespace corefleet {

std::vector<std::string> FuzzSeeds() {
  const std::string text = "CONFIG_HZ=250\n# CONFIG_SMP is not set\nCONFIG_B=\"x y\"\n";
  z_stream stream = {};
  std::string packed(256, '\0');
  FUZZ_CHECK(deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 9, Z_DEFAULT_STRATEGY) == Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = text.size();
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = packed.size();
  FUZZ_CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return {"IKCFG_ST" + packed + "IKCFG_ED", text};
}

}  // namespace corefleet

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const corefleet::ByteView bytes(data, size);
  if (const auto config = corefleet::ConfigFromRegion(bytes); config.ok()) {
    FUZZ_CHECK(!config->text.empty() && config->text.size() <= corefleet::kMaxConfig);
  }
  FUZZ_CHECK(corefleet::ConfigSha256(corefleet::TextOf(bytes)).size() == 64);
  corefleet::ConfigValue(corefleet::TextOf(bytes), "CONFIG_HZ");
  return 0;
}
