#include "cli/archive_connection.h"
#include "cli/describe_crash.h"
#include "cli/json.h"
#include "cli/verb.h"

namespace corefleet {
namespace {

int Run(const Arguments& arguments, const Surroundings& where) {
  absl::StatusOr<ArchiveConnection> archive = ArchiveConnection::To(where);
  if (!archive.ok()) return Fail(where, archive.status());
  const absl::StatusOr<v1::Crash> crash = archive->GetCrash(arguments.operands()[0]);
  if (!crash.ok()) return Fail(where, crash.status());
  if (where.json) {
    *where.out << JsonLine(*crash);
    return kDone;
  }
  const bool verbose = arguments.Has("verbose");
  *where.out << DescribeCrash(*crash, {.sources = verbose, .all_regions = verbose, .abilities = false});
  if (crash->state() != v1::Crash::RECEIVED)
    *where.out << DescribeNextSteps(*crash) << DescribeAbilities(*crash);
  return kDone;
}

}  // namespace

Verb InfoVerb() {
  return {.name = "info",
          .operands = "ID",
          .min_operands = 1,
          .max_operands = 1,
          .summary = "what died, how tainted, what is there and what is missing",
          .details = "  corefleet info @latest\n  corefleet info 4f61d8f6 --json | jq .kernel",
          .options = {{"verbose", 'v', "", "all regions, and where each fact was read"}},
          .run = Run};
}

}  // namespace corefleet
