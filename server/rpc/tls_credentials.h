#ifndef COREFLEET_SERVER_RPC_TLS_CREDENTIALS_H_
#define COREFLEET_SERVER_RPC_TLS_CREDENTIALS_H_

#include <grpcpp/grpcpp.h>

#include <memory>

#include "server/identity/tls_material.h"

namespace corefleet {

// Whether whoever connects has to show a certificate. One that is shown has to be of the port's client roots,
// however it is.
enum class ClientCertificates { kRequired, kOptional };

// Has to be called before anything in the process makes a TLS channel or server: gRPC 1.51 reads once and for
// all which ciphers it may use, and has no way to say which versions. Of the ciphers of TLS 1.2 only one is
// left that nobody can negotiate (it wants a shared key, and there is none), so what can be negotiated is
// TLS 1.3. May be called often.
void SpeakOnlyTls13();

// Credentials of a port that shows what `identity` holds at the time of each handshake. With material that
// has no client roots nobody is asked for a certificate.
std::shared_ptr<grpc::ServerCredentials> MakeTlsCredentials(std::shared_ptr<const TlsIdentity> identity,
                                                            ClientCertificates clients);

}  // namespace corefleet

#endif  // COREFLEET_SERVER_RPC_TLS_CREDENTIALS_H_
