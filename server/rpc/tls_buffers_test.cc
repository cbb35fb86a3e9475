#include "server/rpc/tls_buffers.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <memory>

namespace corefleet {
namespace {

TEST(TlsBuffersTest, ContextsThatOthersMakeGiveTheirBuffersBack) {
  ReleaseIdleTlsBuffers();
  ReleaseIdleTlsBuffers();
  const std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free);
  ASSERT_NE(context, nullptr);
  EXPECT_NE(SSL_CTX_get_mode(context.get()) & SSL_MODE_RELEASE_BUFFERS, 0);
}

}  // namespace
}  // namespace corefleet
