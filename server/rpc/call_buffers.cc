#include "server/rpc/call_buffers.h"

namespace corefleet {

CallBuffers::CallBuffers(const Sizes& sizes) : sizes_(sizes) { quota_.Resize(sizes_.few_bytes); }

size_t CallBuffers::bytes() const {
  absl::MutexLock lock(&mutex_);
  return many_ ? sizes_.many_bytes : sizes_.few_bytes;
}

void CallBuffers::Enter() {
  if (calls_.fetch_add(1) + 1 == sizes_.few + 1) Fit();
}

void CallBuffers::Leave() {
  if (calls_.fetch_sub(1) - 1 == sizes_.few / 2) Fit();
}

void CallBuffers::Fit() {
  absl::MutexLock lock(&mutex_);
  const int calls = calls_.load();
  // Half of few, before they are few again: a port at the limit would change with every call.
  const bool many = many_ ? calls > sizes_.few / 2 : calls > sizes_.few;
  if (many == many_) return;
  many_ = many;
  quota_.Resize(many ? sizes_.many_bytes : sizes_.few_bytes);
}

}  // namespace corefleet
