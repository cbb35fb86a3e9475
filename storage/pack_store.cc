#include "storage/pack_store.h"

#include "base/status_macros.h"

namespace corefleet {

absl::StatusOr<PackRef> PackStore::PutPieces(absl::Span<const ByteView> pieces) {
  ASSIGN_OR_RETURN(const std::unique_ptr<WrittenPack> pack, Write(pieces));
  RETURN_IF_ERROR(pack->Sync());
  return pack->ref();
}

}  // namespace corefleet
