#ifndef COREFLEET_TESTS_SUPPORT_CORPUS_H_
#define COREFLEET_TESTS_SUPPORT_CORPUS_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/crash/region_set.h"

namespace corefleet {

// One real crash out of tests/corpus: the files of its pack, in memory. tests/corpus/README.md says what each
// is.
struct CorpusCase {
  std::string name;                          // "a47-null-oops"
  std::map<std::string, std::string> files;  // without the pack's folder: "md_KELF1.BIN", "dmesg.txt", ...

  // The bytes of a file. The test dies when there is none of that name.
  const std::string& file(const std::string& file_name) const;
};

// The paths of all packs, sorted, as the test finds them (its `data` must list //tests/corpus:crashes). Never
// empty: a test over no case would pass for the wrong reason, so the process dies.
std::vector<std::string> CorpusPacks();

// Unpacks NAME.tar.zst. NOT_FOUND without the file, DATA_LOSS if it is no such archive.
absl::StatusOr<CorpusCase> ReadCorpusPack(const std::string& path);

// The case of that name; the test dies when it cannot be read.
CorpusCase ReadCorpusCase(absl::string_view name);
// Every case there is.
std::vector<CorpusCase> ReadCorpus();

// Every case of tests/corpus/inputs: what other sources than a region folder leave. Needs
// //tests/corpus:inputs.
std::vector<CorpusCase> ReadInputCorpus();
// Its files as they were found, but for the truth (expected.json, log.txt).
RegionSet InputsOf(const CorpusCase& crash);

enum class WithTable { kNo, kYes };

// What a device would hand over: every md_*.BIN, named as a collector names it (name and id out of the file's
// name, no address), and, if wanted, minidump_toc.bin as the address table.
RegionSet RegionsOf(const CorpusCase& crash, WithTable table);

}  // namespace corefleet

#endif  // COREFLEET_TESTS_SUPPORT_CORPUS_H_
