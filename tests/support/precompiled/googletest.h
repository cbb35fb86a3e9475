// What most tests include.
#ifndef COREFLEET_TESTS_SUPPORT_PRECOMPILED_GOOGLETEST_H_
#define COREFLEET_TESTS_SUPPORT_PRECOMPILED_GOOGLETEST_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/precompiled/abseil.h"

#endif  // COREFLEET_TESTS_SUPPORT_PRECOMPILED_GOOGLETEST_H_
