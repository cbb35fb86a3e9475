#include "server/identity/tls_material.h"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <ctime>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace corefleet {
namespace {

struct Free {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
template <typename T>
using Owned = std::unique_ptr<T, Free>;

Owned<BIO> Reading(const std::string& text) {
  return Owned<BIO>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// The next certificate of a text; null at its end, and where it cannot be read.
Owned<X509> NextCertificate(BIO* bio) {
  return Owned<X509>(PEM_read_bio_X509(bio, nullptr, nullptr, nullptr));
}

// Nobody is there to type a passphrase, and OpenSSL would ask the terminal.
int NoPassphrase(char*, int, int, void*) { return 0; }

absl::Time TimeOf(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return absl::InfinitePast();
  return absl::FromTM(parts, absl::UTCTimeZone());
}

absl::Status CheckTime(X509* certificate, absl::Time now) {
  const absl::Time from = TimeOf(X509_get0_notBefore(certificate));
  const absl::Time to = TimeOf(X509_get0_notAfter(certificate));
  const auto when = [](absl::Time t) {
    return absl::FormatTime("%Y-%m-%d %H:%M UTC", t, absl::UTCTimeZone());
  };
  if (now >= to) return absl::InvalidArgumentError(absl::StrCat("the certificate has expired on ", when(to)));
  if (now < from) {
    return absl::InvalidArgumentError(absl::StrCat("the certificate is valid from ", when(from), " on only"));
  }
  return absl::OkStatus();
}

// Every certificate of the text can be read, and there is one at least.
absl::Status CheckRoots(const std::string& roots) {
  const Owned<BIO> bio = Reading(roots);
  int count = 0;
  while (NextCertificate(bio.get()) != nullptr) ++count;
  const unsigned long end = ERR_peek_last_error();
  ERR_clear_error();
  if (count > 0 && ERR_GET_REASON(end) == PEM_R_NO_START_LINE) return absl::OkStatus();
  return absl::InvalidArgumentError(
      count == 0 ? "the client roots hold no certificate"
                 : absl::StrCat("certificate ", count + 1, " of the client roots cannot be read"));
}

}  // namespace

absl::StatusOr<TlsMaterial> CheckTlsMaterial(std::string certificate_chain, std::string private_key,
                                             std::string client_roots, absl::Time now) {
  const Owned<X509> certificate = NextCertificate(Reading(certificate_chain).get());
  const Owned<EVP_PKEY> key(
      PEM_read_bio_PrivateKey(Reading(private_key).get(), nullptr, NoPassphrase, nullptr));
  ERR_clear_error();
  if (certificate == nullptr) return absl::InvalidArgumentError("there is no certificate in PEM");
  if (key == nullptr)
    return absl::InvalidArgumentError("there is no private key in PEM without a passphrase");
  const bool belongs = X509_check_private_key(certificate.get(), key.get()) == 1;
  ERR_clear_error();
  if (!belongs) return absl::InvalidArgumentError("the private key is not the certificate's");
  RETURN_IF_ERROR(CheckTime(certificate.get(), now));
  if (!client_roots.empty()) RETURN_IF_ERROR(CheckRoots(client_roots));
  return TlsMaterial{.certificate_chain = std::move(certificate_chain),
                     .private_key = std::move(private_key),
                     .client_roots = std::move(client_roots),
                     .not_after = TimeOf(X509_get0_notAfter(certificate.get()))};
}

}  // namespace corefleet
