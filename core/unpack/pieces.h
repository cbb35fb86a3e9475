#ifndef COREFLEET_CORE_UNPACK_PIECES_H_
#define COREFLEET_CORE_UNPACK_PIECES_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "core/bytes/byte_source.h"
#include "core/crash/defect.h"
#include "core/crash/kernel_text.h"
#include "core/crash/kinfo.h"
#include "core/crash/region_set.h"
#include "core/kdump/dumped_memory.h"

namespace corefleet {

// What a received file is, by its content.
enum class Format {
  kUnknown,
  kAddressTable,    // any of the firmware's or the tools' lists of regions (core/minidump/tables.h)
  kRawDump,         // Raw_Dmp! container
  kQaic,            // table and regions in one blob
  kAssembled,       // a meminspect core that a tool put together: qdl's minidump.elf, a cat of the files
  kCoprocessor,     // a remoteproc core: sections only, or loads without notes
  kKinfo,           // a Debug Kinfo area
  kPstoreRecord,    // a file as /sys/fs/pstore shows it
  kRamoops,         // raw zones of a ramoops area
  kVmcore,          // an ELF core of a whole machine, perhaps flattened
  kCompressedDump,  // makedumpfile's compressed format, perhaps flattened, perhaps one of several parts
  kLogText,         // a kernel log as text
};

// A received file of kind kArtifact, or one that came out of another.
struct Artifact {
  uint32_t received = 0;                    // index into the received set of the file it is, or came out of
  std::string file_name;                    // untrusted bytes
  std::shared_ptr<const ByteSource> bytes;  // never null
  std::vector<uint8_t> head;                // its first bytes: kArtifactHeadBytes, or all it has
};

inline constexpr size_t kArtifactHeadBytes = 64 * 1024;

// A whole machine's memory out of a dump file.
struct DumpedCore {
  uint16_t machine = 0;  // EM_..., 0 unknown
  uint32_t elf_flags = 0;
  std::string vmcoreinfo;  // the text
  // Loads: windows of the file, with paddr, vaddr and table_size (bytes of memory, which may be more than
  // there are). Empty for a compressed dump.
  std::vector<Region> loads;
  std::shared_ptr<const DumpedMemory> memory;  // page by page; may be null
  std::shared_ptr<const ByteSource> file;      // the dump, unflattened
  bool is_elf = false;
  std::string release, version, machine_name;  // from the dump's own header; escaped; may be empty
  uint32_t prstatus_count = 0;
};

// What came out of artifacts.
struct Pieces {
  std::vector<Region> regions;      // kMemory and kAddressTable; `container` set
  std::vector<Artifact> artifacts;  // to be looked at in their turn
  std::vector<KernelText> texts;
  std::vector<Kinfo> kinfos;
  std::optional<DumpedCore> dump;
  std::vector<Defect> defects;
};

// Takes files of one format apart. `files` are all of that format in the crash, sorted by name; never empty.
// What cannot be read becomes a defect; windows keep the file's bytes alive and copy none. Total, bounded,
// deterministic.
using Unpacker = void (*)(const std::vector<Artifact>& files, const DumpOpener* opener, Pieces* out);

// [offset, offset + size) of `file` as bytes of their own, cut where the file ends. Copies nothing.
std::shared_ptr<const ByteSource> WindowOf(std::shared_ptr<const ByteSource> file, uint64_t offset,
                                           uint64_t size);

// "meminspect", "rawdump", "qaic", "coprocessor", "kinfo", "pstore", "ramoops", "vmcore", "kdump", "log",
// "opaque": what a crash came as. Of a vendor's header region reassembly says "minidump".
absl::string_view SourceName(Format format);

}  // namespace corefleet

#endif  // COREFLEET_CORE_UNPACK_PIECES_H_
