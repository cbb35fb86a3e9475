#ifndef COREFLEET_CORE_PRINTK_LOG_TEXT_H_
#define COREFLEET_CORE_PRINTK_LOG_TEXT_H_

#include <string>

#include "core/printk/kernel_log.h"
#include "core/unpack/pieces.h"

namespace corefleet {

// A kernel log as text: console output, dmesg, vmcore-dmesg.txt, a pstore record. Mostly printable, with
// lines that a kernel stamped, or with what only a kernel says; the name counts where the content has little
// of it.
bool LooksLikeKernelLog(const std::string& name, ByteView head);
// One text a file. Of a file that is too long its end is taken, which is where the machine died.
void UnpackLogTexts(const std::vector<Artifact>& files, const DumpOpener* opener, Pieces* out);

// Bytes of one text that are looked at: its last ones.
inline constexpr size_t kMaxLogTextBytes = 16 << 20;

// The records of a text: `<level>[  sec.usec][ caller] text` with any of the three missing, or what journal,
// `dmesg -x`, `dmesg -T` and /dev/kmsg make of it. Lines without a stamp continue the record before, unless
// no line has one. Records are numbered from 0; one that nothing stamped is kCarved, and if it stands before
// the first stamp it counts as user space's. Lines of other programs, terminal codes and binary garbage are
// left out, the last with a kLogDamaged. Total; looks at kMaxLogTextBytes.
KernelLog ParseLogText(absl::string_view text);

}  // namespace corefleet

#endif  // COREFLEET_CORE_PRINTK_LOG_TEXT_H_
