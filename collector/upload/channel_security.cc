#include "collector/upload/channel_security.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace corefleet {
namespace {

constexpr size_t kMaxBytes = 1 << 20;
constexpr size_t kMaxTokenBytes = 1024;

struct Free {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(addrinfo* list) const { freeaddrinfo(list); }
};
template <typename T>
using Owned = std::unique_ptr<T, Free>;

class OwnedFd {
 public:
  explicit OwnedFd(int fd) : fd_(fd) {}
  ~OwnedFd() {
    if (fd_ >= 0) close(fd_);
  }
  OwnedFd(const OwnedFd&) = delete;
  OwnedFd& operator=(const OwnedFd&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

// OpenSSL writes to a socket whose other end may have gone, which would end the process.
class NoBrokenPipe {
 public:
  NoBrokenPipe() {
    sigemptyset(&broken_pipe_);
    sigaddset(&broken_pipe_, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &broken_pipe_, &before_);
  }
  ~NoBrokenPipe() {
    const timespec at_once{};
    sigtimedwait(&broken_pipe_, nullptr, &at_once);
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }

 private:
  sigset_t broken_pipe_;
  sigset_t before_;
};

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  if (path.empty()) return std::string();
  const OwnedFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot open ", path));
  std::string text;
  char buffer[16 * 1024];
  while (true) {
    const ssize_t got = read(fd.get(), buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot read ", path));
    if (got == 0) return text;
    text.append(buffer, static_cast<size_t>(got));
    if (text.size() > kMaxBytes)
      return absl::InvalidArgumentError(absl::StrCat(path, " is larger than 1 MiB"));
  }
}

Owned<BIO> Reading(const std::string& text) {
  return Owned<BIO>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

Owned<X509> FirstCertificate(const std::string& text) {
  Owned<X509> certificate(PEM_read_bio_X509(Reading(text).get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  return certificate;
}

// Nobody is there to type a passphrase, and OpenSSL would ask the terminal.
int NoPassphrase(char*, int, int, void*) { return 0; }

absl::Status CheckCertificate(const ChannelSecurity& security, const SecurityTexts& texts) {
  if (security.certificate.empty() != security.key.empty()) {
    return absl::InvalidArgumentError(
        "a client certificate and its key go together, and one of them is not given");
  }
  if (security.certificate.empty()) return absl::OkStatus();
  const Owned<X509> certificate = FirstCertificate(texts.certificate);
  if (certificate == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat(security.certificate, " holds no certificate in PEM"));
  }
  const Owned<EVP_PKEY> key(
      PEM_read_bio_PrivateKey(Reading(texts.key).get(), nullptr, NoPassphrase, nullptr));
  const bool belongs = key != nullptr && X509_check_private_key(certificate.get(), key.get()) == 1;
  ERR_clear_error();
  if (key == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat(security.key, " holds no private key in PEM without a passphrase"));
  }
  if (belongs) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the key in ", security.key, " is not that of the certificate in ", security.certificate));
}

absl::Status CheckToken(const std::string& path, const std::string& token) {
  if (path.empty()) return absl::OkStatus();
  for (const unsigned char c : token) {
    if (c <= ' ' || c >= 0x7f) return absl::InvalidArgumentError(absl::StrCat(path, " holds no token"));
  }
  if (token.empty() || token.size() > kMaxTokenBytes) {
    return absl::InvalidArgumentError(absl::StrCat(path, " holds no token"));
  }
  return absl::OkStatus();
}

// "[::1]:80" -> "::1", "80".
std::pair<std::string, std::string> HostAndPort(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) return {address, ""};
  std::string host = address.substr(0, colon);
  if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
  return {host, address.substr(colon + 1)};
}

// A connected socket that gives up reading and writing after `timeout`; -1 if nobody listens.
int Connect(const std::string& address, absl::Duration timeout) {
  const auto [host, port] = HostAndPort(address);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0) return -1;
  const Owned<addrinfo> list(found);
  const timeval limit = absl::ToTimeval(timeout);
  for (const addrinfo* to = list.get(); to != nullptr; to = to->ai_next) {
    const int fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) continue;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));  // connecting counts as sending
    if (connect(fd, to->ai_addr, to->ai_addrlen) == 0) return fd;
    close(fd);
  }
  return -1;
}

// What both ends have to agree on: the same as gRPC's own handshake.
Owned<SSL> Prepare(SSL_CTX* context, const std::string& host, const ChannelSecurity& security) {
  SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_load_verify_locations(context, security.ca.c_str(), nullptr);
  if (!security.certificate.empty()) {
    SSL_CTX_use_certificate_chain_file(context, security.certificate.c_str());
    SSL_CTX_use_PrivateKey_file(context, security.key.c_str(), SSL_FILETYPE_PEM);
  }
  Owned<SSL> ssl(SSL_new(context));
  static constexpr unsigned char kAlpn[] = {2, 'h', '2'};
  SSL_set_alpn_protos(ssl.get(), kAlpn, sizeof(kAlpn));
  in6_addr binary;
  const bool is_address =
      inet_pton(AF_INET, host.c_str(), &binary) == 1 || inet_pton(AF_INET6, host.c_str(), &binary) == 1;
  if (is_address) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl.get()), host.c_str());
  } else {
    SSL_set_tlsext_host_name(ssl.get(), host.c_str());
    SSL_set1_host(ssl.get(), host.c_str());
  }
  return ssl;
}

std::string WhyServerIsNotBelieved(long result, const std::string& host, const ChannelSecurity& security) {
  switch (result) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return "the server's certificate has expired (or this machine's clock is wrong)";
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return "the server's certificate is not valid yet (or this machine's clock is wrong)";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return absl::StrCat("the server's certificate is not for ", host);
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      return absl::StrCat("the server's certificate was not signed by an authority in ", security.ca);
    default:
      return absl::StrCat("the server's certificate is not good: ", X509_verify_cert_error_string(result));
  }
}

// Why a server that shows a good certificate does not want to talk. gRPC's servers do not say: they hang up.
std::string WhyClientIsNotBelieved(const ChannelSecurity& security) {
  if (security.certificate.empty()) return "the server wants a client certificate, and none was given";
  const auto text = ReadFile(security.certificate);
  const Owned<X509> certificate = text.ok() ? FirstCertificate(*text) : nullptr;
  if (certificate != nullptr && X509_cmp_current_time(X509_get0_notAfter(certificate.get())) < 0) {
    return absl::StrCat("the client's certificate (", security.certificate, ") has expired");
  }
  return absl::StrCat("the server does not take the client's certificate (", security.certificate,
                      "): its authority may not be one that this port believes");
}

// What OpenSSL, or the server, said of a handshake that broke off.
std::string WhyHandshakeFailed() {
  const unsigned long error = ERR_peek_error();
  switch (ERR_GET_REASON(error)) {
    case 0:
      return "";
    case SSL_R_WRONG_VERSION_NUMBER:
      return "the server does not speak TLS at this port";
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
    case SSL_R_UNSUPPORTED_PROTOCOL:
      return "the server does not speak TLS 1.3";
    case SSL_R_UNEXPECTED_EOF_WHILE_READING:
      return "the server hangs up instead of speaking TLS";
    default:
      return absl::StrCat("TLS fails: ",
                          ERR_reason_error_string(error) ? ERR_reason_error_string(error) : "?");
  }
}

std::string TryHandshake(int fd, const std::string& host, const ChannelSecurity& security) {
  const NoBrokenPipe no_broken_pipe;
  const Owned<SSL_CTX> context(SSL_CTX_new(TLS_client_method()));
  const Owned<SSL> ssl = Prepare(context.get(), host, security);
  SSL_set_fd(ssl.get(), fd);
  ERR_clear_error();
  if (SSL_connect(ssl.get()) != 1) {
    const long result = SSL_get_verify_result(ssl.get());
    return result == X509_V_OK ? WhyHandshakeFailed() : WhyServerIsNotBelieved(result, host, security);
  }
  // In TLS 1.3 the server judges the client's certificate after the client is done. One that is content
  // starts to talk.
  char byte;
  const int got = SSL_read(ssl.get(), &byte, 1);
  const bool waits = got <= 0 && SSL_get_error(ssl.get(), got) == SSL_ERROR_WANT_READ;
  return got > 0 || waits ? "" : WhyClientIsNotBelieved(security);
}

}  // namespace

absl::StatusOr<SecurityTexts> ReadSecurity(const ChannelSecurity& security) {
  SecurityTexts texts;
  if (security.empty()) return texts;
  if (security.ca.empty()) {
    return absl::InvalidArgumentError(
        "a client certificate or a token is given, and no authority whose servers may see it (tls_ca)");
  }
  ASSIGN_OR_RETURN(texts.ca, ReadFile(security.ca));
  ASSIGN_OR_RETURN(texts.certificate, ReadFile(security.certificate));
  ASSIGN_OR_RETURN(texts.key, ReadFile(security.key));
  ASSIGN_OR_RETURN(texts.token, ReadFile(security.token_file));
  absl::StripAsciiWhitespace(&texts.token);
  if (FirstCertificate(texts.ca) == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat(security.ca, " holds no certificate in PEM"));
  }
  RETURN_IF_ERROR(CheckCertificate(security, texts));
  RETURN_IF_ERROR(CheckToken(security.token_file, texts.token));
  return texts;
}

std::vector<FileStamp> StampsOf(const ChannelSecurity& security) {
  std::vector<FileStamp> stamps;
  for (const std::string* path : {&security.ca, &security.certificate, &security.key, &security.token_file}) {
    struct stat info;
    FileStamp& stamp = stamps.emplace_back();
    if (path->empty() || stat(path->c_str(), &info) != 0) continue;
    stamp = {.device = info.st_dev,
             .inode = info.st_ino,
             .size = info.st_size,
             .changed_ns = info.st_ctim.tv_sec * int64_t{1'000'000'000} + info.st_ctim.tv_nsec};
  }
  return stamps;
}

std::string WhyNoConnection(const std::string& address, const ChannelSecurity& security,
                            absl::Duration timeout) {
  const OwnedFd fd(Connect(address, timeout));
  if (fd.get() < 0) return "";
  if (security.empty())
    return "something listens there, and does not speak gRPC in plaintext: does it want TLS?";
  const std::string host = security.server_name.empty() ? HostAndPort(address).first : security.server_name;
  std::string why = TryHandshake(fd.get(), host, security);
  ERR_clear_error();
  return why;
}

}  // namespace corefleet
