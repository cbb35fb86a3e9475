#ifndef COREFLEET_CORE_VMCOREINFO_VMCOREINFO_H_
#define COREFLEET_CORE_VMCOREINFO_VMCOREINFO_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "core/bytes/byte_view.h"
#include "core/crash/defect.h"

namespace corefleet {

// The VMCOREINFO text of a kernel: what a tool needs to know to read that kernel's memory without its
// symbols.
//
// Source: kernel document admin-guide/kdump/vmcoreinfo. Lines `KEY=VALUE\n`; SYMBOL values are hex without 0x
// and run-time addresses (KASLR included); SIZE, OFFSET and LENGTH are decimal; NUMBER is signed decimal or
// 0x-hex. A value type; immutable after Parse.
class Vmcoreinfo {
 public:
  // An empty text: no key is there.
  Vmcoreinfo() = default;

  // Total: takes any bytes. Stops at the first NUL. Quirk: the kernel builds each line in an 80-byte buffer
  // and cuts it at 79 characters *with its newline*, so one line may hold two keys; the second one is found.
  // The first value of a key wins. Values that cannot be (an OFFSET or SIZE over 1 MiB, a LENGTH over 2^31)
  // are dropped. What was cut, dropped or contradicts itself is appended to `defects` (VMCOREINFO_DAMAGED)
  // unless it is null.
  static Vmcoreinfo Parse(ByteView text, std::vector<Defect>* defects);

  bool empty() const { return values_.empty(); }
  // The text as it was, up to the first NUL.
  const std::string& text() const { return text_; }

  // SYMBOL(name): a run-time virtual address.
  std::optional<uint64_t> Symbol(absl::string_view name) const;
  // SIZE(type), in bytes.
  std::optional<uint64_t> Size(absl::string_view type) const;
  // OFFSET(type.member), in bytes; `member` is "printk_info.seq".
  std::optional<uint64_t> Offset(absl::string_view member) const;
  // LENGTH(array), in elements.
  std::optional<uint64_t> Length(absl::string_view array) const;
  // NUMBER(name), as 64-bit two's complement.
  std::optional<uint64_t> Number(absl::string_view name) const;
  // KEY=value for keys without brackets, such as OSRELEASE or BUILD-ID. The view lives as long as this
  // object.
  std::optional<absl::string_view> Text(absl::string_view key) const;
  // KEY=hex without 0x, such as KERNELOFFSET.
  std::optional<uint64_t> Hex(absl::string_view key) const;

 private:
  std::string text_;
  absl::flat_hash_map<std::string, std::string> values_;  // key with its brackets -> value
};

}  // namespace corefleet

#endif  // COREFLEET_CORE_VMCOREINFO_VMCOREINFO_H_
