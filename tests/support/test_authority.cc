#include "tests/support/test_authority.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdlib>

namespace corefleet {
namespace {

struct Free {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
};
template <typename T>
using Owned = std::unique_ptr<T, Free>;

void Require(bool ok) {
  if (!ok) std::abort();
}

template <typename Write>
std::string Pem(Write write) {
  const Owned<BIO> bio(BIO_new(BIO_s_mem()));
  Require(write(bio.get()) == 1);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<size_t>(size));
}

std::string PemOf(X509* certificate) {
  return Pem([&](BIO* bio) { return PEM_write_bio_X509(bio, certificate); });
}
std::string PemOf(EVP_PKEY* key) {
  return Pem(
      [&](BIO* bio) { return PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr); });
}

Owned<EVP_PKEY> NewKey() { return Owned<EVP_PKEY>(EVP_EC_gen("P-256")); }

void SetTime(absl::Time time, ASN1_TIME* out) { ASN1_TIME_set(out, absl::ToTimeT(time)); }

Owned<X509> Blank(EVP_PKEY* key, absl::Time from, absl::Time to, const char* subject) {
  Owned<X509> certificate(X509_new());
  X509_set_version(certificate.get(), 2);
  uint64_t serial = 0;
  RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof(serial));
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate.get()), serial >> 1);
  SetTime(from, X509_getm_notBefore(certificate.get()));
  SetTime(to, X509_getm_notAfter(certificate.get()));
  X509_set_pubkey(certificate.get(), key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(subject), -1, -1, 0);
  return certificate;
}

void AddName(int type, const std::string& bytes, GENERAL_NAMES* names) {
  GENERAL_NAME* name = GENERAL_NAME_new();
  ASN1_STRING* text = type == GEN_IPADD ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();
  ASN1_STRING_set(text, bytes.data(), static_cast<int>(bytes.size()));
  GENERAL_NAME_set0_value(name, type, text);
  sk_GENERAL_NAME_push(names, name);
}

void AddNames(const TestAuthority::Names& from, X509* certificate) {
  const Owned<GENERAL_NAMES> names(sk_GENERAL_NAME_new_null());
  for (const std::string& uri : from.uris) AddName(GEN_URI, uri, names.get());
  for (const std::string& dns : from.dns) AddName(GEN_DNS, dns, names.get());
  for (const std::string& ip : from.ips) {
    in_addr binary;
    Require(inet_pton(AF_INET, ip.c_str(), &binary) == 1);
    AddName(GEN_IPADD, std::string(reinterpret_cast<const char*>(&binary), sizeof(binary)), names.get());
  }
  if (sk_GENERAL_NAME_num(names.get()) == 0) return;
  Require(X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(), 0, 0) == 1);
}

void MakeAuthority(X509* certificate) {
  BASIC_CONSTRAINTS* constraints = BASIC_CONSTRAINTS_new();
  constraints->ca = 1;
  Require(X509_add1_ext_i2d(certificate, NID_basic_constraints, constraints, 1, 0) == 1);
  BASIC_CONSTRAINTS_free(constraints);
}

}  // namespace

struct TestAuthority::Keys {
  Owned<EVP_PKEY> key;
  Owned<X509> certificate;
  std::string pem;
};

TestAuthority::TestAuthority() : keys_(std::make_unique<Keys>()) {
  keys_->key = NewKey();
  const Names lasting;
  keys_->certificate = Blank(keys_->key.get(), lasting.not_before, lasting.not_after, "a test's root");
  X509_set_issuer_name(keys_->certificate.get(), X509_get_subject_name(keys_->certificate.get()));
  MakeAuthority(keys_->certificate.get());
  Require(X509_sign(keys_->certificate.get(), keys_->key.get(), EVP_sha256()) > 0);
  keys_->pem = PemOf(keys_->certificate.get());
}

TestAuthority::~TestAuthority() = default;

const std::string& TestAuthority::root() const { return keys_->pem; }

TestCertificate TestAuthority::Sign(const Names& names) const {
  const Owned<EVP_PKEY> key = NewKey();
  const Owned<X509> certificate = Blank(key.get(), names.not_before, names.not_after, "a test's");
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(keys_->certificate.get()));
  AddNames(names, certificate.get());
  Require(X509_sign(certificate.get(), keys_->key.get(), EVP_sha256()) > 0);
  return {.certificate = PemOf(certificate.get()), .key = PemOf(key.get())};
}

}  // namespace corefleet
