#include "cli/archive_connection.h"
#include "cli/download.h"
#include "cli/progress_bar.h"
#include "cli/verb.h"

namespace corefleet {
namespace {

int Run(const Arguments& arguments, const Surroundings& where) {
  absl::StatusOr<ArchiveConnection> archive = ArchiveConnection::To(where);
  if (!archive.ok()) return Fail(where, archive.status());
  ProgressBar bar(where, "reading");
  uint64_t total = 0, done = 0;
  Download download{.clock = where.clock};
  download.open = [&](grpc::ClientContext* context, uint64_t offset) -> Download::Reader {
    v1::ReadRegionRequest request;
    request.set_id(arguments.operands()[0]);
    request.set_region(arguments.operands()[1]);
    request.set_offset(offset);
    return archive->stub()->ReadRegion(context, request);
  };
  download.on_size = [&](uint64_t size) {
    total = size;
    return absl::OkStatus();
  };
  download.write = [&](ByteView bytes) {
    where.out->write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    bar.Show(done += bytes.size(), total);
    return where.out->good() ? absl::OkStatus() : absl::ResourceExhaustedError("cannot write the output");
  };
  const absl::Status status = RunDownload(download, 0);
  return status.ok() ? kDone : Fail(where, status);
}

}  // namespace

Verb CatVerb() {
  return {.name = "cat",
          .operands = "ID REGION",
          .min_operands = 2,
          .max_operands = 2,
          .summary = "one region's bytes, as received",
          .details =
              "REGION is a file name, a region's name, its meminspect id, or both together\n"
              "('corefleet info ID --verbose' lists them).\n\n"
              "  corefleet cat @latest Kinit_uts | strings\n"
              "  corefleet cat @latest 24 > infos.bin",
          .run = Run};
}

}  // namespace corefleet
