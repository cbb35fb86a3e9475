#include "core/printk/log_text.h"

namespace corefleet {

bool LooksLikeKernelLog(const std::string&, ByteView) { return false; }

void UnpackLogTexts(const std::vector<Artifact>&, const DumpOpener*, Pieces*) {}

KernelLog ParseLogText(absl::string_view) { return {}; }

}  // namespace corefleet
