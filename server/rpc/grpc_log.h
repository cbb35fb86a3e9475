#ifndef COREFLEET_SERVER_RPC_GRPC_LOG_H_
#define COREFLEET_SERVER_RPC_GRPC_LOG_H_

namespace corefleet {

// What gRPC has to say goes into our log from now on, as lines of ours, ten a second at most: a client whose
// handshakes fail makes gRPC write a line for each, and would fill the disk. What was left out is counted in
// the next line. For the whole process; call it from main.
void LogWhatGrpcSays();

}  // namespace corefleet

#endif  // COREFLEET_SERVER_RPC_GRPC_LOG_H_
