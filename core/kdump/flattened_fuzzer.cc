#include "core/kdump/flattened.h"
#include "core/kdump/flattened_writer.h"
#include "tests/support/fuzz_target.h"

namespace corefleet {

std::vector<std::string> FuzzSeeds() {
  FlattenedWriter writer;
  writer.Append(6, BytesOf("xyz"));
  writer.Append(0, BytesOf("abcd"));
  writer.Append(2, BytesOf("CD"));
  return {std::string(TextOf(writer.Stream())), std::string(TextOf(writer.Stream(false))),
          std::string(TextOf(Flatten(BytesOf(std::string(9000, 'x')), 4096)))};
}

}  // namespace corefleet

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace corefleet;
  const std::vector<uint8_t> bytes(data, data + size);
  FUZZ_CHECK(FirstFlattenedPiece(bytes).size() <= size);
  const auto result = Unflatten(std::make_shared<MemorySource>(bytes));
  if (!result.ok()) return 0;
  FUZZ_CHECK(result->bytes != nullptr);
  FUZZ_CHECK(result->bytes->size() <= size + (uint64_t{1} << 30));
  // Everything in it can be read, and nothing behind it.
  const uint64_t n = std::min<uint64_t>(result->bytes->size(), 1 << 16);
  FUZZ_CHECK(ReadBytes(*result->bytes, result->bytes->size() - n, n).ok());
  FUZZ_CHECK(!ReadBytes(*result->bytes, result->bytes->size(), 1).ok());
  return 0;
}
