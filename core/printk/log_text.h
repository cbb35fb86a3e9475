#ifndef COREFLEET_CORE_PRINTK_LOG_TEXT_H_
#define COREFLEET_CORE_PRINTK_LOG_TEXT_H_

#include <string>

#include "core/printk/kernel_log.h"
#include "core/unpack/pieces.h"

namespace corefleet {

// A kernel log as text: console output, dmesg, vmcore-dmesg.txt, a pstore record.
bool LooksLikeKernelLog(const std::string& name, ByteView head);
void UnpackLogTexts(const std::vector<Artifact>& files, const DumpOpener* opener, Pieces* out);

// The records of a text: `<level>[  sec.usec][ caller] text` with any of the three missing. Lines without a
// stamp continue the record before. Total.
KernelLog ParseLogText(absl::string_view text);

}  // namespace corefleet

#endif  // COREFLEET_CORE_PRINTK_LOG_TEXT_H_
