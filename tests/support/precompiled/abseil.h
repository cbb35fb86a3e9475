// What most of our files include, and what that includes. Under the sanitizers every file of a room has it
// before its own first line. When Bazel says that a rule lacks a dependency declaration for it: the rule has
// none on //third_party/debian:absl, and .bazelrc has to name its files.
#ifndef COREFLEET_TESTS_SUPPORT_PRECOMPILED_ABSEIL_H_
#define COREFLEET_TESTS_SUPPORT_PRECOMPILED_ABSEIL_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/span.h"

#endif  // COREFLEET_TESTS_SUPPORT_PRECOMPILED_ABSEIL_H_
