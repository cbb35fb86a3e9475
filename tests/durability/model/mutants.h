#ifndef COREFLEET_TESTS_DURABILITY_MODEL_MUTANTS_H_
#define COREFLEET_TESTS_DURABILITY_MODEL_MUTANTS_H_

#include <memory>

#include "absl/types/span.h"
#include "storage/segment/file_system.h"

namespace corefleet {

// Ways to be wrong that the model must find out: who never fails proves nothing.
enum class Mutation {
  kNone,
  kAckBeforeSync,    // a sync says OK and does nothing
  kSyncAgain,        // a failed sync is tried again, and the second one believed
  kNameNotSynced,    // a new segment's name is not made durable
  kBlindReconciler,  // the reconciler sees no rows and no sessions
};
// All but kNone.
absl::Span<const Mutation> Mutations();
const char* MutationName(Mutation mutation);

// The file system that a store gets which is wrong in this way; as good as `real` where it is not the store
// that is wrong. `real` must outlive it.
std::unique_ptr<FileSystem> Mutate(Mutation mutation, FileSystem* real);

}  // namespace corefleet

#endif  // COREFLEET_TESTS_DURABILITY_MODEL_MUTANTS_H_
