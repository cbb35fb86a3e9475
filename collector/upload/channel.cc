#include "collector/upload/channel.h"

#include <cstdlib>
#include <utility>

#include "base/log.h"
#include "base/status_macros.h"

namespace corefleet {
namespace {

grpc::ChannelArguments Arguments() {
  grpc::ChannelArguments arguments;
  // A new channel is to be a new connection, and not a share in one that is there.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 30000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10000);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 200);
  // Despite its name this is also how long one attempt to connect may take.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 10000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 10000);
  return arguments;
}

// Before the first TLS channel: gRPC 1.51 has no way to say which versions of TLS it may use. The one cipher
// of TLS 1.2 that is left needs a key that both sides share beforehand, and there is none.
void SpeakOnlyTls13() {
  static const bool once = setenv("GRPC_SSL_CIPHER_SUITES", "PSK-AES128-GCM-SHA256", /*overwrite=*/1) == 0;
  if (!once) Log(LogLevel::kError, "cannot choose TLS ciphers");
}

std::shared_ptr<grpc::ChannelCredentials> CredentialsOf(const SecurityTexts& texts) {
  SpeakOnlyTls13();
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = texts.ca;
  options.pem_cert_chain = texts.certificate;
  options.pem_private_key = texts.key;
  auto connection = grpc::SslCredentials(options);
  if (texts.token.empty()) return connection;
  return grpc::CompositeChannelCredentials(connection, grpc::AccessTokenCredentials(texts.token));
}

}  // namespace

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address) {
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), Arguments());
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeChannel(const std::string& address,
                                                           const ChannelSecurity& security) {
  if (security.empty()) return MakeChannel(address);
  ASSIGN_OR_RETURN(const SecurityTexts texts, ReadSecurity(security));
  grpc::ChannelArguments arguments = Arguments();
  if (!security.server_name.empty()) arguments.SetSslTargetNameOverride(security.server_name);
  return grpc::CreateCustomChannel(address, CredentialsOf(texts), arguments);
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> RenewedChannel::Get() {
  // Before the files are read: a change in the meantime is seen at the next call.
  std::vector<FileStamp> stamps = StampsOf(security_);
  if (channel_ != nullptr && stamps == stamps_) return channel_;
  auto made = MakeChannel(address_, security_);
  if (!made.ok() && channel_ == nullptr) return made.status();
  if (!made.ok()) {
    Log(LogLevel::kWarning, "changed certificate files make no sense; those before stay in use",
        {{"why", std::string(made.status().message())}});
    return channel_;
  }
  stamps_ = std::move(stamps);
  channel_ = *std::move(made);
  return channel_;
}

bool IsReachable(grpc::Channel* channel, Clock* clock, absl::Duration timeout) {
  const auto deadline = absl::ToChronoTime(clock->Now() + timeout);
  grpc_connectivity_state state = channel->GetState(/*try_to_connect=*/true);
  while (state != GRPC_CHANNEL_READY) {
    if (state == GRPC_CHANNEL_TRANSIENT_FAILURE || state == GRPC_CHANNEL_SHUTDOWN) return false;
    if (!channel->WaitForStateChange(state, deadline)) return false;
    state = channel->GetState(true);
  }
  return true;
}

}  // namespace corefleet
