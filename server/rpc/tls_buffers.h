#ifndef COREFLEET_SERVER_RPC_TLS_BUFFERS_H_
#define COREFLEET_SERVER_RPC_TLS_BUFFERS_H_

namespace corefleet {

// From now on every TLS context that this process makes, whichever library makes it, gives a connection's
// record buffers (34 KB) back whenever they are empty: most of a fleet's connections are silent most of the
// time. May be called often; thread-safe.
void ReleaseIdleTlsBuffers();

}  // namespace corefleet

#endif  // COREFLEET_SERVER_RPC_TLS_BUFFERS_H_
