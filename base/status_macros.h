#ifndef COREFLEET_BASE_STATUS_MACROS_H_
#define COREFLEET_BASE_STATUS_MACROS_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// Debian 12's Abseil has neither of these yet.

// Returns from the current function if `expr`, an absl::Status, is not OK.
#define RETURN_IF_ERROR(expr)                                 \
  do {                                                        \
    if (absl::Status cf_status_ = (expr); !cf_status_.ok()) { \
      return cf_status_;                                      \
    }                                                         \
  } while (false)

// Evaluates `expr`, an absl::StatusOr, and either returns its status or moves its value into `lhs`, which may
// declare a variable: ASSIGN_OR_RETURN(auto page, Read(id));
#define ASSIGN_OR_RETURN(lhs, expr) CF_ASSIGN_OR_RETURN_(CF_CONCAT_(cf_statusor_, __LINE__), lhs, expr)

#define CF_CONCAT_INNER_(a, b) a##b
#define CF_CONCAT_(a, b) CF_CONCAT_INNER_(a, b)
#define CF_ASSIGN_OR_RETURN_(tmp, lhs, expr) \
  auto tmp = (expr);                         \
  if (!tmp.ok()) return tmp.status();        \
  lhs = *std::move(tmp)

#endif  // COREFLEET_BASE_STATUS_MACROS_H_
