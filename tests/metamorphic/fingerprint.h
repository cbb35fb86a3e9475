#ifndef COREFLEET_TESTS_METAMORPHIC_FINGERPRINT_H_
#define COREFLEET_TESTS_METAMORPHIC_FINGERPRINT_H_

#include <map>
#include <set>
#include <string>

#include "core/crash/region_set.h"

namespace corefleet {

// What corefleet makes of a crash, as text that can be compared piece by piece.
struct Fingerprint {
  // Every fact with where it was read: "release" -> "6.1.0 (symbol)".
  std::map<std::string, std::string> facts;
  std::string log;  // as the machine would have printed it
  // Every placed region: address, size, state, digest. Without names, which are hints.
  std::multiset<std::string> regions;
  std::multiset<std::string> defects;  // codes
};

Fingerprint FingerprintOf(const RegionSet& received);

// One line for each difference, "" if there is none: what a failed test shows.
std::string Differences(const Fingerprint& a, const Fingerprint& b);

}  // namespace corefleet

#endif  // COREFLEET_TESTS_METAMORPHIC_FINGERPRINT_H_
