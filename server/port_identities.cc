#include "server/port_identities.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace corefleet {
namespace {

constexpr absl::Duration kLookEvery = absl::Seconds(2);

// Puts a value where the port reads it, the first one and every later one.
template <typename T>
void Put(T value, std::shared_ptr<Exchanged<T>>* where) {
  if (*where == nullptr) {
    *where = std::make_shared<Exchanged<T>>(std::move(value));
  } else {
    (*where)->Replace(std::move(value));
  }
}

}  // namespace

absl::Status PortIdentities::Watch(absl::string_view port, absl::string_view what, const TlsFiles& files,
                                   const std::string& own_client, std::shared_ptr<TlsIdentity>* identity) {
  if (files.certificate.empty()) return absl::OkStatus();
  std::vector<std::string> paths = {files.certificate, files.key};
  if (!files.client_roots.empty()) paths.push_back(files.client_roots);
  return reload_.Add(
      what, paths, [this, port, own_client, identity](std::vector<std::string> texts) -> absl::Status {
        const bool asks_clients = texts.size() == 3;
        ASSIGN_OR_RETURN(TlsMaterial material,
                         CheckTlsMaterial(std::move(texts[0]), std::move(texts[1]),
                                          asks_clients ? std::move(texts[2]) : std::string(), clock_->Now()));
        if (asks_clients && material.client_roots.empty()) {
          return absl::InvalidArgumentError("the client roots are empty");
        }
        if (asks_clients) absl::StrAppend(&material.client_roots, "\n", own_client);
        metrics_->CertificateShown(port, material.not_after);
        Put(std::move(material), identity);
        return absl::OkStatus();
      });
}

absl::Status PortIdentities::WatchTokens(const std::string& path) {
  if (path.empty()) return absl::OkStatus();
  return reload_.Add("archive_tokens", {path}, [this](std::vector<std::string> texts) -> absl::Status {
    ASSIGN_OR_RETURN(EngineerTokens parsed, EngineerTokens::Parse(texts[0]));
    Put(std::move(parsed), &tokens);
    return absl::OkStatus();
  });
}

absl::StatusOr<std::unique_ptr<PortIdentities>> PortIdentities::Read(const ServerOptions& options,
                                                                     const std::string& own_client,
                                                                     const Clock* clock,
                                                                     IdentityMetrics* metrics) {
  std::unique_ptr<PortIdentities> ports(new PortIdentities(clock, metrics));
  RETURN_IF_ERROR(ports->Watch("ingest", "ingest_tls", options.ingest_tls, own_client, &ports->ingest));
  RETURN_IF_ERROR(ports->Watch("archive", "archive_tls", options.archive_tls, "", &ports->archive));
  RETURN_IF_ERROR(ports->Watch("http", "http_tls", options.http_tls, "", &ports->http));
  RETURN_IF_ERROR(ports->WatchTokens(options.archive_tokens));
  ports->reload_.Start(kLookEvery);
  return ports;
}

}  // namespace corefleet
