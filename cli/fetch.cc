#include <sys/stat.h>

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "cli/archive_connection.h"
#include "cli/describe_crash.h"
#include "cli/download.h"
#include "cli/json.h"
#include "cli/part_file.h"
#include "cli/progress_bar.h"
#include "cli/text_table.h"
#include "cli/verb.h"
#include "core/bytes/escape.h"

namespace corefleet {
namespace {

constexpr const char* kArtifacts[] = {"core",       "zero",   "concat", "raw",
                                      "vmcoreinfo", "config", "log",    "kdump"};

struct Wanted {
  v1::Crash crash;
  std::string artifact;
};

Download DownloadOf(const Wanted& wanted, ArchiveConnection* archive, Clock* clock) {
  return {.open = [&wanted, archive](grpc::ClientContext* context, uint64_t offset) -> Download::Reader {
            v1::ReadArtifactRequest request;
            request.set_id(wanted.crash.id());
            request.set_artifact(wanted.artifact);
            request.set_offset(offset);
            return archive->stub()->ReadArtifact(context, request);
          },
          .clock = clock};
}

absl::Status ToStandardOutput(Download download, const Surroundings& where) {
  ProgressBar bar(where, "fetching");
  uint64_t total = 0, done = 0;
  download.on_size = [&](uint64_t size) {
    total = size;
    return absl::OkStatus();
  };
  download.write = [&](ByteView bytes) {
    where.out->write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    bar.Show(done += bytes.size(), total);
    return where.out->good() ? absl::OkStatus() : absl::ResourceExhaustedError("cannot write the output");
  };
  return RunDownload(download, 0);
}

// Fills the part file from the server, going on from what is there.
absl::Status Fill(Download download, bool refuse_other_size, uint64_t target_size, const std::string& target,
                  const Surroundings& where, PartFile* part) {
  ProgressBar bar(where, "fetching");
  uint64_t total = 0;
  // The last byte is asked for again, so that there is always something to ask for.
  if (part->size() > 0) RETURN_IF_ERROR(part->Truncate(part->size() - 1));
  download.on_size = [&](uint64_t size) -> absl::Status {
    total = size;
    if (refuse_other_size && size != target_size) {
      return absl::AlreadyExistsError(
          absl::StrCat(target, " exists and is something else; --force replaces it"));
    }
    return absl::OkStatus();
  };
  download.write = [&](ByteView bytes) {
    bar.Show(part->size() + bytes.size(), total);
    return part->Append(bytes);
  };
  absl::Status status = RunDownload(download, part->size());
  if (absl::IsOutOfRange(
          status)) {  // What is left there is longer than the artifact: it is of something else.
    RETURN_IF_ERROR(part->Truncate(0));
    status = RunDownload(download, 0);
  }
  if (absl::IsDataLoss(status) || absl::IsAlreadyExists(status)) RETURN_IF_ERROR(part->Truncate(0));
  return status;
}

// "fetched" or "unchanged".
absl::StatusOr<std::string> ToFile(const Download& download, const Wanted& wanted, const std::string& target,
                                   bool force, const Surroundings& where, uint64_t* size) {
  struct stat info;
  const bool exists = stat(target.c_str(), &info) == 0;
  if (exists && !S_ISREG(info.st_mode)) {
    return absl::AlreadyExistsError(
        absl::StrCat(target, " is no regular file; -o - writes to the standard output"));
  }
  ASSIGN_OR_RETURN(PartFile part,
                   PartFile::Open(target, absl::StrCat(wanted.crash.id(), ".", wanted.artifact)));
  RETURN_IF_ERROR(Fill(download, exists && !force, exists ? static_cast<uint64_t>(info.st_size) : 0, target,
                       where, &part));
  *size = part.size();
  if (exists && part.EqualsTarget()) {
    part.Discard();
    return std::string("unchanged");
  }
  if (exists && !force) {
    part.Discard();
    return absl::AlreadyExistsError(
        absl::StrCat(target, " exists and is something else; --force replaces it"));
  }
  RETURN_IF_ERROR(part.Commit());
  return std::string("fetched");
}

// Where to write: what -o says, the default name in the folder that -o names, or the default name here.
std::string TargetFor(const std::string& given, const Wanted& wanted) {
  const std::string name = FileNameFor(wanted.crash, wanted.artifact);
  struct stat info;
  if (given.empty()) return name;
  if (stat(given.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) return absl::StrCat(given, "/", name);
  return given;
}

void Report(const std::string& what, const std::string& target, uint64_t size, const Wanted& wanted,
            const Surroundings& where) {
  if (where.json) {
    *where.out << absl::StrCat("{\"id\":", JsonString(wanted.crash.id()),
                               ",\"artifact\":", JsonString(wanted.artifact),
                               ",\"file\":", JsonString(target), ",\"bytes\":\"", size, "\"}\n");
    return;
  }
  *where.out << EscapeForTerminal(target) << "\n";
  *where.err << what << ", " << FormatBytes(size) << "\n";
}

int Run(const Arguments& arguments, const Surroundings& where) {
  Wanted wanted{.artifact = arguments.Get("as", "core")};
  if (std::find(std::begin(kArtifacts), std::end(kArtifacts), wanted.artifact) == std::end(kArtifacts)) {
    return Fail(where,
                absl::InvalidArgumentError(absl::StrCat("--as is one of ", absl::StrJoin(kArtifacts, ", "),
                                                        ", not '", wanted.artifact, "'")));
  }
  absl::StatusOr<ArchiveConnection> archive = ArchiveConnection::To(where);
  if (!archive.ok()) return Fail(where, archive.status());
  absl::StatusOr<v1::Crash> crash = archive->GetCrash(arguments.operands()[0]);
  if (!crash.ok()) return Fail(where, crash.status());
  wanted.crash = *std::move(crash);
  if (!arguments.Has("as")) wanted.artifact = std::string(DefaultArtifact(wanted.crash));
  const Download download = DownloadOf(wanted, &*archive, where.clock);
  const std::string given = arguments.Get("o");
  if (given == "-") {
    const absl::Status status = ToStandardOutput(download, where);
    return status.ok() ? kDone : Fail(where, status);
  }
  const std::string target = TargetFor(given, wanted);
  uint64_t size = 0;
  const absl::StatusOr<std::string> what =
      ToFile(download, wanted, target, arguments.Has("force"), where, &size);
  if (!what.ok()) return Fail(where, what.status());
  Report(*what, target, size, wanted, where);
  return kDone;
}

}  // namespace

Verb FetchVerb() {
  return {.name = "fetch",
          .operands = "ID",
          .min_operands = 1,
          .max_operands = 1,
          .summary = "the core, or another file made from the crash",
          .details =
              "The forms of --as:\n"
              "  core        opens in crash, gdb, drgn and vmcore-dmesg; what is missing faults (default)\n"
              "  zero        the same, and what is missing around the regions reads as zeros\n"
              "  concat      the region files one after another, as by hand\n"
              "  raw         everything as it was received, in one tar archive\n"
              "  kdump       makedumpfile's format, of whole pages; a compressed dump as it came\n"
              "  vmcoreinfo, config, log    the text\n\n"
              "A fetch that was cut goes on where it stopped when it is repeated. Every piece is checked\n"
              "on arrival; the file gets its name only when it is whole.\n\n"
              "  corefleet fetch @latest\n"
              "  corefleet fetch 4f61d8f6 --as config -o - | grep KASLR",
          .options = {{"o", 'o', "FILE", "where to: a file, a folder, or - for the standard output"},
                      {"as", 0, "FORM", "what to make (default core; kdump for what came compressed)"},
                      {"force", 'f', "", "replace a file that is there and differs"}},
          .run = Run};
}

}  // namespace corefleet
