#include "server/rpc/tls_buffers.h"

#include <openssl/crypto.h>
#include <openssl/ssl.h>

#include "base/log.h"

namespace corefleet {
namespace {

void OnNewContext(void* context, void*, CRYPTO_EX_DATA*, int, long, void*) {
  SSL_CTX_set_mode(static_cast<SSL_CTX*>(context), SSL_MODE_RELEASE_BUFFERS);
}

}  // namespace

void ReleaseIdleTlsBuffers() {
  // gRPC keeps its contexts to itself and has no option for this. Of OpenSSL's own means this is the one that
  // sees a context that somebody else makes: whoever has an index for data of his own is told of each.
  static const bool once =
      CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_SSL_CTX, 0, nullptr, &OnNewContext, nullptr, nullptr) >= 0;
  if (!once) Log(LogLevel::kError, "TLS connections keep their buffers");
}

}  // namespace corefleet
