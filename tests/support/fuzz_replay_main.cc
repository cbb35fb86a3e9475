// Runs a fuzz target as a plain test, without libFuzzer: every seed that it builds, every file or file of a
// folder that the command line names, every prefix of a short one, and --mutations=N damaged copies of each.
// Deterministic. With --write_seeds=FOLDER it only writes the seeds there, for libFuzzer to begin with.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <system_error>
#include <vector>

#include "tests/support/fuzz_target.h"

namespace corefleet {
namespace {

constexpr size_t kDefaultMutations = 4000;
constexpr size_t kShortSeed = 512;
// Keeps a run within seconds: large seeds are mutated less often.
constexpr size_t kBytesPerSeed = size_t{64} << 20;

void RunOne(const std::string& input) {
  // A copy of exactly the right size, so that AddressSanitizer sees a read past the end.
  const std::vector<uint8_t> bytes(input.begin(), input.end());
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

void AddFile(const std::filesystem::path& path, std::vector<std::string>* seeds) {
  std::ifstream stream(path, std::ios::binary);
  seeds->emplace_back(std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>());
}

void AddPath(const std::filesystem::path& path, std::vector<std::string>* seeds) {
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) return AddFile(path, seeds);
  std::vector<std::filesystem::path> files;
  for (std::filesystem::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
    files.push_back(it->path());
  }
  std::sort(files.begin(), files.end());
  for (const std::filesystem::path& file : files) AddFile(file, seeds);
}

// Values at which arithmetic breaks.
constexpr uint64_t kAwkward[] = {0,
                                 1,
                                 3,
                                 7,
                                 0x7f,
                                 0x80,
                                 0xff,
                                 0xffff,
                                 0x7fffffff,
                                 0xffffffff,
                                 0x8000000000000000,
                                 0x7fffffffffffffff,
                                 0xffffffffffffffff,
                                 0xfffffffffffffff8};

void MutateOnce(std::mt19937_64* random, std::string* input) {
  if (input->empty()) input->push_back('\0');
  const size_t at = (*random)() % input->size();
  switch ((*random)() % 6) {
    case 0:
      (*input)[at] = static_cast<char>((*input)[at] ^ (1 << (*random)() % 8));
      break;
    case 1:
      (*input)[at] = static_cast<char>((*random)());
      break;
    case 2: {
      const uint64_t value = kAwkward[(*random)() % std::size(kAwkward)];
      const size_t word = at / 8 * 8;
      for (size_t i = 0; i < 8 && word + i < input->size(); ++i)
        (*input)[word + i] = static_cast<char>(value >> 8 * i);
      break;
    }
    case 3:
      input->resize(at);
      break;
    case 4:
      input->erase(at, (*random)() % 16 + 1);
      break;
    default:
      input->insert(at, input->substr((*random)() % input->size(), (*random)() % 32));
  }
}

void Replay(const std::string& seed, size_t mutations, std::mt19937_64* random) {
  RunOne(seed);
  if (seed.size() <= kShortSeed) {
    for (size_t length = 0; length < seed.size(); ++length) RunOne(seed.substr(0, length));
  }
  const size_t times = std::min(mutations, kBytesPerSeed / (seed.size() + 1) + 16);
  for (size_t i = 0; i < times; ++i) {
    std::string input = seed;
    for (size_t edits = (*random)() % 4 + 1; edits > 0; --edits) MutateOnce(random, &input);
    RunOne(input);
  }
}

bool WriteSeeds(const std::vector<std::string>& seeds, const std::filesystem::path& folder) {
  for (size_t i = 0; i < seeds.size(); ++i) {
    std::ofstream stream(folder / std::to_string(i), std::ios::binary);
    stream.write(seeds[i].data(), static_cast<std::streamsize>(seeds[i].size()));
    if (!stream.flush()) return false;
  }
  return true;
}

// The value of `--name=value`, or null when `argument` is not that option.
const char* ValueOf(const std::string& name, const char* argument) {
  const std::string prefix = "--" + name + "=";
  return std::string(argument).rfind(prefix, 0) == 0 ? argument + prefix.size() : nullptr;
}

}  // namespace
}  // namespace corefleet

int main(int argc, char** argv) {
  std::vector<std::string> seeds = corefleet::FuzzSeeds();
  size_t mutations = corefleet::kDefaultMutations;
  for (int i = 1; i < argc; ++i) {
    if (const char* folder = corefleet::ValueOf("write_seeds", argv[i])) {
      return corefleet::WriteSeeds(seeds, folder) ? 0 : 1;
    }
    if (const char* number = corefleet::ValueOf("mutations", argv[i])) {
      mutations = std::strtoul(number, nullptr, 10);
    } else {
      corefleet::AddPath(argv[i], &seeds);
    }
  }
  if (seeds.empty()) {
    std::fprintf(stderr, "no seeds: this test would pass for the wrong reason\n");
    return 1;
  }
  std::mt19937_64 random(20260101);
  for (const std::string& seed : seeds) corefleet::Replay(seed, mutations, &random);
  corefleet::Replay(std::string(), mutations, &random);
  std::printf("%zu seeds\n", seeds.size());
  return 0;
}
