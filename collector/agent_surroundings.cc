// What the agent asks of the machine that it runs on.
#include <sys/stat.h>

#include <cstdio>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "collector/agent.h"
#include "collector/source/file_bytes.h"
#include "collector/upload/channel.h"
#include "collector/upload/grpc_ingest_client.h"

namespace corefleet {
namespace {

constexpr size_t kMaxProcBytes = 256 << 10;

// A file of /proc, which does not say how long it is.
std::string ReadProc(const char* path) {
  std::string text;
  FILE* const file = std::fopen(path, "re");
  if (file == nullptr) return text;
  char piece[4096];
  for (size_t got; text.size() < kMaxProcBytes && (got = std::fread(piece, 1, sizeof(piece), file)) > 0;) {
    text.append(piece, got);
  }
  std::fclose(file);
  return text;
}

bool Exists(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0;
}

}  // namespace

Standing StandingOf(const CollectorConfig& config) {
  Standing standing{.consent_needed = !config.consent_file.empty(), .on_metered = config.on_metered};
  standing.consent_given = standing.consent_needed && Exists(config.consent_file);
  if (config.on_metered == OnMeteredLink::kAllow) return standing;
  standing.link_metered = !config.metered_file.empty() && Exists(config.metered_file);
  if (!standing.link_metered && !config.metered_interfaces.empty()) {
    const std::string name = DefaultInterface(ReadProc("/proc/net/route"), ReadProc("/proc/net/ipv6_route"));
    standing.link_metered = MatchesInterface(name, config.metered_interfaces);
  }
  return standing;
}

DeviceTime ThisDevicesTime() {
  DeviceTime time;
  time.boot_id = std::string(absl::StripAsciiWhitespace(ReadProc("/proc/sys/kernel/random/boot_id")));
  return time;
}

std::string SpoolPath(const CollectorConfig& config) { return absl::StrCat(config.state_dir, "/spool"); }

absl::StatusOr<std::unique_ptr<IngestClient>> ConnectTo(const std::string& address,
                                                        const CollectorConfig& config) {
  ChannelSecurity security;
  if (config.tls.in_use) {
    security = {.ca = config.tls.root_file,
                .certificate = config.tls.certificate_file,
                .key = config.tls.key_file,
                .server_name = config.tls.server_name};
    // An empty name would mean plaintext: these are the system's own roots.
    if (security.ca.empty()) security.ca = "/etc/ssl/certs/ca-certificates.crt";
  }
  ASSIGN_OR_RETURN(std::shared_ptr<grpc::Channel> channel, MakeChannel(address, security));
  GrpcIngestClient::Options options{.stall_timeout = absl::Minutes(2)};
  options.new_channel = [address, security] { return MakeChannel(address, security).value_or(nullptr); };
  return std::make_unique<GrpcIngestClient>(std::move(channel), options, Clock::Real());
}

}  // namespace corefleet
