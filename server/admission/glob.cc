#include "server/admission/glob.h"

#include <cstddef>

namespace corefleet {

bool GlobFits(absl::string_view pattern, absl::string_view text) {
  size_t p = 0;
  size_t t = 0;
  // After the last star: what to try again from, with one byte more for the star.
  size_t after_star = absl::string_view::npos;
  size_t star_ends = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      after_star = ++p;
      star_ends = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (after_star != absl::string_view::npos) {
      p = after_star;
      t = ++star_ends;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace corefleet
