#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "cli/archive_connection.h"
#include "cli/hex_dump.h"
#include "cli/json.h"
#include "cli/verb.h"

namespace corefleet {
namespace {

constexpr uint64_t kMaxCall = 1 << 20;

int Run(const Arguments& arguments, const Surroundings& where) {
  const absl::StatusOr<uint64_t> address = ParseAddress(arguments.operands()[1]);
  if (!address.ok()) return Fail(where, address.status());
  const absl::StatusOr<uint64_t> length = ParseSize(arguments.operands()[2]);
  if (!length.ok()) return Fail(where, length.status());
  if (*length == 0 || *length - 1 > UINT64_MAX - *address) {
    return Fail(where, absl::InvalidArgumentError("there is no such range of addresses"));
  }
  absl::StatusOr<ArchiveConnection> archive = ArchiveConnection::To(where);
  if (!archive.ok()) return Fail(where, archive.status());
  v1::ReadMemoryRequest request;
  request.set_id(arguments.operands()[0]);
  request.set_physical(arguments.Has("physical"));
  for (uint64_t done = 0; done < *length;) {
    const uint64_t step = std::min(kMaxCall, *length - done);
    request.set_address(*address + done);
    request.set_length(static_cast<uint32_t>(step));
    const absl::StatusOr<v1::ReadMemoryResponse> answer = archive->ReadMemory(request);
    if (!answer.ok()) return Fail(where, answer.status());
    if (answer->data().size() != step)
      return Fail(where, absl::DataLossError("the server sent less than was asked for"));
    if (where.json) {
      *where.out << JsonLine(*answer);
    } else if (arguments.Has("raw")) {
      *where.out << answer->data();
    } else {
      *where.out << HexDump(*address + done, BytesOf(answer->data()));
    }
    done += step;
  }
  return kDone;
}

}  // namespace

Verb ReadVerb() {
  return {.name = "read",
          .operands = "ID ADDRESS LENGTH",
          .min_operands = 3,
          .max_operands = 3,
          .summary = "memory by address",
          .details =
              "ADDRESS is the dead kernel's own (KASLR included), in hex with 0x or in decimal; LENGTH\n"
              "may end in k or m. What is not in the core is an error that says how much is.\n\n"
              "  corefleet read @latest 0xffffffffb6a1a4c0 64\n"
              "  corefleet read @latest 0x100000 4k --physical --raw > page",
          .options = {{"physical", 'p', "", "ADDRESS is physical"},
                      {"raw", 0, "", "the bytes themselves, not a hex dump"},
                      {"hex", 0, "", "a hex dump (default)"}},
          .run = Run};
}

}  // namespace corefleet
